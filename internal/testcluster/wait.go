package testcluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

const (
	// poll is how often a condition is looked at.
	poll = 20 * time.Millisecond
	// askTimeout bounds one look at one member.
	askTimeout = time.Second
)

// Final makes an error of a condition that no longer can hold: Until then does not look again.
func Final(err error) error { return &finalError{err} }

type finalError struct{ error }

func (e *finalError) Unwrap() error { return e.error }

// Until looks at a condition until it holds, can hold no longer (Final), or ctx ends; the error then says why it did
// not hold at the last look.
func Until(ctx context.Context, what string, holds func(context.Context) error) error {
	for {
		err := holds(ctx)
		var final *finalError
		if err == nil || errors.As(err, &final) {
			return err
		}
		select {
		case <-time.After(poll):
		case <-ctx.Done():
			return fmt.Errorf("waited in vain until %s: %w", what, err)
		}
	}
}

// Statuses asks every member that runs; nil where it did not answer in time.
func (c *Cluster) Statuses(ctx context.Context) []*ballastv1.StatusResponse {
	statuses := make([]*ballastv1.StatusResponse, len(c.Members))
	done := make(chan struct{})
	for i, m := range c.Members {
		go func() {
			defer func() { done <- struct{}{} }()
			ctx, cancel := context.WithTimeout(ctx, askTimeout)
			defer cancel()
			if !m.Running() {
				return
			}
			if s, err := m.Status(ctx); err == nil {
				statuses[i] = s
			}
		}()
	}
	for range c.Members {
		<-done
	}
	return statuses
}

// WaitAnswers waits until the member answers.
func (m *Member) WaitAnswers(ctx context.Context) error {
	return Until(ctx, m.Name+" answers", func(ctx context.Context) error {
		if !m.Running() {
			return Final(fmt.Errorf("%s has ended; its log is %s", m.Name, m.LogPath()))
		}
		ctx, cancel := context.WithTimeout(ctx, askTimeout)
		defer cancel()
		_, err := m.Status(ctx)
		return err
	})
}

// WaitLeader waits until a majority of the voters follow one leader of one term, and answers it.
func (c *Cluster) WaitLeader(ctx context.Context) (leader *Member, err error) {
	err = Until(ctx, "there is a leader", func(ctx context.Context) error {
		leader, err = c.leaderOf(c.Statuses(ctx))
		return err
	})
	return leader, err
}

// leaderOf answers the leader that a majority of the voters follow.
func (c *Cluster) leaderOf(statuses []*ballastv1.StatusResponse) (*Member, error) {
	for _, s := range statuses {
		if s == nil || s.RaftState != ballastv1.RaftState_RAFT_STATE_LEADER {
			continue
		}
		voters, following := 0, 0
		for _, member := range s.Members {
			if member.Role != ballastv1.Role_ROLE_VOTER {
				continue
			}
			voters++
			for _, other := range statuses {
				if other != nil && other.Id == member.Id && other.Term == s.Term && other.Leader == s.Name {
					following++
				}
			}
		}
		if following > voters/2 {
			return c.Named(s.Name), nil
		}
	}
	return nil, fmt.Errorf("no member leads a majority: %s", summary(statuses))
}

// WaitHeard waits until every other member that runs has heard how often m's data directory was opened.
func (c *Cluster) WaitHeard(ctx context.Context, m *Member) error {
	own, err := m.Status(ctx)
	if err != nil {
		return err
	}
	boots := func(s *ballastv1.StatusResponse) uint64 {
		for _, listed := range s.GetMembers() {
			if listed.GetId() == own.GetId() {
				return listed.GetBoots()
			}
		}
		return 0
	}
	return Until(ctx, "the others have heard of "+m.Name, func(ctx context.Context) error {
		for i, s := range c.Statuses(ctx) {
			if s != nil && boots(s) < boots(own) {
				return fmt.Errorf("%s has heard of opening %d, not %d", c.Members[i].Name, boots(s), boots(own))
			}
		}
		return nil
	})
}

// WaitEqual waits until every member that runs has applied the same index and the newest checkpoint that all have in
// common is at the leader's newest, with one digest. Unequal digests at an equal index end the wait at once.
func (c *Cluster) WaitEqual(ctx context.Context) error {
	return Until(ctx, "all members have the same state", func(ctx context.Context) error {
		statuses := c.Statuses(ctx)
		leader, err := c.leaderOf(statuses)
		if err != nil {
			return err
		}
		newest := statuses[leader.Number-1]
		for i, m := range c.Members {
			if !m.Running() {
				continue
			}
			s := statuses[i]
			if s == nil {
				return fmt.Errorf("%s does not answer", m.Name)
			}
			if err := compare(newest, s); err != nil {
				return Final(err)
			}
			if s.AppliedIndex != newest.AppliedIndex || !sameNewest(newest, s) {
				return fmt.Errorf("%s lags: %s", m.Name, summary(statuses))
			}
		}
		return nil
	})
}

// compare answers an error where two members have different digests at one index.
func compare(a, b *ballastv1.StatusResponse) error {
	digests := map[uint64][]byte{}
	for _, checkpoint := range a.Checkpoints {
		digests[checkpoint.Index] = checkpoint.Digest
	}
	for _, checkpoint := range b.Checkpoints {
		if digest, ok := digests[checkpoint.Index]; ok && !bytes.Equal(digest, checkpoint.Digest) {
			return fmt.Errorf("%s and %s differ at index %d: %x and %x", a.Name, b.Name, checkpoint.Index, digest, checkpoint.Digest)
		}
	}
	return nil
}

// sameNewest tells whether both have a checkpoint and their newest is at the same index.
func sameNewest(a, b *ballastv1.StatusResponse) bool {
	return len(a.Checkpoints) > 0 && len(b.Checkpoints) > 0 && a.Checkpoints[0].Index == b.Checkpoints[0].Index
}

func summary(statuses []*ballastv1.StatusResponse) string {
	out := ""
	for i, s := range statuses {
		if s == nil {
			out += fmt.Sprintf("[node-%d does not answer] ", i+1)
			continue
		}
		newest := uint64(0)
		if len(s.Checkpoints) > 0 {
			newest = s.Checkpoints[0].Index
		}
		out += fmt.Sprintf("[%s %s term %d leader %q applied %d commit %d checkpoint %d of %d members] ",
			s.Name, s.RaftState, s.Term, s.Leader, s.AppliedIndex, s.CommitIndex, newest, len(s.Members))
	}
	return out
}
