package repair

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/ballastdb/ballast/fsm/journal"
)

const (
	// fetchBytes is what one Fetch asks for.
	fetchBytes = 256 << 10
	// defaultRetry and maxRetry are the pauses after a round in which a hole was not filled: the first, and the longest.
	defaultRetry = time.Second
	maxRetry     = time.Minute
)

// Journal is a journal with holes: *fsm.FSM is one.
type Journal interface {
	// JournalHoles are what is missing, oldest first.
	JournalHoles() []journal.Hole
	// JournalMissing receives a value when there may be a new hole.
	JournalMissing() <-chan struct{}
	// FillJournal starts to fill a hole, or goes on.
	FillJournal(h journal.Hole) (*journal.Filler, error)
	// DistrustJournal makes what is before a hole part of it.
	DistrustJournal(h journal.Hole) error
}

// Source is a member to fetch entries from.
type Source struct {
	// Name of it, for people.
	Name string
	// Fetch answers whole entries that follow entry after: up to maxBytes, but at least one; none where its journal ends. An
	// error is why it cannot. It must end in bounded time.
	Fetch func(ctx context.Context, after uint64, maxBytes int) ([]byte, error)
}

// BackfillConfig is what a Backfill needs.
type BackfillConfig struct {
	// Journal to fill. Required.
	Journal Journal
	// Sources are the members to ask now, in the order to ask them in: the leader last. Required.
	Sources func() []Source
	// Rate of fetching, bytes a second; 0: no limit. nil: none.
	Rate func() uint64
	// Retry is the first pause where nobody had what is missing; it doubles up to a minute. Default 1 s.
	Retry  time.Duration
	Logger hclog.Logger
}

// Progress of a Backfill.
type Progress struct {
	// Holes, and the entries and bytes that are still missing in them.
	Holes   int
	Entries uint64
	Bytes   uint64
	// From is the member that is being fetched from; empty: none is.
	From string
	// Fetched bytes of the present hole in this run, and since when.
	Fetched uint64
	Since   time.Time
	// Problem is why nothing is fetched, until the next attempt; nil: none.
	Problem error
}

// Rate of the present hole, bytes a second, with pauses; 0 where nothing is fetched.
func (p Progress) Rate(now time.Time) float64 {
	if p.From == "" || !now.After(p.Since) {
		return 0
	}
	return float64(p.Fetched) / now.Sub(p.Since).Seconds()
}

// Backfill fills the holes of a journal from other members, the newest hole first, behind everything else that goes on. Run
// is its only goroutine.
type Backfill struct {
	cfg BackfillConfig

	// Of Run's goroutine.
	filler *journal.Filler // of the hole that was tried last; nil: none is kept
	free   time.Time       // when the rate allows the next fetch
	blamed map[string]int  // how often what a source gave led elsewhere

	mu       sync.Mutex
	progress Progress
	filled   journal.Position // of the present hole
}

// NewBackfill makes one; Run does the work.
func NewBackfill(c BackfillConfig) *Backfill {
	if c.Logger == nil {
		c.Logger = hclog.NewNullLogger()
	}
	if c.Rate == nil {
		c.Rate = func() uint64 { return 0 }
	}
	c.Retry = cmp.Or(c.Retry, defaultRetry)
	return &Backfill{cfg: c, blamed: map[string]int{}}
}

// Run fills holes until ctx ends, and waits for new ones.
func (b *Backfill) Run(ctx context.Context) {
	defer func() {
		if err := b.close(); err != nil {
			b.cfg.Logger.Error("what was filled in of the journal could not be closed", "error", err)
		}
	}()
	pause := b.cfg.Retry
	for {
		holes := b.cfg.Journal.JournalHoles()
		if len(holes) == 0 {
			select {
			case <-ctx.Done():
				return
			case <-b.cfg.Journal.JournalMissing():
			}
			continue
		}
		err := b.fill(ctx, holes[len(holes)-1])
		b.report(err)
		if err == nil {
			pause = b.cfg.Retry
			continue
		}
		if !b.wait(ctx, pause) {
			return
		}
		pause = min(2*pause, max(maxRetry, b.cfg.Retry))
	}
}

