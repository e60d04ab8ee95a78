package importtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience bounds every wait; on a busy machine a condition may take long, and nothing is timed.
const patience = 2 * time.Minute

// devCluster is `ballast dev` as a user starts it.
type devCluster struct {
	t         *testing.T
	bin, dir  string
	port      int
	flags     []string
	endpoints string
	dev       *exec.Cmd
	output    string // file that ballast dev writes to
	exited    chan struct{}
}

// startDev builds the programs and starts a cluster of three, with further flags of ballast dev.
func startDev(t *testing.T, flags ...string) *devCluster {
	t.Helper()
	c := &devCluster{t: t, bin: t.TempDir(), dir: t.TempDir(), port: freePort(t), flags: flags}
	build := exec.Command("go", "build", "-o", c.bin+"/", "./cmd/ballast", "./cmd/ballastd")
	build.Dir = "../.."
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	c.endpoints = fmt.Sprintf("127.0.0.1:%d,127.0.0.1:%d,127.0.0.1:%d", c.port+1, c.port+2, c.port+3)
	c.start()
	return c
}

// startAgain starts the cluster on the data that are there.
func (c *devCluster) startAgain() *devCluster {
	again := *c
	again.start()
	return &again
}

func (c *devCluster) start() {
	c.t.Helper()
	output, err := os.CreateTemp(c.dir, "dev.*.out")
	if err != nil {
		c.t.Fatal(err)
	}
	defer output.Close()
	c.output, c.exited = output.Name(), make(chan struct{})
	args := append([]string{"dev", "--dir", filepath.Join(c.dir, "cluster"), "--port", fmt.Sprint(c.port)}, c.flags...)
	c.dev = exec.Command(filepath.Join(c.bin, "ballast"), args...)
	c.dev.Stdout, c.dev.Stderr = output, output
	c.dev.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := c.dev.Start(); err != nil {
		c.t.Fatal(err)
	}
	go func() {
		_ = c.dev.Wait() // how it ended is in ProcessState
		close(c.exited)
	}()
	c.t.Cleanup(c.stop)
	c.t.Cleanup(c.showLogs)
	// Members answer before the cluster is formed; a member's end before then is an error, and ends ballast dev.
	c.until("the cluster", func(status) bool { return strings.Contains(c.told(), "Ctrl-C stops all members") })
}

// told is what ballast dev has said.
func (c *devCluster) told() string {
	data, err := os.ReadFile(c.output)
	if err != nil {
		c.t.Fatal(err)
	}
	return string(data)
}

// showLogs shows the end of the members' logs where the test failed.
func (c *devCluster) showLogs() {
	if !c.t.Failed() {
		return
	}
	c.t.Logf("ballast dev:\n%s", c.told())
	for i := range 3 {
		data, err := os.ReadFile(filepath.Join(c.dir, "cluster", fmt.Sprintf("node-%d", i+1), "ballastd.log"))
		if err != nil {
			c.t.Log(err)
		}
		c.t.Logf("node-%d:\n%s", i+1, data[max(0, len(data)-8000):])
	}
}

// stop stops the cluster as Ctrl-C does.
func (c *devCluster) stop() {
	select {
	case <-c.exited:
		return
	default:
	}
	if err := c.dev.Process.Signal(syscall.SIGINT); err != nil && !errors.Is(err, os.ErrProcessDone) {
		c.t.Error(err)
	}
	select {
	case <-c.exited:
	case <-time.After(patience):
		_ = c.dev.Process.Kill()
		<-c.exited
	}
	if code := c.dev.ProcessState.ExitCode(); code != 0 {
		c.t.Errorf("ballast dev ended with %d\n%s", code, c.told())
	}
}

// freePort finds a base whose ports nobody has, below those that the system hands out.
func freePort(t *testing.T) int {
	t.Helper()
	for base := 20000 + os.Getpid()%300*40; base < 32000; base += 40 {
		if allFree(base) {
			return base
		}
	}
	t.Fatal("no free ports")
	return 0
}

