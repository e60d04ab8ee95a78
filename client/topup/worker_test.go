package topup_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode"
	"unicode/utf8"

	"go.uber.org/goleak"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/client/topup"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestChargedIsCredited runs workers that are killed and started again, against a store that has no majority now and then and
// whose answers get lost, and a processor with every fault. Whatever happens: each top-up is charged once at most, and what was
// charged is what was credited.
func TestChargedIsCredited(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { synctest.Test(t, func(t *testing.T) { storm(t, seed) }) })
	}
}

const (
	lease       = 10 * time.Second
	keyLifetime = time.Minute
	accounts    = 5
	rounds      = 8 // top-ups of each account
)

func storm(t *testing.T, seed uint64) {
	store := newStore(seed)
	processor := topup.NewSimulated(topup.SimulatedConfig{
		Seed: seed, DeclinePercent: 20, LostPercent: 15, LatePercent: 15, AnswerLostPercent: 20, DuplicatePercent: 20,
		LateBy: 2 * time.Second, KeyLifetime: keyLifetime + 5*time.Second, Pause: 500 * time.Millisecond,
	})
	rnd := rand.New(rand.NewPCG(seed, 2))
	var workers sync.WaitGroup
	for i := range 3 {
		workers.Go(func() {
			for !store.done() { // a life of a worker
				worker, err := topup.New(topup.Config{
					Store: store, Processor: processor, Name: fmt.Sprint("worker-", i), Lease: lease, Concurrency: 2, Poll: 100 * time.Millisecond,
				})
				if err != nil {
					t.Error(err)
					return
				}
				store.mu.Lock()
				life := time.Duration(rnd.IntN(20_000)) * time.Millisecond
				store.mu.Unlock()
				ctx, cancel := context.WithTimeout(t.Context(), life)
				worker.Run(ctx)
				cancel()
			}
		})
	}
	workers.Wait()
	charged, twice := processor.Settle()
	if twice != 0 {
		t.Errorf("%d top-ups were charged more than once", twice)
	}
	if !maps.Equal(charged, store.credited) {
		t.Errorf("charged %v, credited %v", charged, store.credited)
	}
	if len(store.problems) > 0 {
		t.Error(strings.Join(store.problems, "\n"))
	}
}

// fakeStore is the rules of top-ups in memory: one open for each account, leases, settled once.
type fakeStore struct {
	mu       sync.Mutex
	rnd      *rand.Rand
	open     map[string]*open // by account
	made     map[string]int
	credited map[string]int64
	problems []string
	downTill time.Time
}

type open struct {
	record            *ballastv1.TopUpRecord
	until, firstLease time.Time
}

var errDown = errors.New("no majority")

func newStore(seed uint64) *fakeStore {
	s := &fakeStore{rnd: rand.New(rand.NewPCG(seed, 1)), open: map[string]*open{}, made: map[string]int{}, credited: map[string]int64{}}
	for i := range accounts {
		s.make(fmt.Sprintf("account-%d", i))
	}
	return s
}

// make makes the account's next top-up.
func (s *fakeStore) make(account string) {
	if s.made[account]++; s.made[account] > rounds {
		delete(s.open, account)
		return
	}
	s.open[account] = &open{record: &ballastv1.TopUpRecord{
		Id: fmt.Sprintf("%s-%d", account, s.made[account]), Account: account, Ledger: "usd", Amount: int64(100 + s.made[account]), PaymentReference: "card",
	}}
}

func (s *fakeStore) done() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open) == 0
}

// fails is what becomes of a call: it is not done, or done and the answer is lost.
func (s *fakeStore) fails() (notDone, lost bool) {
	if s.rnd == nil {
		return false, false
	}
	if s.rnd.IntN(20) == 0 {
		s.downTill = time.Now().Add(time.Duration(s.rnd.IntN(20)) * time.Second)
	}
	return time.Now().Before(s.downTill), s.rnd.IntN(8) == 0
}

func (s *fakeStore) LeaseTopUps(_ context.Context, _ string, limit uint32, lease time.Duration) ([]*ballastv1.TopUpRecord, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	notDone, lost := s.fails()
	if notDone {
		return nil, errDown
	}
	var leased []*ballastv1.TopUpRecord
	for _, account := range slices.Sorted(maps.Keys(s.open)) {
		o, now := s.open[account], time.Now()
		if len(leased) == int(limit) || o.until.After(now) {
			continue
		}
		if o.record.Lease++; o.record.Lease == 1 {
			o.firstLease = now
		}
		o.until = now.Add(lease)
		o.record.LookupOnly = o.until.After(o.firstLease.Add(keyLifetime))
		leased = append(leased, &ballastv1.TopUpRecord{
			Id: o.record.Id, Account: account, Ledger: "usd", Amount: o.record.Amount, PaymentReference: "card", Lease: o.record.Lease, LookupOnly: o.record.LookupOnly,
		})
	}
	if lost {
		return nil, errDown
	}
	return leased, nil
}

