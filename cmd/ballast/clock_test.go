package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// MendClock steps by as much as the test says log time is behind.
func (f *fakeCluster) MendClock(_ context.Context, r *ballastv1.MendClockRequest) (*ballastv1.MendClockResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.behind == 0 || (r.GetForward().AsDuration()-f.behind).Abs() > 2*time.Second {
		return nil, status.Error(codes.FailedPrecondition, "there is nothing to mend")
	}
	step := f.behind
	f.behind = 0
	return &ballastv1.MendClockResponse{Forward: durationpb.New(step)}, nil
}

func TestClockShow(t *testing.T) {
	f, s := start(t)
	f.status = &ballastv1.StatusResponse{Id: "node-1/x", Name: "node-1", LogTime: fakeTime}
	if r := s.run("clock", "show", "--timeout", "1s"); r.code != exitUnavailable || !strings.Contains(r.err, "no leader answers that has read the voters' clocks") {
		t.Errorf("of a follower: exit %d, %s", r.code, r.err)
	}
	f.status.RaftState = ballastv1.RaftState_RAFT_STATE_LEADER
	f.status.Clock = &ballastv1.ClockStatus{
		Own: fakeTime, Cluster: fakeTime, Median: fakeTime + int64(time.Hour), Members: []*ballastv1.MemberClock{
			{Name: "node-1", Offset: durationpb.New(-1500 * time.Millisecond)}, {Name: "node-2"}, {Name: "node-3", Offset: durationpb.New(0)},
		},
	}
	out := s.must("clock", "show")
	for _, want := range []string{"-1.5s", "not told", "-1h0m0s"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing:\n%s", want, out)
		}
	}
	out = s.must("clock", "show", "-o", "json")
	for _, want := range []string{`"behind_seconds": 3600`, `"offset_seconds": null`, `"offset_seconds": -1.5`, `"log_time": "2023-11-14T22:13:20Z"`} {
		if !strings.Contains(out, want) {
			t.Errorf("%s is missing:\n%s", want, out)
		}
	}
}

func TestClockMend(t *testing.T) {
	f, s := start(t)
	f.behind = time.Hour
	for _, wrong := range [][]string{{}, {"--forward", "0s"}, {"--forward", "-1h"}, {"--forward", "60"}} {
		if r := s.run(append([]string{"clock", "mend"}, wrong...)...); r.code != exitUsage || r.err == "" {
			t.Errorf("%q: exit %d, %s", wrong, r.code, r.err)
		}
	}
	if r := s.run("clock", "mend", "--forward", "2h"); r.code != exitFailed || !strings.Contains(r.err, "nothing to mend") || f.behind != time.Hour {
		t.Errorf("by too much: exit %d, %s", r.code, r.err)
	}
	if out := s.must("clock", "mend", "--forward", "1h", "-o", "json"); !strings.Contains(out, `"forward_seconds": 3600`) || f.behind != 0 {
		t.Errorf("mended: %s", out)
	}
}
