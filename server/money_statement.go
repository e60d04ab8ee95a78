package server

import (
	"context"
	"errors"

	"google.golang.org/grpc/codes"

	"github.com/ballastdb/ballast/fsm"
	"github.com/ballastdb/ballast/fsm/journal"
	"github.com/ballastdb/ballast/fsm/ledger"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// GetStatement is ballastv1.MoneyServiceServer's.
func (m *Money) GetStatement(
	ctx context.Context, r *ballastv1.GetStatementRequest,
) (*ballastv1.GetStatementResponse, error) {
	limit, failure := pageSize(r.GetPageSize())
	if failure != nil {
		return nil, failure
	}
	if n := len(r.GetAccount()); n < 1 || n > ledger.MaxAccountLen {
		return nil, invalid("account: want 1 to %d bytes, found %d", ledger.MaxAccountLen, n)
	}
	ctx, cancel := m.bounded(ctx, 0)
	defer cancel()
	seen, err := m.fresh(ctx, r.GetConsistency())
	if err != nil {
		return nil, err
	}
	// The statement reads the journal, which must not happen under the state's lock.
	st, err := m.cfg.Store.Statement(ctx, []byte(r.GetAccount()), r.GetBeforeSequence(), limit)
	if err != nil {
		return nil, statementFailure(ctx, r.GetAccount(), err)
	}
	if failure := m.cfg.Gate.sound(); failure != nil {
		return nil, m.hinted(failure)
	}
	seen.Index, seen.LogTime = st.Index, st.LogTime
	response := &ballastv1.GetStatementResponse{
		Scale: uint32(st.Account.Scale), State: seen, NextBeforeSequence: st.Next,
	}
	for i := range st.Entries {
		response.Entries = append(response.Entries, entryProto(&st.Entries[i]))
	}
	return response, nil
}

func statementFailure(ctx context.Context, account string, err error) *Failure {
	if errors.Is(err, fsm.ErrUnknownAccount) {
		return notFound("account: there is no account %q", clip(account))
	}
	return journalFailure(ctx, err)
}

// journalFailure says why the journal could not be read.
func journalFailure(ctx context.Context, err error) *Failure {
	switch {
	case ctx.Err() != nil:
		return contextFailure(ctx.Err(), ballastv1.Outcome_OUTCOME_NOT_DONE)
	case errors.Is(err, fsm.ErrChanged):
		return retryable("the journal was replaced by a snapshot meanwhile: try again")
	}
	var missing *journal.MissingError
	if errors.As(err, &missing) {
		return retryable("this member does not have the journal that far back yet: entries %d to %d of the journal are on their way to it; "+
			"try again, or ask another member (a stale read is answered by any)", missing.Hole.After.Sequence+1, missing.Hole.Until.Sequence)
	}
	f := notDone(codes.Internal, "the journal cannot be read: ask another member")
	f.Cause = err
	return f
}
