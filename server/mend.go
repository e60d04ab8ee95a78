package server

import (
	"cmp"
	"context"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// Mend has the time of term, where it is behind the median of the voters' clocks, step to it at once. forward is how far the
// operator expects that to be. It returns how far it was. Log time is never turned back: what it has decided is decided, so
// time that is ahead is only waited for. Errors are *Failure.
func (c *ClusterClock) Mend(ctx context.Context, term uint64, forward time.Duration) (time.Duration, error) {
	view, _, err := c.median(ctx)
	if err != nil {
		return 0, retryable("the voters' clocks cannot be read: %v", err)
	}
	if failure := c.agree(view); failure != nil {
		return 0, failure
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.term != term {
		return 0, notReady()
	}
	step := view.median - c.offset
	slack := max(c.cfg.Tolerance, forward.Abs()/100)
	switch {
	case step < -c.cfg.Tolerance:
		return 0, precondition("log time is %s ahead of the median of the voters' clocks: it is never turned back; it runs at half speed until they meet, and there is nothing to mend", (-step).Round(time.Second))
	case step <= c.cfg.Tolerance:
		return 0, precondition("log time is within %s of the median of the voters' clocks: there is nothing to mend", c.cfg.Tolerance)
	case (step - forward).Abs() > slack:
		return 0, precondition("log time is %s behind, the request says %s: look again (ballast clock show), and give what it is", step.Round(time.Millisecond), forward)
	}
	c.cfg.Logger.Warn("log time steps forward, because an operator mends it", "step", step)
	c.view, c.offset, c.adjusted = view, view.median, c.cfg.Elapsed()
	return step, nil
}

// agree is nil where a majority of the voters has clocks within the tolerance of the median.
func (c *ClusterClock) agree(view clocks) *Failure {
	near := 0
	for _, offset := range view.offsets {
		if offset != nil && (*offset-view.median).Abs() <= c.cfg.Tolerance {
			near++
		}
	}
	if near <= len(view.offsets)/2 {
		return precondition("of %d voters only %d have clocks within %s of their median: mend those of the machines first", len(view.offsets), near, c.cfg.Tolerance)
	}
	return nil
}

// Status is what the clocks show: the own one, and on a leader of term the cluster's and the other voters'.
func (c *ClusterClock) Status(term uint64, leads bool) *ballastv1.ClockStatus {
	s := &ballastv1.ClockStatus{Own: c.cfg.Own().UnixNano()}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !leads || c.term != term || !c.view.known {
		return s
	}
	now := c.cfg.Elapsed()
	s.Cluster, s.Median = int64(c.offset+now), int64(c.view.median+now)
	for id, offset := range c.view.offsets {
		m := &ballastv1.MemberClock{Name: memberName(id)}
		if offset != nil {
			m.Offset = durationpb.New(*offset - c.view.median)
		}
		s.Members = append(s.Members, m)
	}
	slices.SortFunc(s.Members, func(a, b *ballastv1.MemberClock) int { return cmp.Compare(a.GetName(), b.GetName()) })
	return s
}

// MendClock is ballastv1.OperatorServiceServer's.
func (o *Operator) MendClock(ctx context.Context, r *ballastv1.MendClockRequest) (*ballastv1.MendClockResponse, error) {
	if r.GetForward().CheckValid() != nil || r.GetForward().AsDuration() <= 0 {
		return nil, invalid("forward: want a duration above 0, found %v", r.GetForward())
	}
	term, ok := leads(o.cfg.Raft)
	if !ok || o.cfg.Clock == nil {
		return nil, withLeader(notLeader(nil), o.leader)
	}
	ctx, cancel := context.WithTimeout(ctx, o.cfg.Timeout)
	defer cancel()
	step, err := o.cfg.Clock.Mend(ctx, term, r.GetForward().AsDuration())
	if err != nil { // without the leader's name: it is here, and asking again changes nothing
		return nil, err
	}
	return &ballastv1.MendClockResponse{Forward: durationpb.New(step)}, nil
}
