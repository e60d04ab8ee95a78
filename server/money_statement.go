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
	query, failure := statementQuery(r)
	if failure != nil {
		return nil, failure
	}
	ctx, cancel := m.bounded(ctx, 0)
	defer cancel()
	seen, err := m.fresh(ctx, r.GetConsistency())
	if err != nil {
		return nil, err
	}
	// The statement reads the journal, which must not happen under the state's lock.
	st, err := m.cfg.Store.Statement(ctx, query)
	if err != nil {
		return nil, statementFailure(ctx, r.GetAccount(), err)
	}
	if failure := m.cfg.Gate.sound(); failure != nil {
		return nil, m.hinted(failure)
	}
	seen.Index, seen.LogTime = st.Index, st.LogTime
	response := &ballastv1.GetStatementResponse{Scale: uint32(st.Account.Scale), State: seen}
	if query.Forward {
		response.NextAfterSequence = st.Next
	} else {
		response.NextBeforeSequence = st.Next
	}
	for i := range st.Entries {
		response.Entries = append(response.Entries, entryProto(&st.Entries[i]))
	}
	return response, nil
}

func statementQuery(r *ballastv1.GetStatementRequest) (q fsm.StatementQuery, failure *Failure) {
	q = fsm.StatementQuery{
		Account: []byte(r.GetAccount()), After: r.GetAfterSequence(), Before: r.GetBeforeSequence(),
		From: r.GetFromTime(), Until: r.GetUntilTime(), Forward: r.GetForward(),
	}
	if failure = checkRead("account", r.GetAccount(), ledger.MaxAccountLen); failure != nil {
		return q, failure
	}
	for _, bound := range []struct {
		field string
		time  int64
	}{{"from_time", q.From}, {"until_time", q.Until}} {
		if bound.time < 0 {
			return q, invalid("%s: want Unix nanoseconds above 0, or 0 for no bound, found %d", bound.field, bound.time)
		}
	}
	q.Limit, failure = pageSize(r.GetPageSize())
	return q, failure
}

// checkRead checks the length of a text that a read names something by.
func checkRead(field, text string, most int) *Failure {
	if n := len(text); n < 1 || n > most {
		return invalid("%s: want 1 to %d bytes, found %d", field, most, n)
	}
	return nil
}

// GetPastBalance is ballastv1.MoneyServiceServer's.
func (m *Money) GetPastBalance(
	ctx context.Context, r *ballastv1.GetPastBalanceRequest,
) (*ballastv1.GetPastBalanceResponse, error) {
	if failure := checkRead("account", r.GetAccount(), ledger.MaxAccountLen); failure != nil {
		return nil, failure
	}
	read := func(ctx context.Context) (fsm.PastBalance, error) {
		return m.cfg.Store.BalanceAfter(ctx, []byte(r.GetAccount()), r.GetSequence())
	}
	switch at := r.GetAt().(type) {
	case *ballastv1.GetPastBalanceRequest_Sequence:
	case *ballastv1.GetPastBalanceRequest_Time:
		if at.Time <= 0 {
			return nil, invalid("time: want Unix nanoseconds above 0, found %d", at.Time)
		}
		read = func(ctx context.Context) (fsm.PastBalance, error) {
			return m.cfg.Store.BalanceAt(ctx, []byte(r.GetAccount()), at.Time)
		}
	default:
		return nil, invalid("at: want sequence or time, found neither")
	}
	ctx, cancel := m.bounded(ctx, 0)
	defer cancel()
	seen, err := m.fresh(ctx, r.GetConsistency())
	if err != nil {
		return nil, err
	}
	b, err := read(ctx)
	if err != nil {
		return nil, statementFailure(ctx, r.GetAccount(), err)
	}
	if failure := m.cfg.Gate.sound(); failure != nil {
		return nil, m.hinted(failure)
	}
	seen.Index, seen.LogTime = b.Index, b.LogTime
	return pastBalanceProto(&b, seen), nil
}

func statementFailure(ctx context.Context, account string, err error) *Failure {
	if errors.Is(err, fsm.ErrUnknownAccount) {
		return notFound("account: there is no account %q, or there was none then", clip(account))
	}
	if errors.Is(err, fsm.ErrUnknownEntry) {
		f := invalid("sequence: %v", err)
		f.Code = codes.OutOfRange
		return f
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
	if errors.Is(err, fsm.ErrMissing) {
		return retryable("this member has only just started and does not know its journal yet: try again, or ask another member")
	}
	f := notDone(codes.Internal, "the journal cannot be read: ask another member")
	f.Cause = err
	return f
}
