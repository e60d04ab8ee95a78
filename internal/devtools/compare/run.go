package compare

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/ballastdb/ballast/internal/procstat"
	"github.com/ballastdb/ballast/internal/workload"
)

// Options of a run. A value of 0 is the case's own.
type Options struct {
	// Dir is an empty directory on the disk to measure.
	Dir      string
	LogStore string
	// Accounts, Warmup, Duration and Rounds that all cases have instead of their own.
	Accounts         int
	Warmup, Duration time.Duration
	Rounds           int
	// Profiles is a directory for CPU profiles of the last round of each case's first target, and of the load generator's
	// process; empty: none are taken. They cost a little of what is measured.
	Profiles string
	// Without names systems that are left out, as if they were not there.
	Without []string
	Tell    func(line string)
}

// defaultRounds of a case without its own.
const defaultRounds = 2

// bench is a run under way.
type bench struct {
	options Options
	report  *Report
	running []*contender
	// failures are why figures do not count, and the run fails.
	failures []error
}

// contender is a system that was started.
type contender struct {
	System
	targets []Target // none: its figures do not count
	// perAccount is the memory of its largest member after it was filled, bytes an account; 0: not known.
	perAccount float64
}

// Run starts the systems that the cases need, measures, and ends them. The report is there whatever happened; the error
// says what did, and what must not be compared.
func Run(ctx context.Context, cases []Case, systems []System, o Options) (report *Report, err error) {
	b := &bench{options: o, report: newReport(o)}
	defer func() { err = errors.Join(err, b.stop()) }()
	for i := range cases {
		cases[i] = cases[i].scale(o.Accounts, o.Warmup, o.Duration, o.Rounds)
		if cases[i].Rounds == 0 {
			cases[i].Rounds = defaultRounds
		}
		if err := cases[i].Workload.Validate(); err != nil {
			return b.report, err
		}
	}
	for _, system := range systems {
		if err := b.start(ctx, system, cases); err != nil {
			return b.report, err
		}
	}
	b.report.skipUnknown(cases, b.running)
	for _, c := range cases {
		began := time.Now()
		if err := b.measure(ctx, c); err != nil {
			return b.report, err
		}
		b.tell("%s: %v", c.Name(), time.Since(began).Round(time.Second))
	}
	return b.report, errors.Join(b.failures...)
}

func (b *bench) tell(format string, args ...any) { b.options.Tell(fmt.Sprintf(format, args...)) }

// start starts and fills a system that a case needs. One that is not there is skipped; one that cannot be set up as it
// promises takes no part, and fails the run in the end.
func (b *bench) start(ctx context.Context, system System, cases []Case) error {
	accounts := 0
	for _, c := range cases {
		if slices.ContainsFunc(system.Targets(), func(t Target) bool { return slices.Contains(c.Targets, t.Name) }) {
			accounts = max(accounts, c.Workload.Accounts)
		}
	}
	switch {
	case accounts == 0:
		return nil // nobody asks for it
	case slices.Contains(b.options.Without, system.Name()):
		b.report.skip(system.Name(), "left out by --without")
		return nil
	}
	dir := filepath.Join(b.options.Dir, system.Name())
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	b.tell("starting %s", system.Name())
	began := time.Now()
	err := system.Start(ctx, Env{Dir: dir, LogStore: b.options.LogStore, Tell: b.options.Tell})
	switch {
	case errors.Is(err, ErrMissing):
		b.report.skip(system.Name(), err.Error())
		b.tell("skipped: %v", err)
		return nil
	case err != nil && ctx.Err() != nil:
		return err
	}
	r := &contender{System: system}
	b.running = append(b.running, r)
	if err == nil {
		b.report.Settings = append(b.report.Settings, SystemSettings{system.Name(), system.Settings()})
		r.targets = system.Targets()
		if err = errors.Join(system.Prepare(ctx, accounts), ctx.Err()); err == nil {
			r.perAccount = float64(procstat.Resident(system.PIDs())) / float64(accounts)
		}
	}
	if err != nil {
		b.fail(r, err)
		return ctx.Err()
	}
	b.tell("%s is ready with %d accounts after %v", system.Name(), accounts, time.Since(began).Round(time.Second/10))
	return nil
}

