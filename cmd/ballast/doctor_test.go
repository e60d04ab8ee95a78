package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// Examine tells what the test has put there.
func (f *fakeCluster) Examine(context.Context, *ballastv1.ExamineRequest) (*ballastv1.ExamineResponse, error) {
	if f.examined == nil {
		return nil, status.Error(codes.Unimplemented, "unknown call")
	}
	return f.examined, nil
}

// CollectDebug sends what the test has put there.
func (f *fakeCluster) CollectDebug(_ *ballastv1.CollectDebugRequest, stream grpc.ServerStreamingServer[ballastv1.CollectDebugResponse]) error {
	for _, r := range f.debug {
		if err := stream.Send(r); err != nil {
			return err
		}
	}
	return nil
}

// leads is a fake that leads a cluster of itself.
func (f *fakeCluster) leads(address string) {
	f.status = &ballastv1.StatusResponse{
		Id: "node-1/x", Name: "node-1", ClusterId: "c", RaftState: ballastv1.RaftState_RAFT_STATE_LEADER, Term: 2, Phase: ballastv1.Phase_PHASE_SERVING,
		ClientAddress: address, Clock: &ballastv1.ClockStatus{Own: time.Now().UnixNano()}, RecoveryEpoch: 7,
		Members: []*ballastv1.Member{{Id: "node-1/x", Name: "node-1", Role: ballastv1.Role_ROLE_VOTER, ClientAddress: address}},
	}
	f.examined = &ballastv1.ExamineResponse{
		Name: "node-1", Disk: &ballastv1.DiskTrial{Writes: 16, Median: durationpb.New(time.Millisecond), Slowest: durationpb.New(2 * time.Millisecond)},
		Configuration: []*ballastv1.ConfigurationValue{{Key: "log_level", Value: "info", Origin: "default"}},
		Reaches:       []*ballastv1.Reach{{Name: "node-2", Way: ballastv1.Way_WAY_MEMBER, Address: "b:1", Error: "connection refused"}},
	}
}

func TestDoctor(t *testing.T) {
	f, s := start(t)
	f.leads(s.endpoint)
	r := s.run("cluster", "doctor")
	if r.code != exitFailed {
		t.Errorf("exit %d, %s", r.code, r.err)
	}
	for _, want := range []string{
		"WARNING (alone): one voter", "do:     add two more", "do not: take this for", "CRITICAL (node-1, unreachable): it does not reach node-2: member address b:1 (connection refused)",
		"see:    docs/runbooks/", "1 of 1 members answered, 1 looked at themselves", "the worst critical",
	} {
		if !strings.Contains(r.out, want) {
			t.Errorf("%q is missing:\n%s", want, r.out)
		}
	}
	if strings.Index(r.out, "CRITICAL") > strings.Index(r.out, "WARNING") {
		t.Errorf("the worst is not first:\n%s", r.out)
	}
	r = s.run("cluster", "doctor", "-o", "json")
	for _, want := range []string{`"worst": "critical"`, `"leader": "node-1"`, `"check": "alone"`, `"disk_median_seconds": 0.001`, `"way": "member"`, `"took_seconds": null`, `"do_not": "do not `} {
		if r.code != exitFailed || !strings.Contains(r.out, want) {
			t.Errorf("exit %d, %s is missing:\n%s", r.code, want, r.out)
		}
	}
	if r = s.run("cluster", "doctor", "-o", "csv"); !strings.HasPrefix(r.out, "severity,check,member,what,do,do_not,page\ncritical,unreachable,node-1,") {
		t.Errorf("as CSV:\n%s", r.out)
	}
	// A member of an older version tells its status and nothing else.
	f.examined = nil
	if r = s.run("cluster", "doctor"); r.code != exitFailed || !strings.Contains(r.out, "NOTE (node-1, not-examined)") || !strings.Contains(r.out, "older than this command") {
		t.Errorf("exit %d:\n%s", r.code, r.out)
	}
	f.status = nil
	if r = s.run("cluster", "doctor", "--timeout", "2s"); r.code != exitUnavailable || !strings.Contains(r.out, "nobody-answers") || strings.Contains(r.err, "error") {
		t.Errorf("exit %d:\n%s%s", r.code, r.out, r.err)
	}
}

// unpack reads a bundle: content by name, without the directory on top.
func unpack(t *testing.T, data []byte) map[string]string {
	t.Helper()
	zip, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for archive := tar.NewReader(zip); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		top, name, _ := strings.Cut(header.Name, "/")
		if !strings.HasPrefix(top, "ballast-debug-") || header.Mode != 0o600 {
			t.Errorf("%s with mode %o", header.Name, header.Mode)
		}
		files[name] = string(content)
	}
}

func TestDebugBundle(t *testing.T) {
	f, s := start(t)
	f.leads(s.endpoint)
	f.audit = []*ballastv1.AuditEntry{{Call: "Bootstrap", By: "operator alice"}}
	f.debug = []*ballastv1.CollectDebugResponse{
		{Name: "log.jsonl", Data: []byte("one ")},
		{Data: []byte("line\n")},
		{Name: "../../metrics.txt", Data: []byte("-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----")},
		{Name: "goroutines.txt", Data: []byte("half"), Error: "it broke"},
	}
	file := filepath.Join(t.TempDir(), "bundle.tar.gz")
	r := s.run("debug", "bundle", file)
	if r.code != exitDone || !strings.Contains(r.out, file) || !strings.Contains(r.err, "missing: node-1: goroutines.txt: it broke") || !strings.Contains(r.err, "settings' history") {
		t.Fatalf("exit %d, %s%s", r.code, r.out, r.err)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	files := unpack(t, data)
	for name, want := range map[string]string{
		"README.txt": "node-1: goroutines.txt: it broke", "status.json": `"recovery_epoch": 7`, "doctor.txt": "WARNING (alone)", "doctor.json": `"findings"`,
		"settings.json": "idWindow", "members/node-1/status.json": "RAFT_STATE_LEADER", "members/node-1/examination.json": "connection refused",
		"members/node-1/configuration.txt": `log_level = "info"  # default`, "members/node-1/audit.json": "operator alice", "members/node-1/log.jsonl": "one line\n",
		"members/node-1/metrics.txt": "a private key was here", "members/node-1/goroutines.txt": "half",
	} {
		if !strings.Contains(files[name], want) {
			t.Errorf("%s does not say %q: %q", name, want, files[name])
		}
		delete(files, name)
	}
	if len(files) > 0 {
		t.Errorf("besides there are %v", files)
	}
	if r := s.run("debug", "bundle", file); r.code != exitFailed || !strings.Contains(r.err, "exists and is kept") {
		t.Errorf("again: exit %d, %s", r.code, r.err)
	}
	if r := s.run("debug", "bundle", "-"); r.code != exitDone || len(unpack(t, []byte(r.out))) != 12 {
		t.Errorf("to standard output: exit %d, %s", r.code, r.err)
	}
	f.status = nil
	if r := s.run("debug", "bundle", "--timeout", "2s", file+"2"); r.code != exitDone || !strings.Contains(r.err, "missing:") {
		t.Errorf("of nobody: exit %d, %s", r.code, r.err)
	}
}