func allFree(base int) bool {
	for _, offset := range []int{1, 2, 3, 11, 12, 13, 21, 22, 23} {
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", base+offset))
		if err != nil {
			return false
		}
		_ = listener.Close()
	}
	return true
}

// command is a run of ballast.
type command struct {
	c        *devCluster
	cmd      *exec.Cmd
	out, err bytes.Buffer
}

func (c *devCluster) begin(args ...string) *command {
	c.t.Helper()
	run := &command{c: c, cmd: exec.Command(filepath.Join(c.bin, "ballast"), args...)}
	run.cmd.Env = append(os.Environ(), "BALLAST_ENDPOINTS="+c.endpoints)
	run.cmd.Stdout, run.cmd.Stderr = &run.out, &run.err
	if err := run.cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	return run
}

// exit waits for a command and answers its exit code.
func (r *command) exit() int {
	_ = r.cmd.Wait() // the exit code tells
	return r.cmd.ProcessState.ExitCode()
}

// wait waits for a command that must succeed.
func (r *command) wait() string {
	r.c.t.Helper()
	if err := r.cmd.Wait(); err != nil {
		r.c.t.Fatalf("%q: %v\n%s%s", r.cmd.Args, err, r.out.String(), r.err.String())
	}
	return r.out.String()
}

func (c *devCluster) must(args ...string) string {
	c.t.Helper()
	return c.begin(append(args, "--timeout", "30s")...).wait()
}

// status is what `ballast status -o json` shows.
type status struct {
	Leader        string `json:"leader"`
	JournalLength uint64 `json:"journal_length"`
	DigestsEqual  *bool  `json:"digests_equal"`
	DigestIndex   uint64 `json:"digest_index"`
	Members       []struct {
		Name         string `json:"name"`
		Role         string `json:"role"`
		PID          int    `json:"pid"`
		Digest       string `json:"digest"`
		AppliedIndex uint64 `json:"applied_index"`
	} `json:"members"`
}

// status asks once; before there is a leader the command exits 3 and still shows what it found.
func (c *devCluster) status() status {
	c.t.Helper()
	run := c.begin("status", "-o", "json")
	run.exit()
	var s status
	if err := json.Unmarshal(run.out.Bytes(), &s); err != nil {
		c.t.Fatalf("%v\n%s%s", err, run.out.String(), run.err.String())
	}
	return s
}

// until asks for the status until it is as wanted.
func (c *devCluster) until(what string, wanted func(status) bool) status {
	c.t.Helper()
	for deadline := time.Now().Add(patience); ; {
		s := c.status()
		if wanted(s) {
			return s
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("waited in vain for %s: %+v", what, s)
		}
		select {
		case <-c.exited:
			c.t.Fatalf("ballast dev ended\n%s", c.told())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (c *devCluster) waitForLeader() status {
	c.t.Helper()
	return c.until("a leader", func(s status) bool { return s.Leader != "" && len(s.Members) == 3 })
}

func (c *devCluster) waitForEntries(n uint64) {
	c.t.Helper()
	c.until(fmt.Sprintf("%d entries", n), func(s status) bool { return s.JournalLength >= n })
}

// waitForEqualDigests waits until all three members are compared at a checkpoint of what is there now.
func (c *devCluster) waitForEqualDigests() status {
	c.t.Helper()
	applied := uint64(0)
	for _, m := range c.waitForLeader().Members {
		applied = max(applied, m.AppliedIndex)
	}
	s := c.until("a common checkpoint", func(s status) bool {
		compared := 0
		for _, m := range s.Members {
			if m.Digest != "" {
				compared++
			}
		}
		return compared == 3 && s.DigestIndex >= applied
	})
	if s.DigestsEqual == nil || !*s.DigestsEqual {
		c.t.Errorf("digests differ: %+v", s)
	}
	return s
}
