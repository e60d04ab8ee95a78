package devcluster

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// The test's own program plays ballastd: what it does is said by its environment.
const roleVariable = "DEVCLUSTER_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(roleVariable) {
	case "":
		goleak.VerifyTestMain(m)
	case "parent":
		playParent()
	default:
		playMember(os.Getenv(roleVariable))
	}
}

// playMember notes its pid in its log and goes on until it is told to stop.
func playMember(role string) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	fmt.Println("pid", os.Getpid())
	switch role {
	case "refuses":
		os.Exit(exitConfig)
	case "stubborn":
		for range signals {
			fmt.Println("not stopping")
		}
	}
	<-signals
	fmt.Println("stopped in order")
	os.Exit(0)
}

// playParent starts a member and dies without a word.
func playParent() {
	if err := os.Setenv(roleVariable, "obeys"); err != nil {
		panic(err)
	}
	if _, err := startProcess(os.Args[0], nil, os.Getenv("DEVCLUSTER_TEST_LOG")); err != nil {
		panic(err)
	}
	fmt.Println("started")
	select {}
}

// watched is a supervisor over one played member.
type watched struct {
	*supervisor
	member Member
	mu     sync.Mutex
	told   []string
}

func watch(t *testing.T, role string, restart bool) *watched {
	t.Helper()
	t.Setenv(roleVariable, role)
	w := &watched{member: Member{Name: "node-1", Dir: t.TempDir()}}
	w.supervisor = newSupervisor(os.Args[0], restart, func(text string) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.told = append(w.told, text)
	})
	return w
}

func (w *watched) start(t *testing.T) {
	t.Helper()
	if err := w.supervisor.start([]Member{w.member}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.stop)
}

func (w *watched) log() string {
	data, _ := os.ReadFile(w.member.LogFile()) // it may not be there yet
	return string(data)
}

// pids are the processes that have run, oldest first.
func (w *watched) pids() []int {
	var pids []int
	for line := range strings.Lines(w.log()) {
		if pid, err := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(line, "pid "))); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

func (w *watched) heard(text string) func() bool {
	return func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return strings.Contains(strings.Join(w.told, "\n"), text)
	}
}

