package topup

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/ballastdb/ballast/internal/wait"
)

// SimulatedConfig says how a Simulated processor behaves. Percentages are of charges that are asked for under a new key, or
// again.
type SimulatedConfig struct {
	// Seed of what happens by chance.
	Seed uint64
	// DeclinePercent of new charges are declined.
	DeclinePercent int
	// LostPercent of requests never arrive, LatePercent arrive LateBy after the caller has given up, and AnswerLostPercent are
	// done without the caller hearing of it: for the caller all of them are timeouts.
	LostPercent, LatePercent, AnswerLostPercent int
	LateBy                                      time.Duration
	// DuplicatePercent of requests arrive twice.
	DuplicatePercent int
	// KeyLifetime is how long a key is known again, from its first use; 0: for ever. Then the same key charges again.
	KeyLifetime time.Duration
	// Pause is how long a request takes, within its context.
	Pause time.Duration
	// Now tells the time; nil: time.Now.
	Now func() time.Time
}

// ErrTimeout is what a caller of Simulated hears where it cannot know what happened.
var ErrTimeout = errors.New("simulated processor: no answer in time")

// Simulated is a payment processor for tests and for trying things out: it charges nobody, and counts what it would have
// charged. It has idempotency keys with a lifetime, declines, loses requests and answers, gets requests late and twice.
type Simulated struct {
	cfg SimulatedConfig

	mu      sync.Mutex
	rnd     *rand.Rand
	keys    map[string]used
	history map[string][]Made // by key, for lookups: it outlives the key
	late    []underWay
	asked   int
}

// used is a key that is known again.
type used struct {
	charge  Charge
	at      time.Time
	outcome Outcome
}

// underWay is a request that arrives later.
type underWay struct {
	Charge
	at time.Time
}

// Made is a charge that was made.
type Made struct {
	Charge
	Reference string
}

var _ Processor = (*Simulated)(nil)

// NewSimulated returns a processor that has charged nobody yet.
func NewSimulated(cfg SimulatedConfig) *Simulated {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Simulated{cfg: cfg, rnd: rand.New(rand.NewPCG(cfg.Seed, 0)), keys: map[string]used{}, history: map[string][]Made{}}
}

// Charge is Processor's.
func (p *Simulated) Charge(ctx context.Context, c Charge) (Outcome, error) {
	if p.cfg.Pause > 0 && wait.For(ctx, p.cfg.Pause) != nil {
		return Outcome{}, ctx.Err()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.cfg.Now()
	p.arrive(now)
	p.asked++
	switch chance := p.rnd.IntN(100); {
	case chance < p.cfg.LostPercent:
		return Outcome{}, ErrTimeout
	case chance < p.cfg.LostPercent+p.cfg.LatePercent:
		p.late = append(p.late, underWay{c, now.Add(p.cfg.LateBy)})
		return Outcome{}, ErrTimeout
	}
	outcome, err := p.process(c, now)
	if p.rnd.IntN(100) < p.cfg.DuplicatePercent {
		_, _ = p.process(c, now) // the answer of the first is what counts
	}
	if p.rnd.IntN(100) < p.cfg.AnswerLostPercent {
		return Outcome{}, ErrTimeout
	}
	return outcome, err
}

// Lookup is Processor's.
func (p *Simulated) Lookup(ctx context.Context, c Charge) (Outcome, error) {
	if p.cfg.Pause > 0 && wait.For(ctx, p.cfg.Pause) != nil {
		return Outcome{}, ctx.Err()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.arrive(p.cfg.Now())
	if made := p.history[c.ID]; len(made) > 0 {
		return Outcome{Status: Succeeded, Reference: made[0].Reference}, nil
	}
	return Outcome{Status: Declined}, nil
}

// arrive processes requests that have arrived since.
func (p *Simulated) arrive(now time.Time) {
	p.late = slices.DeleteFunc(p.late, func(r underWay) bool {
		if r.at.After(now) {
			return false
		}
		_, _ = p.process(r.Charge, r.at) // nobody waits for the answer any more
		return true
	})
}

// process is what the processor does with a request that arrives.
func (p *Simulated) process(c Charge, now time.Time) (Outcome, error) {
	known, ok := p.keys[c.ID]
	if ok && (p.cfg.KeyLifetime == 0 || now.Sub(known.at) < p.cfg.KeyLifetime) {
		if known.charge != c {
			return Outcome{}, fmt.Errorf("simulated processor: key %s is known with another charge: %+v, found %+v", c.ID, known.charge, c)
		}
		return known.outcome, nil
	}
	outcome := Outcome{Status: Succeeded, Reference: fmt.Sprintf("sim-%d", p.asked)}
	if p.rnd.IntN(100) < p.cfg.DeclinePercent {
		outcome.Status = Declined
	} else {
		p.history[c.ID] = append(p.history[c.ID], Made{c, outcome.Reference})
	}
	p.keys[c.ID] = used{c, now, outcome}
	return outcome, nil
}

// Settle lets everything arrive that is under way, and tells what was charged: by account, in minor units, and how many
// keys were charged more than once, which must be none.
func (p *Simulated) Settle() (charged map[string]int64, twice int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.arrive(p.cfg.Now().Add(p.cfg.LateBy))
	charged = map[string]int64{}
	for _, made := range p.history {
		for _, m := range made {
			charged[m.Account] += m.Amount
		}
		if len(made) > 1 {
			twice++
		}
	}
	return charged, twice
}

// Asked is how many charges were asked for, repetitions included.
func (p *Simulated) Asked() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked
}