// fail takes a system out of the run and its figures out of the report.
func (b *bench) fail(r *contender, err error) {
	b.failures = append(b.failures, fmt.Errorf("%s does not count: %w", r.Name(), err))
	b.tell("%s FAILED and does not count: %v", r.Name(), err)
	b.report.fail(r.Name(), err, r.targets)
	r.targets = nil
}

// measure lets the targets of a case take turns. Every round begins with the next target, so that none is always the
// one after another's work.
func (b *bench) measure(ctx context.Context, c Case) error {
	outcome := b.report.begin(c)
	for round := range c.Rounds {
		for i := range c.Targets {
			name := c.Targets[(i+round)%len(c.Targets)]
			r, target := b.find(name)
			if r == nil || slices.Contains(outcome.dropped, name) {
				continue
			}
			config := c.Workload
			config.Seed = uint64(round + 1)
			config.Accounts = max(config.Accounts/max(target.Share, 1), 2)
			profiles := ""
			if i := slices.Index(c.Targets, name); i == 0 && round == c.Rounds-1 {
				profiles = b.options.Profiles
			}
			t, err := b.turn(ctx, config, r, target, profiles)
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			var calls *failedCalls
			switch {
			case errors.As(err, &calls):
				b.drop(outcome, name, err)
				continue
			case err != nil:
				b.fail(r, fmt.Errorf("%s, %s: %w", c.Name(), name, err))
				continue
			}
			outcome.add(name, r, t)
			f := t.figures()
			b.tell("round %d of %d: %s, %s: %.0f ops/s, p50 %.2f ms, CPU %.1f + %.1f us/op, %.0f B/op written", round+1, c.Rounds, c.Name(), name,
				f[Throughput], f[P50], f[ServerCPU], f[ClientCPU], f[Written])
		}
	}
	return nil
}

// turn measures once, between two looks at whether the promise holds.
func (b *bench) turn(ctx context.Context, config workload.Config, r *contender, target Target, profiles string) (*turn, error) {
	if err := r.Verify(ctx); err != nil {
		return nil, fmt.Errorf("before it was measured: %w", err)
	}
	profiled := make(chan error, 1)
	go func() {
		if profiles == "" {
			profiled <- nil
			return
		}
		profiled <- profile(ctx, profiles, config.Name+"-"+target.Name, r.System, config.Warmup+config.Duration/4, config.Duration/2)
	}()
	t, err := takeTurn(ctx, config, r.System, target)
	err = errors.Join(err, <-profiled)
	if err != nil {
		return nil, err
	}
	if err := r.Verify(ctx); err != nil {
		return nil, fmt.Errorf("after it was measured: %w", err)
	}
	if t.result.Failed > 0 {
		return nil, &failedCalls{fmt.Errorf("%d calls failed, the last one with: %w", t.result.Failed, t.result.LastFailure)}
	}
	return t, nil
}

// failedCalls make a target's figures of one case worthless: what was acknowledged by too few is among them.
type failedCalls struct{ error }

func (e *failedCalls) Unwrap() error { return e.error }

// drop takes a target out of a case and its figures out of the report.
func (b *bench) drop(o *outcome, name string, err error) {
	b.failures = append(b.failures, fmt.Errorf("%s, %s does not count: %w", o.c.Name(), name, err))
	b.tell("%s, %s FAILED and does not count: %v", o.c.Name(), name, err)
	b.report.Failed = append(b.report.Failed, fmt.Sprintf("%s, %s: %v", o.c.Name(), name, err))
	o.drop(name)
}

func (b *bench) find(name string) (*contender, Target) {
	for _, r := range b.running {
		for _, t := range r.targets {
			if t.Name == name {
				return r, t
			}
		}
	}
	return nil, Target{}
}

// stop ends what was started, the last first.
func (b *bench) stop() error {
	var errs []error
	for _, r := range slices.Backward(b.running) {
		if err := r.Stop(); err != nil {
			errs = append(errs, fmt.Errorf("stop %s: %w", r.Name(), err))
		}
	}
	return errors.Join(errs...)
}
