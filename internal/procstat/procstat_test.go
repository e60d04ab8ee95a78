package procstat

import (
	"os"
	"os/exec"
	"testing"
	"time"
)

// What a child of a child has used counts, also once it is gone.
func TestDescendantsCount(t *testing.T) {
	cmd := exec.Command("sh", "-c", `i=0; sh -c 'i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done' & wait; read line`)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = in.Close()
		_ = cmd.Wait() // that read fails is its end
	}()
	root := []int{cmd.Process.Pid}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		u, err := Of(root)
		if err != nil {
			t.Fatal(err)
		}
		if u.CPU >= 3*clockTick && len(family(root)) == 1 {
			break // the child has counted to its end
		}
		if time.Now().After(deadline) {
			t.Fatalf("used %v, processes %v", u.CPU, family(root))
		}
	}
	if Resident(root) <= 0 {
		t.Error("no memory")
	}
}

func TestGoneRootIsAnError(t *testing.T) {
	cmd := exec.Command("true")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	if u, err := Of([]int{cmd.Process.Pid}); err == nil {
		t.Errorf("a process that has ended has used %+v", u)
	}
}

func TestField(t *testing.T) {
	if rss, err := Field(os.Getpid(), "status", "VmRSS"); err != nil || rss < 1<<20 {
		t.Errorf("%d bytes, %v", rss, err)
	}
	if _, err := Field(os.Getpid(), "status", "NoSuchLine"); err == nil {
		t.Error("a line that is not there was found")
	}
}
