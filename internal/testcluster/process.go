package testcluster

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

// process is one run of ballastd. Its goroutine owns it from the start to the end.
type process struct {
	pid int
	// ended is closed when the process has ended; state is set before.
	ended chan struct{}
	state *os.ProcessState
}

// startProcess starts a command whose output is appended to the file log. It ends with this process whatever happens.
func startProcess(log, binary string, args, env []string) (*process, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	p := &process{ended: make(chan struct{})}
	started := make(chan error)
	go func() {
		// The kernel sends the death signal when the thread that started the process ends, so this goroutine keeps it.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		cmd := exec.Command(binary, args...)
		cmd.Env = append(os.Environ(), env...)
		cmd.Stdout, cmd.Stderr = out, out
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := cmd.Start(); err != nil {
			started <- errors.Join(err, out.Close())
			return
		}
		p.pid = cmd.Process.Pid
		started <- nil
		// How it ended is told by its state; that it did not exit with 0 is for the caller to judge.
		_ = cmd.Wait()
		_ = out.Close()
		p.state = cmd.ProcessState
		close(p.ended)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", binary, err)
	}
	return p, nil
}

func (p *process) running() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// signal sends a signal; to a process that has ended it does nothing.
func (p *process) signal(s syscall.Signal) error {
	if !p.running() {
		return nil
	}
	if err := syscall.Kill(p.pid, s); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	return nil
}

// kill ends the process as a power cut of one host would and waits until it is gone. A stopped process ends too.
func (p *process) kill() error {
	if err := p.signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-p.ended
	return nil
}
