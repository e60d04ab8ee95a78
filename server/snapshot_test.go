package server

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// fakeSnapshots answers with what it is told.
type fakeSnapshots struct {
	index uint64
	err   error
	asked []uint64 // not before
	marks uint64
}

func (f *fakeSnapshots) Mark(context.Context) (uint64, error) {
	f.marks++
	return f.marks, f.err
}

func (f *fakeSnapshots) Take(ctx context.Context, notBefore uint64) (uint64, error) {
	f.asked = append(f.asked, notBefore)
	if f.index == 0 && f.err == nil {
		<-ctx.Done()
		return 0, ctx.Err()
	}
	return f.index, f.err
}

func TestTakeSnapshot(t *testing.T) {
	m := newMember(t, nil)
	take := func(ctx context.Context) (uint64, error) {
		r, err := m.operator.TakeSnapshot(ctx, &ballastv1.TakeSnapshotRequest{})
		return r.GetIndex(), err
	}
	m.snapshots.index = 77
	if index, err := take(testContext(t)); err != nil || index != 77 {
		t.Errorf("taken at %d, %v", index, err)
	}
	r, err := m.operator.TakeSnapshot(testContext(t), &ballastv1.TakeSnapshotRequest{AtOnce: true})
	if err != nil || r.GetIndex() != 1 || len(m.snapshots.asked) != 1 {
		t.Errorf("at once: %v, %v, asked for %v", r, err, m.snapshots.asked)
	}
	r, err = m.operator.TakeSnapshot(testContext(t), &ballastv1.TakeSnapshotRequest{NotBefore: 70})
	if err != nil || r.GetIndex() != 77 || m.snapshots.asked[1] != 70 || m.snapshots.marks != 1 {
		t.Errorf("not before 70: %v, %v, asked for %v", r, err, m.snapshots.asked)
	}
	m.snapshots.err = errors.New("the disk is full")
	_, err = take(testContext(t))
	wantOperator(t, err, codes.Unavailable, "could not take a snapshot", "the disk is full")
	m.snapshots.err = notReady()
	_, err = take(testContext(t))
	wantOperator(t, err, codes.Unavailable, "elected a moment ago")
	m.snapshots = fakeSnapshots{}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err = take(ctx); status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("waited past the deadline: %v", err)
	}
	m.raft.with(func(r *fakeRaft) { r.state = raft.Follower })
	_, err = take(testContext(t))
	wantOperator(t, err, codes.FailedPrecondition, "does not lead")
}
