package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const clusterID = "0190c0de-0000-7000-8000-000000000001"

// ballastd runs the program until ctx ends and answers its exit code and what it said.
func ballastd(ctx context.Context, args ...string) (code int, out string) {
	var buffer bytes.Buffer
	code = run(ctx, args, stdio{out: &buffer, err: &buffer, lookupEnv: func(string) (string, bool) { return "", false }})
	return code, buffer.String()
}

func initialised(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	if code, out := ballastd(t.Context(), "init", "--data-dir", dir, "--cluster-id", clusterID, "--name", "node-1"); code != exitDone {
		t.Fatalf("init ended with %d: %s", code, out)
	}
	return dir
}

func TestExitCodes(t *testing.T) {
	empty := t.TempDir()
	if err := os.Chmod(empty, 0o700); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(empty, "missing")
	joins := filepath.Join(t.TempDir(), "joins.toml") // who is a member is never configured
	if err := os.WriteFile(joins, []byte("data_dir = \""+empty+"\"\njoin = [\"127.0.0.1:7411\"]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		args []string
		code int
		says string
	}{
		{"no such verb", []string{"start"}, exitUsage, "unknown command"},
		{"no such flag", []string{"run", "--replica-of", "x"}, exitUsage, "unknown flag"},
		{"an argument too many", []string{"run", "now"}, exitUsage, "unknown command"},
		{"init without a name", []string{"init", "--data-dir", missing, "--cluster-id", clusterID}, exitUsage, "name"},
		{"init without a UUID", []string{"init", "--data-dir", missing, "--cluster-id", "x", "--name", "n"}, exitUsage, "uuidgen"},
		{"init with a bad name", []string{"init", "--data-dir", missing, "--cluster-id", clusterID, "--name", "A"}, exitUsage, "a-z"},
		{"init without a directory", []string{"init", "--cluster-id", clusterID, "--name", "n"}, exitConfig, "--data-dir"},
		{"no data directory named", []string{"run"}, exitConfig, "--data-dir"},
		{"data directory missing", []string{"run", "--data-dir", missing}, exitConfig, "ballastd init"},
		{"data directory empty", []string{"run", "--data-dir", empty}, exitConfig, "ballastd init"},
		{"open to the world", []string{"run", "--data-dir", empty, "--client-address", "0.0.0.0:7401"}, exitConfig, "only loopback"},
		{"configuration missing", []string{"run", "--config", missing}, exitConfig, "no such file"},
		{"a list to join by, of itself or others", []string{"run", "--config", joins}, exitConfig, `join`},
		{"recover without a directory", []string{"recover"}, exitConfig, "--data-dir"},
		{"recover what is not there", []string{"recover", "--data-dir", missing}, exitConfig, "nothing there"},
		{"version", []string{"version"}, exitDone, "ballastd 0."},
		{"help", []string{"run", "--help"}, exitDone, "default 500ms"},
		{"help of all", []string{"--help"}, exitDone, "78 the configuration or the data directory is refused"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			code, out := ballastd(t.Context(), tt.args...)
			if code != tt.code || !strings.Contains(out, tt.says) {
				t.Errorf("exit code %d, want %d, and %q in: %s", code, tt.code, tt.says, out)
			}
		})
	}
	if entries, err := os.ReadDir(empty); err != nil || len(entries) > 0 {
		t.Fatalf("a directory was filled by starting: %v, %v", entries, err)
	}
}

func TestInitTwiceIsRefused(t *testing.T) {
	dir := initialised(t)
	code, out := ballastd(t.Context(), "init", "--data-dir", dir, "--cluster-id", clusterID, "--name", "node-1")
	if code != exitConfig || !strings.Contains(out, "already initialised") {
		t.Fatalf("exit code %d: %s", code, out)
	}
}

func TestInitMakesTheDirectoryThatTheConfigurationNames(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	file := filepath.Join(filepath.Dir(dir), "ballast.toml")
	if err := os.WriteFile(file, []byte("data_dir = \""+dir+"\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out := ballastd(t.Context(), "init", "--config", file, "--cluster-id", clusterID, "--name", "node-1")
	if code != exitDone || !strings.Contains(out, "initialised "+dir) {
		t.Fatalf("exit code %d: %s", code, out)
	}
}

// A member that belongs to no cluster starts, waits, and stops in order; its address in use is an error that names it.
func TestRunUntilStopped(t *testing.T) {
	dir := initialised(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	args := []string{
		"run", "--data-dir", dir, "--client-address", "127.113.0.1:7401", "--member-address", "127.113.0.1:7411",
		"--operator-address", "127.113.0.1:7421", "--log-format", "text",
	}
	type result struct {
		code int
		out  string
	}
	ended := make(chan result, 1)
	up := newWatcher("the member is up")
	go func() {
		code := run(ctx, args, stdio{out: up, err: up, lookupEnv: func(string) (string, bool) { return "", false }})
		ended <- result{code, up.String()}
	}()
	select {
	case <-up.seen:
	case r := <-ended:
		t.Fatalf("ended with %d: %s", r.code, r.out)
	}

	code, out := ballastd(t.Context(), args...)
	if code != exitConfig || !strings.Contains(out, "in use") {
		t.Errorf("a second process in the same directory ended with %d: %s", code, out)
	}
	other := initialised(t)
	code, out = ballastd(t.Context(), append(args, "--data-dir", other)...)
	if code != exitFailed || !strings.Contains(out, "client_address = 127.113.0.1:7401") {
		t.Errorf("a second process at the same address ended with %d: %s", code, out)
	}
	stop()
	if r := <-ended; r.code != exitDone || !strings.Contains(r.out, "stopped in order") {
		t.Fatalf("stopped with %d: %s", r.code, r.out)
	}

	drifted := []string{"--data-dir", dir, "--client-address", "127.113.0.1:7401", "--member-address", "127.113.0.1:7411", "--shutdown-timeout", "7s"}
	code, out = ballastd(t.Context(), append([]string{"config", "check"}, drifted...)...)
	for _, want := range []string{`shutdown_timeout was "10s", is "7s" (flag --shutdown-timeout)`, `log_format was "text", is "json" (default)`} {
		if code != exitDone || !strings.Contains(out, want) {
			t.Errorf("exit code %d, %q is not in: %s", code, want, out)
		}
	}
	if strings.Contains(out, "client_address was") {
		t.Errorf("what did not change is shown as changed: %s", out)
	}
	ctx, stop = context.WithCancel(t.Context())
	up = newWatcher("the member is up")
	go func() {
		code := run(ctx, append(args, "--shutdown-timeout", "7s"), stdio{out: up, err: up, lookupEnv: func(string) (string, bool) { return "", false }})
		ended <- result{code, up.String()}
	}()
	<-up.seen
	stop()
	if r := <-ended; r.code != exitDone || !strings.Contains(r.out, "configured otherwise than at the last good run: key=shutdown_timeout was=10s is=7s") {
		t.Fatalf("ended with %d, and no word of the changed value: %s", r.code, r.out)
	}
}
