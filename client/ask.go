package client

import (
	"context"
	"errors"
	"time"

	"google.golang.org/grpc/codes"
)

// asker is one call at one member. It must respect ctx.
type asker func(ctx context.Context, l *link) error

// read asks until there is an answer or no time for another try. Reads change nothing, so whatever a try ended with,
// another may follow: of a stale read at any member at once, of a linearizable one where the leader is thought to be.
func (c *Client) read(ctx context.Context, stale bool, ask asker) error {
	target := c.directory.leader
	if stale {
		target = c.directory.any
	}
	return c.ask(ctx, target, ask, tryTimeout, func(f *failure) bool { return !f.final() })
}

// change asks the leader for a change of the cluster itself. These have no ids, so only a try that surely did nothing is
// followed by another.
func (c *Client) change(ctx context.Context, ask asker) error {
	return c.ask(ctx, c.directory.leader, ask, tryTimeout, func(f *failure) bool {
		if f.code == codes.FailedPrecondition {
			return f.notLeader() // else it is the change that cannot be done
		}
		return !f.final() && !f.maybe
	})
}

// repeat is change for what is harmless to be done twice: it is tried again also where it may have been done.
func (c *Client) repeat(ctx context.Context, ask asker) error {
	return c.ask(ctx, c.directory.leader, ask, tryTimeout, func(f *failure) bool {
		if f.code == codes.FailedPrecondition {
			return f.notLeader()
		}
		return !f.final()
	})
}

// await asks the leader for what takes long and may be asked for again: one try may take all the time that there is, since the
// connection tells of a member that is gone. What a member says of itself, other than that it did not even try, ends it.
func (c *Client) await(ctx context.Context, ask asker) error {
	whole := func(left time.Duration) time.Duration { return left }
	return c.ask(ctx, c.directory.leader, ask, whole, func(f *failure) bool {
		if f.code == codes.FailedPrecondition {
			return f.notLeader()
		}
		return !f.final() && !(f.said && f.maybe)
	})
}

// ask tries members one after the other while again allows it, each for the part of the time that is left that try says. Errors
// have a *StatusError in them.
func (c *Client) ask(ctx context.Context, target func() string, ask asker, try func(time.Duration) time.Duration, again func(*failure) bool) error {
	deadline := c.deadline(ctx)
	var way course
	var report *failure
	for {
		endpoint := target()
		f := c.askOne(ctx, endpoint, ask, try(time.Until(deadline)))
		if f == nil {
			return nil
		}
		if report = moreTelling(report, f); !again(f) {
			if !f.said { // it told nothing: the next call had better ask another member
				c.directory.leave(endpoint)
			}
			return f.asError()
		}
		if c.over(ctx, deadline) || !sleep(ctx, c.closing, c.react(f, &way), deadline) {
			return c.explain(ctx, report.asError())
		}
	}
}

// askOne makes one try at one member.
func (c *Client) askOne(ctx context.Context, endpoint string, ask asker, within time.Duration) *failure {
	l, err := c.links.get(endpoint)
	if err != nil {
		return failureHere(endpoint, err)
	}
	tryCtx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	if err := ask(tryCtx, l); err != nil {
		return failureOf(endpoint, err)
	}
	return nil
}

// hasCode reports whether err is a member's answer with this code.
func hasCode(err error, code codes.Code) bool {
	var status *StatusError
	return errors.As(err, &status) && status.Code == code
}
