package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// The whole bench on three real processes, as short as it can be.
func TestBench(t *testing.T) {
	program := filepath.Join(t.TempDir(), "ballastd")
	if output, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "../ballastd").CombinedOutput(); err != nil {
		t.Fatalf("build ballastd: %v\n%s", err, output)
	}
	var out, errs bytes.Buffer
	args := []string{
		"--dir", t.TempDir(), "--ballastd", program, "--port", strconv.Itoa(freePorts(t)),
		"--rounds", "1", "--warmup", "0s", "--duration", "300ms",
	}
	if code := run(t.Context(), args, stdio{&out, &errs}); code != exitDone {
		t.Fatalf("exit code %d\n%s\n%s", code, &out, &errs)
	}
	for _, name := range []string{"lone", "callers64", "bulk"} {
		if strings.Count(out.String(), " "+name+" ") != 2 {
			t.Errorf("want %s of both targets in\n%s", name, &out)
		}
	}
}

// freePorts is a base of ports that nobody listens on.
func freePorts(t *testing.T) int {
	t.Helper()
	for range 100 {
		base := 20_000 + rand.IntN(10_000)
		free := true
		for offset := range 24 {
			listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", base+offset))
			if err != nil {
				free = false
				break
			}
			_ = listener.Close()
		}
		if free {
			return base
		}
	}
	t.Fatal("no free ports were found")
	return 0
}
