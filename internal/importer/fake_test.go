package importer

import (
	"context"
	"errors"
	"fmt"
	"math/rand"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

var (
	errUnavailable = errors.New("no leader")
	errUnknown     = errors.New("answer lost")
	errPermanent   = errors.New("not allowed")
)

func classify(err error) Failure {
	switch {
	case errors.Is(err, errUnavailable):
		return Unavailable
	case errors.Is(err, errUnknown), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return Unknown
	}
	return Permanent
}

// fakeStore keeps balances as the store would: one effect per id, every answer final.
type fakeStore struct {
	mu       sync.Mutex
	ledgers  []*ballastv1.Ledger
	accounts map[string]*ballastv1.Account
	answers  map[string]*answer
	sequence uint64
	calls    int
	// fault decides before and after each call; nil: none.
	fault func(call int, applied bool) error
	order []string // ids in the order of their effect
	// fast is how far the importer's clock is ahead; what answers tell corrects it. logTime stands still until something
	// is submitted. checksTime: stamps that do not fit it are refused.
	fast       time.Duration
	logTime    int64
	checksTime bool
	// entries of each account, newest last.
	entries map[string][]*ballastv1.Entry
}

type answer struct {
	op     *ballastv1.Operation
	result *ballastv1.Result
}

func newFakeStore() *fakeStore {
	return &fakeStore{
		ledgers:  []*ballastv1.Ledger{{Name: "czk", Asset: "CZK", Scale: 2}, {Name: "jpy", Asset: "JPY"}},
		accounts: map[string]*ballastv1.Account{}, answers: map[string]*answer{}, entries: map[string][]*ballastv1.Entry{},
		logTime: time.Now().UnixNano(),
	}
}

// randomFaults fails calls by a seed: before they take effect, or after.
func randomFaults(seed int64, share float64) func(int, bool) error {
	random := rand.New(rand.NewSource(seed))
	return func(_ int, applied bool) error {
		switch {
		case random.Float64() >= share:
			return nil
		case applied || random.Intn(2) == 0:
			return errUnknown
		}
		return errUnavailable
	}
}

func (s *fakeStore) faulty(applied bool) error {
	if s.fault == nil {
		return nil
	}
	return s.fault(s.calls, applied)
}

func (s *fakeStore) Ledgers(context.Context) ([]*ballastv1.Ledger, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	return s.ledgers, s.faulty(false)
}

func (s *fakeStore) Accounts(_ context.Context, ids []string) ([]*ballastv1.Account, int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	var found []*ballastv1.Account
	for _, id := range ids {
		if a := s.accounts[id]; a != nil {
			found = append(found, proto.Clone(a).(*ballastv1.Account))
		}
	}
	return found, s.logTime, s.faulty(false)
}

func (s *fakeStore) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Now().Add(s.fast)
}

// Statement serves pages of seven.
func (s *fakeStore) Statement(_ context.Context, account string, before uint64) ([]*ballastv1.Entry, uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	var page []*ballastv1.Entry
	for _, entry := range slices.Backward(s.entries[account]) {
		if before > 0 && entry.GetSequence() >= before {
			continue
		}
		if len(page) == 7 {
			return page, page[6].GetSequence(), s.faulty(false)
		}
		page = append(page, entry)
	}
	return page, 0, s.faulty(false)
}

// forget is what the end of the id window does.
func (s *fakeStore) forget() { clear(s.answers) }

func (s *fakeStore) Submit(ctx context.Context, ops ...*ballastv1.Operation) ([]*ballastv1.Result, error) {
	if ctx.Err() != nil {
		return nil, errUnavailable // nothing was sent
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	if err := s.faulty(false); err != nil {
		return nil, err
	}
	s.logTime, s.fast = time.Now().UnixNano(), 0
	results := make([]*ballastv1.Result, len(ops))
	for i, op := range ops {
		results[i] = s.answer(op)
	}
	return results, s.faulty(true)
}

func (s *fakeStore) answer(op *ballastv1.Operation) *ballastv1.Result {
	if known := s.answers[op.GetId()]; known != nil {
		compared := proto.Clone(op).(*ballastv1.Operation)
		compared.Attempt = known.op.GetAttempt()
		if !proto.Equal(compared, known.op) {
			return &ballastv1.Result{Code: ballastv1.ResultCode_RESULT_CODE_CONFLICT}
		}
		if op.GetAttempt() <= known.op.GetAttempt() || known.result.GetCode() == ballastv1.ResultCode_RESULT_CODE_APPLIED {
			again := proto.Clone(known.result).(*ballastv1.Result)
			again.Replayed = true
			return again
		}
	}
	result := s.apply(op)
	s.answers[op.GetId()] = &answer{op: op, result: result}
	return proto.Clone(result).(*ballastv1.Result)
}

func (s *fakeStore) apply(op *ballastv1.Operation) *ballastv1.Result {
	if refused := s.checkTime(op); s.checksTime && refused != nil {
		return refused
	}
	result := &ballastv1.Result{Code: ballastv1.ResultCode_RESULT_CODE_APPLIED, Attempt: op.GetAttempt()}
	var a *ballastv1.Account
	switch kind := op.GetKind().(type) {
	case *ballastv1.Operation_CreateLedger: // there are all that are needed
		return &ballastv1.Result{Code: ballastv1.ResultCode_RESULT_CODE_LEDGER_EXISTS}
	case *ballastv1.Operation_CreateAccount:
		a = &ballastv1.Account{Id: kind.CreateAccount.GetAccount(), Ledger: kind.CreateAccount.GetLedger(), Floor: kind.CreateAccount.GetFloor()}
		s.accounts[a.GetId()] = a
	case *ballastv1.Operation_Credit:
		if a = s.accounts[kind.Credit.GetAccount()]; a == nil {
			return &ballastv1.Result{Code: ballastv1.ResultCode_RESULT_CODE_UNKNOWN_ACCOUNT}
		}
		a.Posted += kind.Credit.GetAmount()
		result.CreditPosted = a.GetPosted()
	case *ballastv1.Operation_Debit:
		if a = s.accounts[kind.Debit.GetAccount()]; a == nil {
			return &ballastv1.Result{Code: ballastv1.ResultCode_RESULT_CODE_UNKNOWN_ACCOUNT}
		}
		if available := a.GetPosted() - a.GetFloor(); available < kind.Debit.GetAmount() {
			return &ballastv1.Result{
				Code: ballastv1.ResultCode_RESULT_CODE_INSUFFICIENT_FUNDS, Account: a.GetId(),
				Asked: kind.Debit.GetAmount(), Available: available,
			}
		}
		a.Posted -= kind.Debit.GetAmount()
		result.DebitPosted = a.GetPosted()
	default:
		panic(fmt.Sprintf("unexpected operation %T", kind))
	}
	s.sequence++
	result.Sequence, a.LastSequence = s.sequence, s.sequence
	s.order = append(s.order, op.GetId())
	s.entries[a.GetId()] = append(s.entries[a.GetId()], &ballastv1.Entry{Sequence: s.sequence, OperationId: op.GetId()})
	return result
}
