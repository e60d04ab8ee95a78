package main

import (
	"context"
	"strings"
	"testing"

	"google.golang.org/protobuf/types/known/durationpb"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// GetAudit tells what the test has put there, as much as is asked for.
func (f *fakeCluster) GetAudit(_ context.Context, r *ballastv1.GetAuditRequest) (*ballastv1.GetAuditResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return &ballastv1.GetAuditResponse{Entries: f.audit[:min(len(f.audit), int(r.GetLimit()))]}, nil
}

func TestAudit(t *testing.T) {
	f, s := start(t)
	f.status = &ballastv1.StatusResponse{Id: "node-1/x", Name: "node-1"}
	f.audit = []*ballastv1.AuditEntry{
		{Time: fakeTime + 1e9, By: "operator alice", From: "10.0.0.9", Call: "RemoveMember", Request: `{"name":"node-3"}`, Outcome: "FailedPrecondition", Error: "the cluster would stop", Took: durationpb.New(1e6)},
		{Time: fakeTime, By: "development", From: "127.0.0.1", Call: "Bootstrap", Request: "{}", Outcome: "begun"},
	}
	out := s.must("audit")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != 3 || !strings.Contains(lines[1], "RemoveMember") || !strings.Contains(lines[2], "Bootstrap") {
		t.Errorf("the newest is not first:\n%s", out)
	}
	for _, want := range []string{"2023-11-14T22:13:21Z", "node-1", "operator alice", "10.0.0.9", "FailedPrecondition", `{"name":"node-3"}`, "the cluster would stop"} {
		if !strings.Contains(lines[1], want) {
			t.Errorf("%q is missing in %q", want, lines[1])
		}
	}
	if out := s.must("audit", "--limit", "1", "-o", "json"); strings.Count(out, `"call"`) != 1 || !strings.Contains(out, `"outcome": "FailedPrecondition"`) {
		t.Errorf("as JSON: %s", out)
	}
	f.audit = nil
	if out := s.must("audit", "-o", "json"); !strings.Contains(out, `"actions": []`) {
		t.Errorf("nothing is shown as %s", out)
	}
	for _, limit := range []string{"0", "1001", "-1"} {
		if r := s.run("audit", "--limit", limit); r.code != exitUsage {
			t.Errorf("--limit %s: exit %d, %s", limit, r.code, r.err)
		}
	}
	f.status = nil
	if r := s.run("audit", "--timeout", "1s"); r.code != exitUnavailable || !strings.Contains(r.err, "its actions are missing here") {
		t.Errorf("of a member that does not answer: exit %d, %s", r.code, r.err)
	}
}
