package server

import (
	"context"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/ballastdb/ballast/fsm/ledger"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// Limits of reads.
const (
	maxReadIDs      = 1000
	maxPageSize     = 1000
	defaultPageSize = 100
)

// GetAccounts is ballastv1.MoneyServiceServer's.
func (m *Money) GetAccounts(
	ctx context.Context, r *ballastv1.GetAccountsRequest,
) (*ballastv1.GetAccountsResponse, error) {
	if n := len(r.GetIds()); n < 1 || n > maxReadIDs {
		return nil, invalid("ids: want 1 to %d, found %d", maxReadIDs, n)
	}
	for i, id := range r.GetIds() {
		if len(id) < 1 || len(id) > ledger.MaxAccountLen {
			return nil, invalid("ids[%d]: want 1 to %d bytes, found %d", i, ledger.MaxAccountLen, len(id))
		}
	}
	response := &ballastv1.GetAccountsResponse{}
	var err error
	response.State, err = m.read(ctx, r.GetConsistency(), func(s *ledger.State) {
		for _, id := range r.GetIds() {
			if a, ok := s.Account([]byte(id)); ok {
				response.Accounts = append(response.Accounts, accountProto(&a))
			} else {
				response.Unknown = append(response.Unknown, id)
			}
		}
	})
	return answerRead(response, err)
}

// ListAccounts is ballastv1.MoneyServiceServer's.
func (m *Money) ListAccounts(
	ctx context.Context, r *ballastv1.ListAccountsRequest,
) (*ballastv1.ListAccountsResponse, error) {
	query, failure := accountQuery(r)
	if failure != nil {
		return nil, failure
	}
	// The order of ids is built a little at a time, so that the lock is never held for long.
	for prepared := false; !prepared && ctx.Err() == nil; {
		m.cfg.Store.ReadIndexed(func(s *ledger.State, _ uint64) { prepared = s.PrepareListing() })
	}
	response := &ballastv1.ListAccountsResponse{}
	var err error
	response.State, err = m.read(ctx, r.GetConsistency(), func(s *ledger.State) {
		accounts, next := s.Accounts(query)
		for i := range accounts {
			response.Accounts = append(response.Accounts, accountProto(&accounts[i]))
		}
		response.NextPageToken = pageToken(next)
	})
	return answerRead(response, err)
}

func accountQuery(r *ballastv1.ListAccountsRequest) (ledger.AccountQuery, *Failure) {
	query := ledger.AccountQuery{Prefix: r.GetPrefix(), Ledger: r.GetLedger(), IncludeSystem: r.GetIncludeSystem()}
	if n := len(r.GetPrefix()); n > ledger.MaxAccountLen {
		return query, invalid("prefix: want at most %d bytes, found %d", ledger.MaxAccountLen, n)
	}
	if r.GetLedger() != "" && !ledger.ValidLedgerName([]byte(r.GetLedger())) {
		return query, invalid("ledger: want 1 to %d of a-z, 0-9, '-', '_', '.', found %q", ledger.MaxLedgerLen, clip(r.GetLedger()))
	}
	var failure *Failure
	if query.Limit, failure = pageSize(r.GetPageSize()); failure != nil {
		return query, failure
	}
	var ok bool
	if query.After, ok = afterPage(r.GetPageToken()); !ok {
		return query, invalid("page_token: want next_page_token of the page before, found %q", clip(r.GetPageToken()))
	}
	return query, nil
}

func pageSize(asked uint32) (int, *Failure) {
	switch {
	case asked == 0:
		return defaultPageSize, nil
	case asked > maxPageSize:
		return 0, invalid("page_size: want 1 to %d, or 0 for %d, found %d", maxPageSize, defaultPageSize, asked)
	}
	return int(asked), nil
}

// GetOperation is ballastv1.MoneyServiceServer's.
func (m *Money) GetOperation(
	ctx context.Context, r *ballastv1.GetOperationRequest,
) (*ballastv1.GetOperationResponse, error) {
	if n := len(r.GetId()); n < 1 || n > ledger.MaxIDLen {
		return nil, invalid("id: want 1 to %d bytes, found %d", ledger.MaxIDLen, n)
	}
	response := &ballastv1.GetOperationResponse{}
	var err error
	response.State, err = m.read(ctx, r.GetConsistency(), func(s *ledger.State) {
		result, ok := s.Operation([]byte(r.GetId()))
		response.Horizon = s.SureHorizon()
		if response.Known = ok; ok {
			response.Result = &ballastv1.Result{}
			fillResult(response.Result, &result)
			if result.Account != 0 {
				response.Result.Account, _, _, _ = s.AccountNames(result.Account - 1)
			}
		}
	})
	return answerRead(response, err)
}

// ListLedgers is ballastv1.MoneyServiceServer's.
func (m *Money) ListLedgers(
	ctx context.Context, r *ballastv1.ListLedgersRequest,
) (*ballastv1.ListLedgersResponse, error) {
	response := &ballastv1.ListLedgersResponse{}
	var err error
	response.State, err = m.read(ctx, r.GetConsistency(), func(s *ledger.State) {
		for _, l := range s.Ledgers() {
			response.Ledgers = append(response.Ledgers, ledgerProto(&l))
		}
	})
	return answerRead(response, err)
}

// read calls fn with a state as fresh as asked and says what it saw.
func (m *Money) read(
	ctx context.Context, consistency ballastv1.Consistency, fn func(*ledger.State),
) (*ballastv1.ReadState, error) {
	ctx, cancel := m.bounded(ctx, 0)
	defer cancel()
	seen, err := m.fresh(ctx, consistency)
	if err != nil {
		return nil, err
	}
	m.cfg.Store.ReadIndexed(func(s *ledger.State, index uint64) {
		seen.Index, seen.LogTime = index, s.LogTime()
		fn(s)
	})
	if failure := m.cfg.Gate.sound(); failure != nil {
		return nil, m.hinted(failure)
	}
	return seen, nil
}

// fresh returns once the local state is as fresh as asked; what it returns still lacks index and log time.
func (m *Money) fresh(ctx context.Context, consistency ballastv1.Consistency) (*ballastv1.ReadState, error) {
	if failure := m.cfg.Gate.pass(); failure != nil {
		return nil, m.hinted(failure)
	}
	switch consistency {
	case ballastv1.Consistency_CONSISTENCY_UNSPECIFIED, ballastv1.Consistency_CONSISTENCY_LINEARIZABLE:
		if _, err := m.cfg.Reads.Wait(ctx); err != nil {
			return nil, m.hinted(err)
		}
		return &ballastv1.ReadState{}, nil
	case ballastv1.Consistency_CONSISTENCY_STALE:
		return &ballastv1.ReadState{Stale: true, Age: m.age()}, nil
	}
	return nil, invalid("consistency: want linearizable or stale, found %d", consistency)
}

// age is how long ago this member heard from a leader, nanoseconds; 0 where it leads, -1 where it never did.
func (m *Money) age() int64 {
	if _, ok := leads(m.cfg.Raft); ok {
		return 0
	}
	contact := m.cfg.Raft.LastContact()
	if contact.IsZero() {
		return -1
	}
	return max(time.Since(contact).Nanoseconds(), 0)
}

// answerRead keeps a half-filled response from being sent beside an error.
func answerRead[T any](response *T, err error) (*T, error) {
	if err != nil {
		return nil, err
	}
	return response, nil
}

// notFound says that what a read names does not exist.
func notFound(format string, args ...any) *Failure {
	f := invalid(format, args...)
	f.Code = codes.NotFound
	return f
}