func waitFor(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !condition(); {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestKilledMemberIsStartedAgain(t *testing.T) {
	w := watch(t, "obeys", true)
	w.setFormed()
	w.start(t)
	waitFor(t, "the first process", func() bool { return len(w.pids()) == 1 })
	if err := syscall.Kill(w.pids()[0], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the second process", func() bool { return len(w.pids()) == 2 })
	w.stop()
	if !strings.Contains(w.log(), "stopped in order") || !w.heard("signal: killed; starting it again in 1s")() {
		t.Fatalf("told %q, log %q", w.told, w.log())
	}
}

func TestKilledMemberStaysDown(t *testing.T) {
	w := watch(t, "obeys", false)
	w.setFormed()
	w.start(t)
	waitFor(t, "the process", func() bool { return len(w.pids()) == 1 })
	if err := syscall.Kill(w.pids()[0], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-w.down // all members are down for good
	if !w.heard("stays down (--no-restart)")() {
		t.Fatalf("told %q", w.told)
	}
}

func TestMemberThatRefusesIsNotStartedAgain(t *testing.T) {
	w := watch(t, "refuses", true)
	w.setFormed()
	w.start(t)
	<-w.down
	if !w.heard("is not started again; the end of")() || len(w.pids()) != 1 {
		t.Fatalf("told %q", w.told)
	}
}

func TestMemberThatEndsDuringFormingIsAnError(t *testing.T) {
	w := watch(t, "refuses", true)
	w.start(t)
	<-w.earlyHit
	if err := w.earlyError(); err == nil || !strings.Contains(err.Error(), "pid ") {
		t.Fatalf("%v does not show the log", err)
	}
}

func TestStubbornProcessIsKilled(t *testing.T) {
	w := watch(t, "stubborn", true)
	p, err := startProcess(os.Args[0], nil, w.member.LogFile())
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the process", func() bool { return len(w.pids()) == 1 })
	if !p.Stop(10 * time.Millisecond) {
		t.Fatal("it stopped by itself")
	}
	if p.ExitCode() != -1 {
		t.Fatalf("exit code %d", p.ExitCode())
	}
}

func TestProcessDiesWithItsParent(t *testing.T) {
	w := watch(t, "parent", true)
	t.Setenv("DEVCLUSTER_TEST_LOG", w.member.LogFile())
	parent, err := startProcess(os.Args[0], nil, filepath.Join(t.TempDir(), "parent.log"))
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the child", func() bool { return len(w.pids()) == 1 })
	parent.Kill()
	<-parent.Exited()
	waitFor(t, "the child's end", func() bool { return gone(w.pids()[0]) })
}

// gone tells whether a process is dead, or only waits to be reaped by whoever took it over.
func gone(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || bytes.Contains(stat, []byte(") Z "))
}

func TestLayout(t *testing.T) {
	members, err := layOut("/d", Shape{Port: 7400, Nodes: 3, NonVoters: 1})
	if err != nil || len(members) != 4 {
		t.Fatal(members, err)
	}
	want := Member{
		Name: "node-2", Voter: true, Dir: "/d/node-2",
		ClientAddress: "127.0.0.1:7402", MemberAddress: "127.0.0.1:7412", OperatorAddress: "127.0.0.1:7422",
	}
	if members[1] != want || members[3].Voter {
		t.Errorf("%+v", members)
	}
	for _, shape := range []Shape{{7400, 0, 0}, {7400, 8, 2}, {7400, 3, -1}, {0, 3, 0}, {65520, 3, 0}} {
		if _, err := layOut("/d", shape); err == nil {
			t.Errorf("%+v was accepted", shape)
		}
	}
}

func TestRefusals(t *testing.T) {
	start := func(config Config) error {
		config.Program = "/nonexistent/ballastd"
		cluster, err := Start(t.Context(), config)
		if err == nil {
			cluster.Stop()
		}
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	taken := listener.Addr().(*net.TCPAddr).Port
	dir := t.TempDir()
	made, err := loadRecord(dir, Shape{Port: taken - operatorPorts - 2, Nodes: 2})
	if err != nil {
		t.Fatal(err)
	}
	made.Initialised = []string{"node-1"}
	if err := made.save(); err != nil {
		t.Fatal(err)
	}
	for i, c := range []struct {
		config Config
		want   string
	}{
		{Config{Dir: dir}, fmt.Sprintf("node-2 cannot listen on 127.0.0.1:%d for operators", taken)},
		{Config{Dir: dir, Shape: Shape{Port: 7777, NonVoters: -1}}, "was made with --port"},
		{Config{Dir: dir, Shape: Shape{Nodes: 4, NonVoters: -1}}, "was made with --nodes 2, not 4"},
	} {
		if err := start(c.config); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%d: got %v, want %q", i, err, c.want)
		}
	}

	lock, err := lockDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := start(Config{Dir: dir}); err == nil || !strings.Contains(err.Error(), "a cluster runs in") {
		t.Errorf("locked: %v", err)
	}
}

// A member that was made once and has lost its data is never made again.
func TestLostDataIsRefused(t *testing.T) {
	dir := t.TempDir()
	r, err := loadRecord(dir, Shape{Port: DefaultPort, Nodes: 1})
	if err != nil {
		t.Fatal(err)
	}
	r.Initialised = []string{"node-1"}
	c := &Cluster{record: r}
	m := &Member{Name: "node-1", Dir: filepath.Join(dir, "node-1")}
	if err := c.prepare(context.Background(), m, Config{Program: "/nonexistent/ballastd"}); err == nil || !strings.Contains(err.Error(), "has lost its data directory") {
		t.Fatalf("got %v", err)
	}
}

func TestConfigFile(t *testing.T) {
	m := &Member{
		Name: "node-1", Dir: t.TempDir(), ClientAddress: "127.0.0.1:7401", MemberAddress: "127.0.0.1:7411", OperatorAddress: "127.0.0.1:7421",
	}
	if err := m.writeConfig(""); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(m.ConfigFile())
	want := fmt.Sprintf("# Written by ballast dev at every start.\ndata_dir = %q\nclient_address = \"127.0.0.1:7401\"\n"+
		"member_address = \"127.0.0.1:7411\"\noperator_address = \"127.0.0.1:7421\"\nlog_format = \"text\"\n", m.DataDir())
	if err != nil || string(got) != want {
		t.Fatalf("%s, %v; want %s", got, err, want)
	}
}

func TestRecordSurvives(t *testing.T) {
	dir := t.TempDir()
	made, err := loadRecord(dir, Shape{Port: 7500, Nodes: 5, NonVoters: 1})
	if err != nil {
		t.Fatal(err)
	}
	made.Initialised, made.Bootstrapped = append(made.Initialised, "node-1"), true
	if err := made.save(); err != nil {
		t.Fatal(err)
	}
	found, err := loadRecord(dir, Shape{Port: 1, Nodes: 1})
	if err != nil || found.ClusterID != made.ClusterID || found.Shape != made.Shape || !found.Bootstrapped || !found.initialised("node-1") {
		t.Fatalf("%+v, %v", found, err)
	}
}

func FuzzDecodeRecord(f *testing.F) {
	f.Add([]byte(`{"version":1,"cluster_id":"0190a0b0-c0d0-7000-8000-000000000001","shape":{"port":7400,"nodes":3,"non_voters":0},"initialised":[],"bootstrapped":true}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := decodeRecord(data)
		if err == nil && r.Version != recordVersion {
			t.Fatalf("%+v", r)
		}
	})
}
