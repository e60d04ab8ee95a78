package client_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ballastdb/ballast/client"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// TestTakeSnapshotWaitsUntilTheDeadline: a large state takes longer than one try of another call may.
func TestTakeSnapshotWaitsUntilTheDeadline(t *testing.T) {
	c, _, members := startTest(t, 1, 1)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	members[0].take = func(ctx context.Context, r *ballastv1.TakeSnapshotRequest) (uint64, error) {
		deadline, _ := ctx.Deadline()
		if left := time.Until(deadline); left < 50*time.Second {
			t.Errorf("a try has %v of a minute", left)
		}
		if r.GetAtOnce() {
			return 41, nil
		}
		return r.GetNotBefore() + 1, nil
	}
	if index, err := c.Operator().TakeSnapshot(ctx); err != nil || index != 42 {
		t.Errorf("%d, %v", index, err)
	}
}

// TestTakeSnapshotGoesOnWithAnotherLeader: the mark that is committed is asked for again, and no other is committed.
func TestTakeSnapshotGoesOnWithAnotherLeader(t *testing.T) {
	c, _, members := startTest(t, 2, 2)
	var marks, waits atomic.Int64
	take := func(_ context.Context, r *ballastv1.TakeSnapshotRequest) (uint64, error) {
		switch {
		case r.GetAtOnce():
			marks.Add(1)
			return 41, nil
		case waits.Add(1) == 1:
			return 0, status.Error(codes.Unavailable, "the connection is gone")
		}
		return r.GetNotBefore(), nil
	}
	members[0].take, members[1].take = take, take
	index, err := c.Operator().TakeSnapshot(t.Context())
	if err != nil || index != 41 || marks.Load() != 1 || waits.Load() != 2 {
		t.Errorf("%d, %v, after %d marks and %d waits", index, err, marks.Load(), waits.Load())
	}
}

// TestTakeSnapshotEndsWithTheLeadersWords: where it could not take one, it is not asked again and again.
func TestTakeSnapshotEndsWithTheLeadersWords(t *testing.T) {
	c, _, members := startTest(t, 1, 1)
	waits := 0
	members[0].take = func(_ context.Context, r *ballastv1.TakeSnapshotRequest) (uint64, error) {
		if r.GetAtOnce() {
			return 41, nil
		}
		waits++
		st, err := status.New(codes.Unavailable, "the disk is full").WithDetails(&ballastv1.Failure{Outcome: ballastv1.Outcome_OUTCOME_UNKNOWN})
		if err != nil {
			t.Error(err)
		}
		return 0, st.Err()
	}
	_, err := c.Operator().TakeSnapshot(t.Context())
	var failed *client.StatusError
	if !errors.As(err, &failed) || waits != 1 {
		t.Errorf("%v after %d waits", err, waits)
	}
}

// TestWhatCannotBeDoneEndsAtOnce: a refusal with a hint is followed only where it says that the asked member does not lead; from the leader,
// whatever it hints at, it ends the call, which would otherwise repeat it until its deadline.
func TestWhatCannotBeDoneEndsAtOnce(t *testing.T) {
	c, _, members := startTest(t, 2, 2)
	asked := 0
	refuse := func(reason ballastv1.Reason) error {
		st, err := status.New(codes.FailedPrecondition, "as scripted").WithDetails(&ballastv1.Failure{
			Outcome: ballastv1.Outcome_OUTCOME_NOT_DONE, Leader: &ballastv1.LeaderHint{ClientAddress: members[1].address}, Reason: reason,
		})
		if err != nil {
			t.Error(err)
		}
		return st.Err()
	}
	members[0].take = func(context.Context, *ballastv1.TakeSnapshotRequest) (uint64, error) {
		asked++
		return 0, refuse(ballastv1.Reason_REASON_NOT_LEADER)
	}
	members[1].take = func(context.Context, *ballastv1.TakeSnapshotRequest) (uint64, error) {
		asked++
		return 0, refuse(ballastv1.Reason_REASON_UNSPECIFIED)
	}
	_, err := c.Operator().MarkSnapshot(t.Context())
	var failed *client.StatusError
	if !errors.As(err, &failed) || failed.Code != codes.FailedPrecondition || failed.Endpoint != members[1].address || asked != 2 {
		t.Errorf("%v after %d tries", err, asked)
	}
}