// wait is false when ctx has ended. A new hole ends it early.
func (b *Backfill) wait(ctx context.Context, pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
	case <-b.cfg.Journal.JournalMissing():
	}
	return true
}

// attempt is what the sources said to one hole in one round.
type attempt struct {
	asked    int
	against  []journal.Position // where a source gave what does not follow, and nothing that does
	gave     []string           // those that gave something
	problems []error
}

// contradicted is how many sources say that what is here up to at is wrong.
func (a *attempt) contradicted(at journal.Position) (n int) {
	for _, p := range a.against {
		if p == at {
			n++
		}
	}
	return n
}

// fill fills a hole from one source after the other. What it has of it where that fails is kept for the next attempt.
func (b *Backfill) fill(ctx context.Context, hole journal.Hole) error {
	f, err := b.open(hole)
	if errors.Is(err, journal.ErrReplaced) {
		return nil // the journal is another by now
	} else if err != nil {
		return err
	}
	b.begin(f)
	err = b.fillFrom(ctx, f, b.sources())
	switch {
	case err == nil:
		return b.close()
	case errors.Is(err, journal.ErrReplaced):
		b.cfg.Logger.Info("a hole of the journal is gone", "from", hole.After.Sequence+1, "to", hole.Until.Sequence)
		return errors.Join(f.Discard(), b.close())
	}
	return err
}

// open is the filler of a hole: that of the attempt before, which need not be read and checked again, if it was the same.
func (b *Backfill) open(hole journal.Hole) (*journal.Filler, error) {
	if b.filler != nil && b.filler.Hole() == hole {
		return b.filler, nil
	}
	if err := b.close(); err != nil {
		return nil, err
	}
	f, err := b.cfg.Journal.FillJournal(hole)
	if err == nil {
		b.filler = f
	}
	return f, err
}

func (b *Backfill) close() error {
	f := b.filler
	if f == nil {
		return nil
	}
	b.filler = nil
	return f.Close()
}

func (b *Backfill) fillFrom(ctx context.Context, f *journal.Filler, sources []Source) error {
	hole := f.Hole()
	var a attempt
	for _, s := range sources {
		done, err := b.ask(ctx, s, f, &a)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if done {
			b.cfg.Logger.Info("entries of the journal that were missing are here", "from", hole.After.Sequence+1, "to", hole.Until.Sequence,
				"bytes", hole.Bytes())
			return nil
		}
		if errors.Is(err, journal.ErrReplaced) {
			return err
		}
		a.problems = append(a.problems, fmt.Errorf("%s: %w", s.Name, err))
	}
	return b.judge(f, &a)
}

// ask fetches from one source until the hole is filled and part of the journal, or the source fails.
func (b *Backfill) ask(ctx context.Context, s Source, f *journal.Filler, a *attempt) (done bool, err error) {
	a.asked++
	b.from(s.Name)
	until, from := f.Hole().Until.Sequence, f.At().Sequence
	for f.At().Sequence < until {
		if err := b.pace(ctx); err != nil {
			return false, err
		}
		at := f.At()
		entries, err := s.Fetch(ctx, at.Sequence, int(min(fetchBytes, f.Hole().Until.Bytes-at.Bytes)))
		if err == nil && len(entries) == 0 {
			err = fmt.Errorf("its journal ends at entry %d", at.Sequence)
		}
		if err != nil {
			return false, err
		}
		if err := b.write(s, f, entries, a); err != nil {
			return false, err
		}
		if f.At().Sequence > from && !slices.Contains(a.gave, s.Name) {
			a.gave = append(a.gave, s.Name)
		}
	}
	return true, f.Commit()
}

