package e2e

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/client/topup"
	"github.com/ballastdb/ballast/internal/testcluster"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// TestIncident replays what Ballast is built against (DESIGN 1): usage storms in on accounts that are charged when they run low,
// while the payment processor loses requests and answers, balances can be neither read nor written, and the leader dies between a
// charge and its settlement. What was charged is what was credited, to the unit, and nobody was charged without a majority.
func TestIncident(t *testing.T) {
	b := openBank(t, testcluster.Options{})
	s := newStorm(b)
	s.start()

	s.waitSucceeded(3)
	followers := b.followers()
	for _, m := range followers { // balances can be neither read nor written any more
		must(t, m.Kill())
	}
	s.checkNobodyIsCharged()
	for _, m := range followers {
		must(t, m.Start())
	}

	before := s.succeeded()
	s.processor.beforeAnswer(func() { // a card is charged: the leader dies before anybody can say so
		leader := b.leader()
		must(t, leader.Kill())
		must(t, leader.Start())
	})
	s.waitSucceeded(before + 3)
	s.stopUsage()
	s.waitSettled()
	s.checkTotals()
	b.checkEqual()
}

// storm is usage on all accounts of a bank, a worker that tops them up, and a processor with all its faults.
type storm struct {
	*bank
	processor *watchedProcessor
	leases    *watchedStore
	stop      chan struct{}
	usage     sync.WaitGroup
	used      map[string]*atomic.Int64 // acknowledged debits
}

const (
	stormThreshold = 100
	stormCharge    = 500
	stormLease     = 2 * time.Second
)

func newStorm(b *bank) *storm {
	s := &storm{bank: b, stop: make(chan struct{}), used: map[string]*atomic.Int64{}}
	s.processor = &watchedProcessor{Simulated: topup.NewSimulated(topup.SimulatedConfig{
		Seed: 7, DeclinePercent: 10, LostPercent: 10, LatePercent: 10, AnswerLostPercent: 10, DuplicatePercent: 20,
	})}
	s.leases = &watchedStore{Client: b.client}
	for account := range b.expected {
		s.used[account] = &atomic.Int64{}
		_, err := b.client.SetTopUpPolicy(b.ctx(), account, client.TopUpPolicy{
			Threshold: stormThreshold, Amount: stormCharge, BackOff: time.Second, KeyLifetime: time.Hour, Payment: "card of " + account,
		})
		must(b.t, err)
	}
	return s
}

