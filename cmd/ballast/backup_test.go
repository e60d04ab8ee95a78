package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ballastdb/ballast/backup"
	"github.com/ballastdb/ballast/client"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// Backup gives what the fake has, in pieces, and then fails where it should.
func (f *fakeCluster) Backup(_ *ballastv1.BackupRequest, stream grpc.ServerStreamingServer[ballastv1.BackupResponse]) error {
	if err := stream.Send(&ballastv1.BackupResponse{Index: 9, ExpectedBytes: uint64(len(f.backup))}); err != nil {
		return err
	}
	for piece := range slices.Chunk(f.backup, 100) {
		if err := stream.Send(&ballastv1.BackupResponse{Data: piece}); err != nil {
			return err
		}
	}
	return f.fail
}

// smallBackup is one that is whole, as far as the command line looks.
func smallBackup(t *testing.T) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := backup.NewWriter(&out, backup.About{Member: "node-2", Index: 9, Digest: "d1e5"})
	if err == nil {
		err = w.Frame(backup.Entries, bytes.Repeat([]byte("entries "), 100))
	}
	if err == nil {
		err = w.End()
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestBackupFile: the file appears when all of it came, replaces nothing unasked, and nothing is left of one that broke off.
func TestBackupFile(t *testing.T) {
	f, address := startFake(t)
	f.status = &ballastv1.StatusResponse{Name: "node-2", Snapshot: &ballastv1.SnapshotStatus{Index: 9}}
	dir := t.TempDir()
	file := filepath.Join(dir, "bank.backup")
	whole := smallBackup(t)
	try := func(want int, says string, args ...string) {
		t.Helper()
		var out, errs bytes.Buffer
		args = append([]string{"backup", "--newest", "--endpoints", address}, args...)
		if code := run(t.Context(), args, stdio{out: &out, err: &errs}); code != want || !strings.Contains(out.String()+errs.String(), says) {
			t.Errorf("%q: exit %d, want %d and %q:\n%s%s", args, code, want, says, out.String(), errs.String())
		}
		names, err := filepath.Glob(filepath.Join(dir, "*"))
		if err != nil || len(names) > 1 || len(names) == 1 && names[0] != file {
			t.Errorf("%q: left behind: %q, %v", args, names, err)
		}
	}
	f.backup = whole[:len(whole)-3]
	try(exitFailed, "the backup is damaged", file)
	f.backup, f.fail = whole, status.Error(codes.Unavailable, "the member stops")
	try(exitUnavailable, "the member stops", file)
	if _, err := os.Stat(file); err == nil {
		t.Fatal("a file appeared of what broke off")
	}
	f.fail = nil
	try(exitDone, "d1e5", file)
	if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, whole) {
		t.Fatalf("the file is not what came: %v", err)
	}
	try(exitFailed, "exists and is kept", file)
	try(exitDone, "d1e5", file, "--force")
	f.backup = whole[:20]
	try(exitFailed, "the backup is damaged", file, "--force")
	if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, whole) {
		t.Fatalf("the file is not kept where its replacement broke off: %v", err)
	}
	try(exitFailed, "make a file beside", filepath.Join(dir, "none", "x"))
}

func TestChooseSource(t *testing.T) {
	member := func(name string, change func(*ballastv1.StatusResponse)) client.MemberStatus {
		s := &ballastv1.StatusResponse{
			Name: name, RaftState: ballastv1.RaftState_RAFT_STATE_FOLLOWER, Snapshot: &ballastv1.SnapshotStatus{Index: 10},
			Members: []*ballastv1.Member{{Name: "a", Role: ballastv1.Role_ROLE_VOTER}, {Name: "b", Role: ballastv1.Role_ROLE_VOTER}, {Name: "c", Role: ballastv1.Role_ROLE_NON_VOTER}},
		}
		if change != nil {
			change(s)
		}
		return client.MemberStatus{Endpoint: name, Status: s}
	}
	leads := func(s *ballastv1.StatusResponse) { s.RaftState = ballastv1.RaftState_RAFT_STATE_LEADER }
	older := func(s *ballastv1.StatusResponse) { s.Snapshot.Index = 3 }
	holes := func(s *ballastv1.StatusResponse) { s.Journal = &ballastv1.JournalStatus{Holes: 1} }
	alone := func(s *ballastv1.StatusResponse) { leads(s); s.Members = s.Members[:1] }
	for _, c := range []struct {
		what    string
		answers []client.MemberStatus
		from    string
		want    string // the endpoint, or what the error says
	}{
		{"a follower", []client.MemberStatus{member("a", leads), member("b", nil)}, "", "b"},
		{"one that does not vote before one that does", []client.MemberStatus{member("a", leads), member("b", nil), member("c", nil)}, "", "c"},
		{"no leader of others", []client.MemberStatus{member("a", leads)}, "", "expected a follower"},
		{"a leader that is alone", []client.MemberStatus{member("a", alone)}, "", "a"},
		{"the leader by name", []client.MemberStatus{member("a", leads), member("b", nil)}, "a", "a"},
		{"nobody of that name", []client.MemberStatus{member("b", nil)}, "x", `expected member "x"`},
		{"one whose snapshot is new enough", []client.MemberStatus{member("b", older), member("c", nil)}, "", "c"},
		{"waits for the snapshot", []client.MemberStatus{member("b", older)}, "", "no snapshot of index 5"},
		{"waits for the journal", []client.MemberStatus{member("b", holes), {Endpoint: "c"}}, "", "still fetches"},
	} {
		_, got, err := chooseSource(c.answers, c.from, backsUp(5))
		if err != nil {
			got = err.Error()
		}
		if !strings.HasPrefix(got, c.want) && !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", c.what, got, c.want)
		}
	}
}
