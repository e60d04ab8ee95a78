package devcluster

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

// process is a running ballastd.
type process struct {
	os *os.Process
	// exited is closed when it is gone; err is then how it ended.
	exited chan struct{}
	err    error
}

// startProcess starts a command with its output appended to a file. The process dies with this one, and does not get
// the signals that a terminal sends to everybody: it is stopped in order.
func startProcess(path string, args []string, logFile string) (*process, error) {
	output, err := os.OpenFile(logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(path, args...)
	cmd.Stdout, cmd.Stderr = output, output
	cmd.Env = memberEnvironment(os.Environ())
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}

	p := &process{exited: make(chan struct{})}
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
		return nil, err
	}
	return p, nil
}

// memberEnvironment leaves out the settings of a ballastd that the caller may have set for another purpose: the
// environment wins over the configuration file that is written for the member.
func memberEnvironment(environment []string) []string {
	var kept []string
	for _, variable := range environment {
		name, _, _ := strings.Cut(variable, "=")
		switch name {
		case "BALLAST_DATA_DIR", "BALLAST_CLIENT_ADDRESS", "BALLAST_MEMBER_ADDRESS", "BALLAST_OPERATOR_ADDRESS":
		default:
			kept = append(kept, variable)
		}
	}
	return kept
}

// stop asks the process to stop and waits; after patience it is killed.
func (p *process) stop(patience time.Duration) (killed bool) {
	_ = p.os.Signal(syscall.SIGTERM) // fails only where it is gone already
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-p.exited:
		return false
	case <-timer.C:
	}
	_ = p.os.Kill()
	<-p.exited
	return true
}

// exitCode is the process's exit code; -1 where a signal ended it.
func (p *process) exitCode() int {
	<-p.exited
	if exit, ok := p.err.(*exec.ExitError); ok { //nolint:errorlint // Wait documents this very type
		return exit.ExitCode()
	}
	if p.err != nil {
		return -1
	}
	return 0
}

// ending is how the process ended, for people.
func (p *process) ending() string {
	<-p.exited
	if p.err == nil {
		return "exit status 0"
	}
	return p.err.Error()
}

const tailLen = 2000

// tail is the end of a log file, for an error that must say why.
func tail(path string) string {
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
