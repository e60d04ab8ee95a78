package topup

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/hashicorp/go-hclog"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/internal/wait"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// Store is where top-ups are agreed on; *client.Client is one.
type Store interface {
	LeaseTopUps(ctx context.Context, worker string, limit uint32, lease time.Duration) ([]*ballastv1.TopUpRecord, error)
	SettleTopUp(ctx context.Context, id string, s client.Settlement, options ...client.OpOption) (*ballastv1.Result, error)
}

var _ Store = (*client.Client)(nil)

// Config of a Worker. Store and Processor are needed; zero values of the rest mean the defaults.
type Config struct {
	Store     Store
	Processor Processor
	// Name is for people, up to 64 bytes: it is kept with each lease.
	Name string
	// Lease is how long a top-up is leased, 1 second to 1 hour. Default 1 minute. The processor has three quarters of it to
	// answer. It must not be longer than the key lifetime of any policy: then nothing is ever charged, only looked up.
	Lease time.Duration
	// Concurrency is how many charges are under way at most, up to 100. Default 8.
	Concurrency int
	// Poll is the pause after fewer top-ups were due than asked for. Default 1 second.
	Poll time.Duration
	// Logger, nil: none.
	Logger hclog.Logger
}

// settleTime is what settling has at least, also when the worker is being stopped: what was charged had better be known.
const settleTime = 5 * time.Second

// maxReference is how much of the processor's own id is kept, in bytes.
const maxReference = 64

// Worker leases, charges and settles until it is stopped.
type Worker struct {
	cfg Config
	// free has room for the charges that may be begun.
	free chan struct{}
}

// New returns a worker that does nothing before Run.
func New(cfg Config) (*Worker, error) {
	if cfg.Store == nil || cfg.Processor == nil {
		return nil, errors.New("top-up worker: want a Store and a Processor, found none")
	}
	defaultTo(&cfg.Lease, time.Minute)
	defaultTo(&cfg.Concurrency, 8)
	defaultTo(&cfg.Poll, time.Second)
	if cfg.Logger == nil {
		cfg.Logger = hclog.NewNullLogger()
	}
	switch {
	case cfg.Lease < time.Second || cfg.Lease > time.Hour:
		return nil, fmt.Errorf("top-up worker: want a lease of 1s to 1h, found %s", cfg.Lease)
	case cfg.Concurrency < 1 || cfg.Concurrency > 100:
		return nil, fmt.Errorf("top-up worker: want 1 to 100 charges at a time, found %d", cfg.Concurrency)
	case cfg.Poll < 0:
		return nil, fmt.Errorf("top-up worker: want a pause above 0, found %s", cfg.Poll)
	}
	return &Worker{cfg: cfg, free: make(chan struct{}, cfg.Concurrency)}, nil
}

func defaultTo[T comparable](value *T, fallback T) {
	if *value == *new(T) {
		*value = fallback
	}
}

// Run works until ctx ends, and returns when nothing is under way any more: charges end with ctx, settling what they answered
// takes 5 seconds more at most. For one goroutine at a time.
func (w *Worker) Run(ctx context.Context) {
	var charges sync.WaitGroup
	defer charges.Wait()
	for {
		select { // room for one charge at least
		case w.free <- struct{}{}:
		case <-ctx.Done():
			return
		}
		begun := time.Now() // before the lease begins, so that it ends before the store's does
		leased, err := w.cfg.Store.LeaseTopUps(ctx, w.cfg.Name, w.room(), w.cfg.Lease)
		<-w.free
		for _, t := range leased {
			w.free <- struct{}{} // there is room: nobody else takes any
			charges.Go(func() {
				defer func() { <-w.free }()
				w.charge(ctx, t, begun.Add(w.cfg.Lease))
			})
		}
		if err != nil && ctx.Err() == nil {
			w.cfg.Logger.Warn("no top-up can be leased", "error", err)
		}
		if (err != nil || len(leased) == 0) && wait.For(ctx, w.cfg.Poll) != nil {
			return
		}
	}
}

// room is how many charges may be begun, the one that was taken included.
func (w *Worker) room() uint32 { return uint32(cap(w.free) - len(w.free) + 1) }

// charge charges for a top-up that is leased until end, or looks up what became of it, and settles.
func (w *Worker) charge(ctx context.Context, t *ballastv1.TopUpRecord, end time.Time) {
	logger := w.cfg.Logger.With("top_up", t.GetId(), "account", t.GetAccount(), "lease", t.GetLease())
	ask := w.cfg.Processor.Charge
	if t.GetLookupOnly() {
		ask = w.cfg.Processor.Lookup
	}
	limited, cancel := context.WithDeadline(ctx, end.Add(-w.cfg.Lease/4))
	if limited.Err() != nil { // too late to begin
		cancel()
		return
	}
	outcome, err := ask(limited, Charge{
		ID: t.GetId(), Account: t.GetAccount(), Ledger: t.GetLedger(), Amount: t.GetAmount(), Scale: t.GetScale(), Payment: t.GetPaymentReference(),
	})
	cancel()
	if err != nil {
		outcome.Status = Unknown
		logger.Warn("it is not known what became of a charge", "error", err)
	}
	w.settle(ctx, t, outcome, end, logger)
}

// settle tells the store, within the lease and for some seconds at least. Where that fails the top-up stays open, and the next
// lease finds the same outcome.
func (w *Worker) settle(ctx context.Context, t *ballastv1.TopUpRecord, outcome Outcome, end time.Time, logger hclog.Logger) {
	until := time.Now().Add(settleTime)
	if ctx.Err() == nil && end.After(until) {
		until = end
	}
	ctx, cancel := context.WithDeadline(context.WithoutCancel(ctx), until)
	defer cancel()
	s := client.Settlement{Lease: t.GetLease(), Outcome: map[Status]ballastv1.TopUpOutcome{
		Succeeded: ballastv1.TopUpOutcome_TOP_UP_OUTCOME_SUCCEEDED,
		Declined:  ballastv1.TopUpOutcome_TOP_UP_OUTCOME_DECLINED,
		Unknown:   ballastv1.TopUpOutcome_TOP_UP_OUTCOME_UNKNOWN,
	}[outcome.Status]}
	var options []client.OpOption
	if r := outcome.Reference; mayKeep(r) {
		options = append(options, client.WithReference(r))
	}
	if _, err := w.cfg.Store.SettleTopUp(ctx, t.GetId(), s, options...); err != nil {
		logger.Warn("a top-up is not settled", "outcome", s.Outcome, "reference", outcome.Reference, "error", err)
		return
	}
	logger.Info("top-up settled", "outcome", s.Outcome, "amount", t.GetAmount(), "reference", outcome.Reference)
}

// mayKeep: the store takes a reference like this. One that it does not take is left out: the outcome matters more.
func mayKeep(reference string) bool {
	return reference != "" && len(reference) <= maxReference && utf8.ValidString(reference) && !strings.ContainsFunc(reference, unicode.IsControl)
}