func (s *fakeStore) SettleTopUp(_ context.Context, id string, of client.Settlement, options ...client.OpOption) (*ballastv1.Result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := client.NewSettleTopUp(id, of, options...).GetReference(); len(r) > 64 || !utf8.ValidString(r) || strings.ContainsFunc(r, unicode.IsControl) {
		return nil, client.ErrInvalid
	}
	notDone, lost := s.fails()
	if notDone {
		return nil, errDown
	}
	account := id[:strings.LastIndexByte(id, '-')]
	o := s.open[account]
	if o == nil || o.record.Id != id || o.record.Lease != of.Lease {
		return nil, client.ErrRefused
	}
	switch of.Outcome {
	case ballastv1.TopUpOutcome_TOP_UP_OUTCOME_SUCCEEDED:
		s.credited[account] += o.record.Amount
		s.make(account)
	case ballastv1.TopUpOutcome_TOP_UP_OUTCOME_DECLINED:
		s.make(account)
	case ballastv1.TopUpOutcome_TOP_UP_OUTCOME_UNKNOWN:
	default:
		s.problems = append(s.problems, fmt.Sprintf("%s was settled as %v", id, of.Outcome))
	}
	if lost {
		return nil, errDown
	}
	return &ballastv1.Result{}, nil
}

// TestStoppedWorkerLeavesNothing: stopping ends charges that are under way, and Run returns when the last is settled.
func TestStoppedWorkerLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore(0)
		processor := &slow{asked: make(chan struct{}, accounts)}
		worker, err := topup.New(topup.Config{Store: store, Processor: processor, Concurrency: 2})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			worker.Run(ctx)
		}()
		<-processor.asked
		<-processor.asked
		synctest.Wait()
		if len(processor.asked) > 0 {
			t.Error("three charges are under way, two were allowed")
		}
		cancel()
		<-ended
	})
}

// slow is a processor that answers nobody.
type slow struct{ asked chan struct{} }

func (p *slow) Charge(ctx context.Context, _ topup.Charge) (topup.Outcome, error) {
	p.asked <- struct{}{}
	<-ctx.Done()
	return topup.Outcome{}, ctx.Err()
}

func (p *slow) Lookup(ctx context.Context, c topup.Charge) (topup.Outcome, error) {
	return p.Charge(ctx, c)
}

// TestWorkerNeedsSense: what cannot work is refused before it begins.
func TestWorkerNeedsSense(t *testing.T) {
	good := topup.Config{Store: newStore(0), Processor: topup.NewSimulated(topup.SimulatedConfig{})}
	for name, change := range map[string]func(*topup.Config){
		"no store":            func(c *topup.Config) { c.Store = nil },
		"no processor":        func(c *topup.Config) { c.Processor = nil },
		"a lease too short":   func(c *topup.Config) { c.Lease = time.Millisecond },
		"a lease too long":    func(c *topup.Config) { c.Lease = 2 * time.Hour },
		"too many at a time":  func(c *topup.Config) { c.Concurrency = 101 },
		"less than none":      func(c *topup.Config) { c.Concurrency = -1 },
		"a pause in the past": func(c *topup.Config) { c.Poll = -1 },
	} {
		c := good
		change(&c)
		if _, err := topup.New(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestSimulated: a key charges once while it is known, whatever is asked for; and again when it is not.
func TestSimulated(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	p := topup.NewSimulated(topup.SimulatedConfig{KeyLifetime: time.Hour, Now: func() time.Time { return now }})
	c := topup.Charge{ID: "k", Account: "alice", Amount: 5}
	ask := func(c topup.Charge) (topup.Outcome, error) { return p.Charge(t.Context(), c) }
	first, err := ask(c)
	if err != nil || first.Status != topup.Succeeded {
		t.Fatal(first, err)
	}
	if again, err := ask(c); err != nil || again != first {
		t.Errorf("asked again: %v, %v, want %v", again, err, first)
	}
	c.Amount++
	if o, err := ask(c); err == nil {
		t.Errorf("another amount under the same key: %v", o)
	}
	if o, err := p.Lookup(t.Context(), topup.Charge{ID: "other"}); err != nil || o.Status != topup.Declined {
		t.Errorf("a charge that never was: %v, %v", o, err)
	}
	c.Amount--
	now = now.Add(time.Hour)
	if _, err := ask(c); err != nil {
		t.Error(err)
	}
	if charged, twice := p.Settle(); charged["alice"] != 10 || twice != 1 {
		t.Errorf("charged %v, %d twice", charged, twice)
	}
}

// TestReferenceThatCannotBeKept: what was charged is credited, whatever the processor calls it.
func TestReferenceThatCannotBeKept(t *testing.T) {
	for name, reference := range map[string]string{
		"control characters": "ch_1\n", "not UTF-8": "ch_\xff", "too long": strings.Repeat("r", 65), "none": "",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := newStore(0)
				store.rnd = nil // it never fails
				worker, err := topup.New(topup.Config{Store: store, Processor: naming(reference)})
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				worker.Run(ctx)
				if len(store.open) != 0 || len(store.problems) != 0 {
					t.Errorf("%d accounts have a top-up that is not settled; %q", len(store.open), store.problems)
				}
			})
		})
	}
}

// naming is a processor that charges whatever it is asked for, and calls it so.
type naming string

func (p naming) Charge(context.Context, topup.Charge) (topup.Outcome, error) {
	return topup.Outcome{Status: topup.Succeeded, Reference: string(p)}, nil
}

func (p naming) Lookup(ctx context.Context, c topup.Charge) (topup.Outcome, error) {
	return p.Charge(ctx, c)
}
