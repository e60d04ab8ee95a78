// Package childproc runs programs that must not outlive this one: clusters for development and benchmarks, and what they
// are measured against. Each is ended by the process that was started, never by a name.
package childproc

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// Spec says what is started.
type Spec struct {
	// Path of the program and its arguments.
	Path string
	Args []string
	// Env is its whole environment; nil: that of this process.
	Env []string
	// Dir is its working directory; empty: that of this process.
	Dir string
	// LogFile gets what it writes, appended.
	LogFile string
	// Credential is who it runs as; nil: as this process.
	Credential *syscall.Credential
	// StopSignal asks it to end in order; 0: SIGTERM.
	StopSignal syscall.Signal
}

// Process is a program that runs or has ended.
type Process struct {
	os         *os.Process
	stopSignal syscall.Signal
	exited     chan struct{}
	err        error // how it ended; set before exited is closed
}

// Start starts a program. It dies with this process, and does not get the signals that a terminal sends to everybody: it
// is stopped in order. A goroutine waits for it until it ends.
func Start(s Spec) (*Process, error) {
	output, err := os.OpenFile(s.LogFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(s.Path, s.Args...)
	cmd.Stdout, cmd.Stderr = output, output
	cmd.Env, cmd.Dir = s.Env, s.Dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL, Credential: s.Credential}

	p := &Process{exited: make(chan struct{}), stopSignal: s.StopSignal}
	if p.stopSignal == 0 {
		p.stopSignal = syscall.SIGTERM
	}
	started := make(chan error)
	go func() {
		defer output.Close()
		// Pdeathsig fires when the thread that started the process ends, so this goroutine keeps its thread until then.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		p.os = cmd.Process
		started <- err
		if err == nil {
			p.err = cmd.Wait()
			close(p.exited)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", s.Path, err)
	}
	return p, nil
}

// PID is the process's id; it may have ended.
func (p *Process) PID() int { return p.os.Pid }

// Exited is closed when the process is gone.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// Kill ends the process at once; one that has ended already is left alone.
func (p *Process) Kill() { _ = p.os.Kill() }

// Stop asks the process to stop and waits; after patience it is killed.
func (p *Process) Stop(patience time.Duration) (killed bool) {
	_ = p.os.Signal(p.stopSignal) // fails only where it is gone already
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-p.exited:
		return false
	case <-timer.C:
	}
	p.Kill()
	<-p.exited
	return true
}

// ExitCode is the process's exit code, once it is gone; -1 where a signal ended it.
func (p *Process) ExitCode() int {
	<-p.exited
	if exit, ok := p.err.(*exec.ExitError); ok { //nolint:errorlint // Wait documents this very type
		return exit.ExitCode()
	}
	if p.err != nil {
		return -1
	}
	return 0
}

// Ending is how the process ended, for people, once it is gone.
func (p *Process) Ending() string {
	<-p.exited
	if p.err == nil {
		return "exit status 0"
	}
	return p.err.Error()
}

const tailLen = 2000

// Tail is the end of a log file, for an error that must say why.
func Tail(path string) string {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Sprintf("(%v)", err)
	}
	defer file.Close()
	if info, err := file.Stat(); err == nil && info.Size() > tailLen {
		if _, err := file.Seek(-tailLen, io.SeekEnd); err != nil {
			return fmt.Sprintf("(%v)", err)
		}
	}
	data, err := io.ReadAll(io.LimitReader(file, tailLen))
	if err != nil {
		return fmt.Sprintf("(%v)", err)
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	return "  " + strings.Join(lines[max(0, len(lines)-5):], "\n  ")
}
