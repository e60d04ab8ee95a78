package server

import (
	"context"

	"github.com/hashicorp/raft"
	"google.golang.org/grpc/codes"

	"github.com/ballastdb/ballast/internal/guard"
)

// confirm returns nil once a majority of the voters have said, asked from now on, that their term is still term: then no
// later leader can have been elected before now. raft.VerifyLeader does not do, it counts answers to requests that were
// sent before the call.
func (r *ReadIndex) confirm(ctx context.Context, term uint64) error {
	if !guard.On("VerifyLeader") {
		if err := r.cfg.Raft.VerifyLeader().Error(); err != nil {
			return notLeader(err)
		}
		return nil
	}
	future := r.cfg.Raft.GetConfiguration()
	if err := future.Error(); err != nil {
		return notLeader(err)
	}
	return r.poll(ctx, term, future.Configuration())
}

// poll asks the voters of the latest configuration, which is the one that elects and commits, committed or not.
func (r *ReadIndex) poll(ctx context.Context, term uint64, configuration raft.Configuration) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	voters, yes := 0, 0
	answers := make(chan termAnswer, len(configuration.Servers))
	for _, server := range configuration.Servers {
		if server.Suffrage != raft.Voter {
			continue
		}
		voters++
		if server.ID == r.cfg.LocalID {
			yes++ // its own term is compared before and after
			continue
		}
		r.calls.Go(func() {
			answered, err := r.cfg.Confirmer.ConfirmTerm(ctx, server.ID, server.Address)
			answers <- termAnswer{from: server.ID, term: answered, err: err}
		})
	}
	need, open := voters/2+1, voters-yes
	for yes < need && yes+open >= need {
		select {
		case a := <-answers:
			open--
			switch {
			case a.err != nil:
				r.cfg.Logger.Debug("a member did not confirm the term", "member", a.from, "term", term, "error", a.err)
			case a.term > term:
				return notLeader(nil)
			case a.term == term:
				yes++
			}
		case <-ctx.Done():
			return unconfirmed(ctx.Err())
		}
	}
	if yes < need {
		return unconfirmed(nil)
	}
	return nil
}

// termAnswer is one member's answer.
type termAnswer struct {
	from raft.ServerID
	term uint64
	err  error
}

func unconfirmed(cause error) *Failure {
	f := notDone(codes.Unavailable, "no majority of the voters confirmed the leader: retry, or ask for a stale read")
	f.RetryAfter, f.Cause = retrySoon, cause
	return f
}