// write takes what a source gave, and holds it against the source where it does not fit.
func (b *Backfill) write(s Source, f *journal.Filler, entries []byte, a *attempt) error {
	at := f.At()
	err := f.Write(entries)
	b.count(f.At(), len(entries))
	switch {
	case errors.Is(err, journal.ErrForeign):
		// All of it is dropped, and who gave the wrong part is not known: all are asked last from now on.
		a.gave = append(a.gave, s.Name)
		b.blame(a.gave)
		b.cfg.Logger.Error("entries of the journal that were fetched are not the ones that are missing; all of them are dropped",
			"given by", a.gave, "error", err)
	case errors.Is(err, journal.ErrCorrupt):
		if f.At() == at {
			a.against = append(a.against, at)
		}
		b.cfg.Logger.Error("a member gives entries of the journal that do not follow the ones here", "member", s.Name, "error", err)
	}
	return err
}

// judge draws conclusions where no source could fill the hole. What was filled in is dropped where anybody contradicts it: it
// cannot be told who is right, and others may begin better. What is before the hole is dropped only where all members
// contradict it.
func (b *Backfill) judge(f *journal.Filler, a *attempt) error {
	if a.asked == 0 {
		return errors.New("there is no other member to fetch the journal from")
	}
	at, hole := f.At(), f.Hole()
	problem := fmt.Errorf("no member gives entry %d of the journal: %w", at.Sequence+1, errors.Join(a.problems...))
	against := a.contradicted(at)
	switch {
	case against > 0 && at != hole.After:
		b.blame(a.gave)
		b.cfg.Logger.Error("what was filled in of the journal is dropped: another member contradicts it",
			"from", hole.After.Sequence+1, "to", at.Sequence, "given by", a.gave)
		return errors.Join(problem, f.Discard())
	case against == a.asked && hole.After.Sequence > 0:
		b.cfg.Logger.Error("all other members contradict the journal before a hole: it is fetched anew", "hole", hole.After.Sequence+1)
		return errors.Join(problem, b.cfg.Journal.DistrustJournal(hole))
	}
	return problem
}

// blame has those who gave something that led elsewhere asked last from now on.
func (b *Backfill) blame(names []string) {
	for _, name := range names {
		b.blamed[name]++
	}
}

// sources are the members, those last that gave what was wrong before.
func (b *Backfill) sources() []Source {
	list := slices.Clone(b.cfg.Sources())
	slices.SortStableFunc(list, func(x, y Source) int { return cmp.Compare(b.blamed[x.Name], b.blamed[y.Name]) })
	return list
}

// pace waits until the rate allows the next fetch.
func (b *Backfill) pace(ctx context.Context) error {
	wait := time.Until(b.free)
	if wait <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// Progress tells how far it is.
func (b *Backfill) Progress() Progress {
	holes := b.cfg.Journal.JournalHoles()
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.progress
	p.Holes = len(holes)
	for _, h := range holes {
		at := h.After
		if h.After.Sequence <= b.filled.Sequence && b.filled.Sequence <= h.Until.Sequence {
			at = b.filled
		}
		p.Entries += h.Until.Sequence - at.Sequence
		p.Bytes += h.Until.Bytes - at.Bytes
	}
	if p.Holes == 0 {
		p = Progress{}
	}
	return p
}

func (b *Backfill) begin(f *journal.Filler) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.progress, b.filled = Progress{Since: time.Now()}, f.At()
}

func (b *Backfill) from(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.progress.From = name
}

// count notes bytes that were fetched, and what the rate makes of them.
func (b *Backfill) count(at journal.Position, bytes int) {
	if rate := b.cfg.Rate(); rate > 0 {
		if now := time.Now(); b.free.Before(now) {
			b.free = now
		}
		b.free = b.free.Add(time.Duration(float64(bytes) / float64(rate) * float64(time.Second)))
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.filled = at
	b.progress.Fetched += uint64(bytes)
}

// report notes how an attempt ended.
func (b *Backfill) report(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.progress.From, b.progress.Problem = "", err
	if err != nil && !errors.Is(err, context.Canceled) {
		b.cfg.Logger.Warn("entries of the journal are still missing; another attempt follows", "error", err)
	}
}
