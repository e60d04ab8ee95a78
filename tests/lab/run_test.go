//go:build lab

package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// Variables with which the outer process tells the inner one, and a run what its machine lacks.
const (
	runVariable     = "BALLAST_LAB_RUN"     // the directory of the run: the process is the inner one
	missingVariable = "BALLAST_LAB_MISSING" // why tests skip
)

// namespaces are those of a run. The first process in a PID namespace takes all others with it when it ends, and with the
// last of them the mounts and the network are gone, however the run ended.
const namespaces = syscall.CLONE_NEWPID | syscall.CLONE_NEWNET | syscall.CLONE_NEWNS

// TestMain runs the tests in a second process, with process ids, mounts and a network of its own, and afterwards removes
// what outlives those: the run's directory and control groups.
func TestMain(m *testing.M) {
	code := func() int {
		if os.Getenv(runVariable) != "" {
			if err := settle(); err != nil {
				fmt.Fprintln(os.Stderr, "lab:", err)
				return 1
			}
			return m.Run()
		}
		if why := missing(); why != "" {
			if err := os.Setenv(missingVariable, why); err != nil {
				panic(err) // only where the name is no name
			}
			return m.Run()
		}
		code, err := outer()
		if err != nil {
			fmt.Fprintln(os.Stderr, "lab:", err)
			return 1
		}
		return code
	}()
	os.Exit(code)
}

// settle makes the inner process at home: /proc of its own process ids, a /run that no other machine manager looks into, and
// the network's loopback.
func settle() error {
	return sh("mount -t proc proc /proc && mount -t tmpfs tmpfs /run && ip link set lo up")
}

// outer prepares what needs the machine's own network and runs the inner process.
func outer() (code int, err error) {
	runtime.LockOSThread() // a parent's death is that of the thread that started the child
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	run, err := os.MkdirTemp("", "ballast-lab-")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, removeGroups(filepath.Base(run)), os.RemoveAll(run)) }()
	if err := prepare(ctx, run); err != nil {
		return 0, err
	}
	inner := exec.CommandContext(ctx, "/proc/self/exe", os.Args[1:]...)
	inner.Env = append(os.Environ(), runVariable+"="+run)
	inner.Stdin, inner.Stdout, inner.Stderr = nil, os.Stdout, os.Stderr
	inner.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: namespaces &^ syscall.CLONE_NEWNS, Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL,
	}
	err = inner.Run()
	var ended *exec.ExitError
	if errors.As(err, &ended) && ended.ExitCode() > 0 {
		return ended.ExitCode(), nil
	}
	return 0, err
}

// removeGroups removes the control groups of a run, whose processes are gone.
func removeGroups(run string) error {
	var errs []error
	for _, h := range hierarchies {
		dir, ok := groupOf(h, run+"-*")
		if !ok {
			continue
		}
		groups, err := filepath.Glob(dir)
		errs = append(errs, err)
		for _, group := range groups {
			errs = append(errs, removeGroup(group))
		}
	}
	return errors.Join(errs...)
}

// removeGroup removes a control group and those below it.
func removeGroup(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := removeGroup(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return syscall.Rmdir(dir)
}

// sh runs a line of shell.
func sh(line string, args ...any) error {
	out, err := exec.Command("sh", "-euc", fmt.Sprintf(line, args...)).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", fmt.Sprintf(line, args...), err, strings.TrimSpace(string(out)))
	}
	return nil
}