func (s *storm) start() {
	worker, err := topup.New(topup.Config{
		Store: s.leases, Processor: s.processor, Name: "storm", Lease: stormLease, Poll: 20 * time.Millisecond,
	})
	must(s.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	working := make(chan struct{})
	go func() {
		defer close(working)
		worker.Run(ctx)
	}()
	s.t.Cleanup(func() { cancel(); <-working })
	for account := range s.expected {
		s.usage.Go(func() { s.use(account) })
	}
	s.t.Cleanup(s.stopUsage)
}

// use debits an account until it is told to stop; each debit is sent until it is answered, under one id.
func (s *storm) use(account string) {
	for op := client.NewDebit(account, 7); ; {
		select {
		case <-s.stop:
			return
		default:
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		results, err := s.client.Submit(ctx, op)
		cancel()
		if err != nil {
			continue // the same operation again
		}
		if results[0].GetCode() == ballastv1.ResultCode_RESULT_CODE_APPLIED {
			s.used[account].Add(7)
		}
		op = client.NewDebit(account, 7)
	}
}

func (s *storm) stopUsage() {
	select {
	case <-s.stop:
	default:
		close(s.stop)
	}
	s.usage.Wait()
}

func (s *storm) succeeded() int64 { return s.leases.succeeded.Load() }

func (s *storm) waitSucceeded(n int64) {
	s.t.Helper()
	s.until(func() bool { return s.succeeded() >= n })
}

// until waits for a condition.
func (s *storm) until(condition func() bool) {
	s.t.Helper()
	ctx := s.ctx()
	for !condition() {
		select {
		case <-ctx.Done():
			s.t.Fatal(ctx.Err())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// checkNobodyIsCharged: without a majority no read is answered, and once what was leased before has ended nobody is charged.
func (s *storm) checkNobodyIsCharged() {
	s.t.Helper()
	failed := s.leases.failed.Load()
	s.until(func() bool { return s.leases.failed.Load() > failed && s.processor.busy.Load() == 0 })
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if a, err := s.client.Account(ctx, "account-0"); !unavailable(err) && !errors.Is(err, context.DeadlineExceeded) {
		s.t.Errorf("without a majority the balance is %v, %v", a, err)
	}
	asked, failed := s.processor.Asked(), s.leases.failed.Load()
	s.until(func() bool { return s.leases.failed.Load() >= failed+2 })
	if more := s.processor.Asked(); more != asked {
		s.t.Errorf("%d charges were asked for without a majority", more-asked)
	}
}

// waitSettled waits until every account has enough and nothing is open.
func (s *storm) waitSettled() {
	s.t.Helper()
	s.until(func() bool {
		for _, err := range s.client.ListTopUps(s.ctx(), false) {
			must(s.t, err)
			return false
		}
		for account := range s.expected {
			a, err := s.client.Account(s.ctx(), account)
			must(s.t, err)
			if a.GetAvailable() < stormThreshold {
				return false
			}
		}
		return true
	})
}

// checkTotals compares what the processor charged with what the accounts were credited, and with their balances.
func (s *storm) checkTotals() {
	s.t.Helper()
	charged, twice := s.processor.Settle()
	if twice != 0 {
		s.t.Errorf("%d top-ups were charged more than once", twice)
	}
	for account := range s.expected {
		credited := int64(0)
		for e, err := range s.client.Statement(s.ctx(), account, 0) {
			must(s.t, err)
			if e.GetKind() == ballastv1.EntryKind_ENTRY_KIND_TOP_UP_SUCCEEDED {
				credited += e.GetAmount()
			}
		}
		if credited != charged[account] {
			s.t.Errorf("%s was charged %d and credited %d", account, charged[account], credited)
		}
		s.expected[account] = credited - s.used[account].Load()
	}
	s.check()
}

// watchedProcessor tells how many charges are under way.
type watchedProcessor struct {
	*topup.Simulated
	busy atomic.Int64

	mu     sync.Mutex
	before func() // called once, behind a charge that succeeded
}

func (p *watchedProcessor) beforeAnswer(do func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.before = do
}

func (p *watchedProcessor) Charge(ctx context.Context, c topup.Charge) (topup.Outcome, error) {
	p.busy.Add(1)
	defer p.busy.Add(-1)
	outcome, err := p.Simulated.Charge(ctx, c)
	if err == nil && outcome.Status == topup.Succeeded {
		p.mu.Lock()
		do := p.before
		p.before = nil
		p.mu.Unlock()
		if do != nil {
			do()
		}
	}
	return outcome, err
}

// watchedStore counts leases that failed and settlements that succeeded.
type watchedStore struct {
	*client.Client
	failed, succeeded atomic.Int64
}

func (s *watchedStore) LeaseTopUps(ctx context.Context, worker string, limit uint32, lease time.Duration) ([]*ballastv1.TopUpRecord, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	leased, err := s.Client.LeaseTopUps(ctx, worker, limit, lease)
	if err != nil {
		s.failed.Add(1)
	}
	return leased, err
}

func (s *watchedStore) SettleTopUp(ctx context.Context, id string, of client.Settlement, options ...client.OpOption) (*ballastv1.Result, error) {
	r, err := s.Client.SettleTopUp(ctx, id, of, options...)
	if err == nil && of.Outcome == ballastv1.TopUpOutcome_TOP_UP_OUTCOME_SUCCEEDED {
		s.succeeded.Add(1)
	}
	return r, err
}
