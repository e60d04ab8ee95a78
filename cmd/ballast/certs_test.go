package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const testCluster = "0190c0de-0000-7000-8000-000000000001"

// offline runs commands that need no cluster.
func offline(t *testing.T) *session { return &session{t: t, endpoint: "127.0.0.1:1"} }

// done runs a command that must succeed; it may say things on stderr.
func (s *session) done(args ...string) string {
	s.t.Helper()
	r := s.run(args...)
	if r.code != exitDone {
		s.t.Fatalf("%q: exit %d\n%s%s", args, r.code, r.out, r.err)
	}
	return r.out
}

func shown(t *testing.T, out string) certificateView {
	t.Helper()
	var all struct{ Certificates []certificateView }
	if err := json.Unmarshal([]byte(out), &all); err != nil || len(all.Certificates) != 1 {
		t.Fatalf("%v in %s", err, out)
	}
	return all.Certificates[0]
}

func TestCertificatesFromAuthorityToRenewal(t *testing.T) {
	s, dir := offline(t), t.TempDir()
	ca, node := filepath.Join(dir, "ca"), filepath.Join(dir, "node-1")
	s.done("certs", "ca", "--ca-dir", ca, "--cluster-id", testCluster)
	issue := []string{"certs", "issue", "--ca-dir", ca, "--out", node, "--member", "node-1", "--host", "10.0.0.1", "--host", "db1", "--days", "20", "-o", "json"}
	first := shown(t, s.done(issue...))
	if first.Identity != "ballast://"+testCluster+"/member/node-1" || strings.Join(first.Hosts, " ") != "db1 10.0.0.1" ||
		first.DaysLeft != 19 || first.State != "ends soon: renew it" {
		t.Errorf("issued %+v", first)
	}
	for path, want := range map[string]os.FileMode{filepath.Join(ca, "ca.key"): 0o600, filepath.Join(node, "node-1.key"): 0o600, node: 0o700} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v, want mode %o", path, info, err, want)
		}
	}

	key, err := os.ReadFile(filepath.Join(node, "node-1.key"))
	if err != nil {
		t.Fatal(err)
	}
	if r := s.run(issue...); r.code != exitFailed || !strings.Contains(r.err, "not overwritten") {
		t.Errorf("issued twice: exit %d, %s", r.code, r.err)
	}
	if r := s.run("certs", "ca", "--ca-dir", ca, "--cluster-id", testCluster); r.code != exitFailed || !strings.Contains(r.err, "not overwritten") {
		t.Errorf("an authority made twice: exit %d, %s", r.code, r.err)
	}

	renewed := shown(t, s.done("certs", "renew", "--ca-dir", ca, filepath.Join(node, "node-1.crt"), "-o", "json"))
	if renewed.Identity != first.Identity || strings.Join(renewed.Hosts, " ") != "db1 10.0.0.1" || renewed.Serial == first.Serial ||
		!renewed.NotAfter.After(first.NotAfter) || renewed.State != "in force" {
		t.Errorf("renewed %+v", renewed)
	}
	if now, err := os.ReadFile(filepath.Join(node, "node-1.key")); err != nil || string(now) != string(key) {
		t.Errorf("the key changed: %v", err)
	}

	s.done("certs", "issue", "--ca-dir", ca, "--out", dir, "--client", "billing", "--role", "writer")
	if out := s.done("certs", "show", filepath.Join(dir, "billing.crt"), filepath.Join(ca, "ca.crt")); !strings.Contains(out, "/writer/billing") || !strings.Contains(out, "/authority") {
		t.Errorf("shown: %s", out)
	}
}

func TestCertificatesThatAreNotMade(t *testing.T) {
	s, dir := offline(t), t.TempDir()
	ca := filepath.Join(dir, "ca")
	s.done("certs", "ca", "--ca-dir", ca, "--cluster-id", testCluster)
	tests := []struct {
		name string
		args []string
		code int
		says string
	}{
		{"no such role", []string{"--client", "x", "--role", "root"}, exitUsage, "reader, writer or operator"},
		{"a client that is a member", []string{"--client", "x", "--role", "member"}, exitUsage, "reader, writer or operator"},
		{"a client without a role", []string{"--client", "x"}, exitUsage, "reader, writer or operator"},
		{"a client with a host", []string{"--client", "x", "--role", "reader", "--host", "h"}, exitUsage, "nobody connects to a client"},
		{"a member without a host", []string{"--member", "x"}, exitUsage, "--host is missing"},
		{"a member with a role", []string{"--member", "x", "--host", "h", "--role", "reader"}, exitUsage, "no role of clients"},
		{"both", []string{"--member", "x", "--client", "x"}, exitUsage, "one of them"},
		{"neither", nil, exitUsage, "one of them"},
		{"a path as a name", []string{"--client", "../x", "--role", "reader"}, exitUsage, "begins with a letter"},
		{"a host with a port", []string{"--member", "x", "--host", "h:7411"}, exitFailed, "without a port"},
		{"no days", []string{"--client", "x", "--role", "reader", "--days", "0"}, exitUsage, "expected 1 to"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := offline(t)
			r := s.run(append([]string{"certs", "issue", "--ca-dir", ca, "--out", filepath.Join(dir, "out")}, tt.args...)...)
			if r.code != tt.code || !strings.Contains(r.err, tt.says) {
				t.Errorf("exit %d, want %d, and %q in: %s", r.code, tt.code, tt.says, r.err)
			}
		})
	}
	if _, err := os.Stat(filepath.Join(dir, "out")); !os.IsNotExist(err) {
		t.Errorf("something was written: %v", err)
	}
	if r := s.run("--ca", "x", "status"); r.code != exitUsage || !strings.Contains(r.err, "give all three") {
		t.Errorf("half of TLS: exit %d, %s", r.code, r.err)
	}
	if r := s.run("--ca", "x", "--cert", "x", "--key", "x", "status"); r.code != exitUsage || !strings.Contains(r.err, "no such file") {
		t.Errorf("missing files: exit %d, %s", r.code, r.err)
	}
}
