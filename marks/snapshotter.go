package marks

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/ballastdb/ballast/fsm"
	"github.com/ballastdb/ballast/fsm/page"
	"github.com/ballastdb/ballast/snapshots"
)

// Raft is what is asked of the raft library; *raft.Raft is one.
type Raft interface{ Snapshot() raft.SnapshotFuture }

// SnapshotterConfig is what a Snapshotter needs.
type SnapshotterConfig struct {
	Machine *fsm.FSM
	Store   *snapshots.RaftStore
	Raft    Raft
	Logger  hclog.Logger
	// Room says why there is none for a snapshot on the disk now, or nil; nil: nobody looks.
	Room func() error
	// Clock measures how long a snapshot takes. Default time.Now.
	Clock func() time.Time
}

// Status of a member's snapshots since its process started.
type Status struct {
	// Index and Term of the newest snapshot; 0: there is none.
	Index, Term uint64
	// Taken, Failed and Skipped count marks. Of one that failed the next one takes the place.
	Taken, Failed, Skipped uint64
	// Writing is the index of the mark that is being written, 0: none; Pages of OfPages of it have been dealt with.
	Writing, Pages, OfPages uint64
	// Bytes is what the newest of them wrote into its pack, Took how long that took from picking up the mark.
	Bytes uint64
	Took  time.Duration
	// Error is why the newest that failed did; nil: none.
	Error error
}

// Snapshotter takes a snapshot at every mark that the state machine pins. Run is its only goroutine.
type Snapshotter struct {
	cfg SnapshotterConfig

	mu     sync.Mutex
	status Status
	failed uint64 // newest mark of which no snapshot could be taken
	pages  atomic.Uint64
	// changed is closed and replaced when a mark was dealt with.
	changed chan struct{}
}

// NewSnapshotter returns a Snapshotter that does nothing before Run.
func NewSnapshotter(cfg SnapshotterConfig) *Snapshotter {
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	return &Snapshotter{cfg: cfg, changed: make(chan struct{})}
}

// Run takes snapshots until ctx ends. One that is being written is given up then.
func (s *Snapshotter) Run(ctx context.Context) {
	for {
		select {
		case m := <-s.cfg.Machine.Marks():
			s.take(ctx, m)
		case <-ctx.Done():
			return
		}
	}
}

// Status tells what was done so far.
func (s *Snapshotter) Status() Status {
	s.mu.Lock()
	status := s.status
	s.mu.Unlock()
	status.Index, status.Term = s.cfg.Store.NewestSnapshot()
	status.Skipped = s.cfg.Machine.Weight().Skipped
	if status.Writing > 0 {
		status.Pages = min(s.pages.Load(), status.OfPages)
	}
	return status
}

// Taken waits until no mark is being written, and answers the newest snapshot's index where that is index or later; 0: it is not.
// Where that of index failed the error says why.
func (s *Snapshotter) Taken(ctx context.Context, index uint64) (uint64, error) {
	for {
		s.mu.Lock()
		changed, failed, why := s.changed, s.failed, s.status.Error
		s.mu.Unlock()
		at, _ := s.cfg.Store.NewestSnapshot()
		switch {
		case index > 0 && at >= index:
			return at, nil
		case index > 0 && failed == index:
			return 0, fmt.Errorf("snapshot of index %d: %w", index, why)
		case !s.cfg.Machine.Snapshotting():
			return 0, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

// take deals with one mark.
func (s *Snapshotter) take(ctx context.Context, m *fsm.Mark) {
	s.mu.Lock()
	s.status.Writing, s.status.OfPages = m.Index(), m.Pages()
	s.pages.Store(0)
	s.mu.Unlock()
	began := s.cfg.Clock()
	written, err := s.publish(ctx, m)
	s.note(m, written, s.cfg.Clock().Sub(began), err)
	m.Release()
	s.mu.Lock() // who waits now sees both what became of it and that it is released
	defer s.mu.Unlock()
	close(s.changed)
	s.changed = make(chan struct{})
}

// publish writes the snapshot and has raft publish it.
func (s *Snapshotter) publish(ctx context.Context, m *fsm.Mark) (written uint64, err error) {
	if s.cfg.Room != nil {
		if err := s.cfg.Room(); err != nil {
			return 0, err
		}
	}
	ended := func() error { return errors.Join(ctx.Err(), m.Err()) }
	p, err := s.cfg.Store.Prepare(m.Index(), m.Term(), ended)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, p.Drop()) }()
	if err := m.Write(counted{p, &s.pages}); err != nil {
		return 0, err
	}
	if err := p.Seal(); err != nil {
		return 0, err
	}
	if newest := s.cfg.Machine.Weight().Configuration; newest > m.Index() {
		return 0, fmt.Errorf("%w: that is at %d", errConfiguration, newest)
	}
	m.Offer()
	// Raft answers when it has noted the snapshot, or shuts down. Until then the mark stays pinned: see fsm.HoldSnapshots.
	if err := s.cfg.Raft.Snapshot().Error(); err != nil {
		return 0, errors.Join(err, m.Err()) // raft's own error names the cause in words only
	}
	return p.Written(), nil
}

// counted is a sink that counts pages.
type counted struct {
	*snapshots.Prepared
	pages *atomic.Uint64
}

// Page is fsm.PageSink's.
func (c counted) Page(p page.Page) error {
	c.pages.Add(1)
	return c.Prepared.Page(p)
}

func (s *Snapshotter) note(m *fsm.Mark, written uint64, took time.Duration, err error) {
	s.mu.Lock()
	s.status.Writing, s.status.OfPages = 0, 0
	if err == nil {
		s.status.Taken++
		s.status.Bytes, s.status.Took = written, took
	} else {
		s.status.Failed++
		s.status.Error, s.failed = err, m.Index()
	}
	s.mu.Unlock()

	log := s.cfg.Logger.With("index", m.Index(), "term", m.Term(), "took", took)
	switch {
	case err == nil:
		log.Info("took a snapshot", "bytes", written)
	case givenUp(err):
		log.Info("a snapshot is given up", "reason", err)
	default:
		log.Error("no snapshot could be taken at this mark; the next one is tried", "error", err)
	}
}

// errConfiguration: raft and the store would refuse it too, and call that an error.
var errConfiguration = errors.New("the configuration has changed behind the mark; there is a mark behind that, too")

// givenUp tells whether something else came first, which is no failure.
func givenUp(err error) bool {
	return errors.Is(err, fsm.ErrHeld) || errors.Is(err, fsm.ErrShuttingDown) || errors.Is(err, fsm.ErrReplaced) || errors.Is(err, errConfiguration) ||
		errors.Is(err, context.Canceled) || errors.Is(err, raft.ErrRaftShutdown)
}
