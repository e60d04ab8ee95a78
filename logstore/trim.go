package logstore

import (
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

const (
	// lookInterval is how often it is looked for what has become too old, and for pins that have expired. What is less than a step
	// is left for at least trimInterval.
	lookInterval = time.Second
	trimInterval = 10 * time.Second
	// One step of trimming deletes at most so much; appends wait for one step. What is to go is left until it is worth a step,
	// so that trimming is one write for many appends.
	boltChunkBytes, boltChunkEntries = 4 << 20, deleteChunk
	walChunkBytes, walChunkEntries   = 32 << 20, 1 << 20
	// trimFraction of the retention is a step at most, so that a small retention is kept to as well.
	trimFraction = 16
	// sampleReads bounds the entries that are read to weigh what was in the log at open.
	sampleReads = 16_384
)

// trimmer is the store's own goroutine: it weighs what was there at open, then deletes what may go.
type trimmer struct {
	chunkBytes, chunkEntries uint64
	// last is when the store last began to trim, target the index up to which, and due the weight of the log at which it looks
	// again; keeping guards them.
	last        time.Time
	target, due uint64

	wakes   chan struct{}
	closing chan struct{}
	once    sync.Once
	done    sync.WaitGroup
}

func (t *trimmer) init(kind Kind) {
	t.chunkBytes, t.chunkEntries = boltChunkBytes, boltChunkEntries
	if kind == WAL {
		t.chunkBytes, t.chunkEntries = walChunkBytes, walChunkEntries
	}
	t.wakes, t.closing = make(chan struct{}, 1), make(chan struct{})
}

func (t *trimmer) start(s *Store) { t.done.Go(func() { s.keepTrimmed() }) }

func (t *trimmer) stop() {
	t.once.Do(func() { close(t.closing) })
	t.done.Wait()
}

// ending tells whether Close was called.
func (t *trimmer) ending() bool {
	select {
	case <-t.closing:
		return true
	default:
		return false
	}
}

// rest waits as long as the step before took, so that trimming has at most half of the disk's time.
func (t *trimmer) rest(took time.Duration) {
	select {
	case <-t.closing:
	case <-time.After(min(took, time.Second)):
	}
}

// wake has the trimmer look at once; it never waits.
func (s *Store) wake() {
	select {
	case s.trimming.wakes <- struct{}{}:
	default:
	}
}

// keepTrimmed runs until Close.
func (s *Store) keepTrimmed() {
	s.weighOpened()
	ticker := time.NewTicker(lookInterval)
	defer ticker.Stop()
	for {
		if err := s.trimAll(); err != nil {
			// A write error was told to Fatal already.
			s.logger.Error("the old end of the log cannot be deleted", "error", err)
		}
		select {
		case <-s.trimming.closing:
			return
		case <-s.trimming.wakes:
		case <-ticker.C:
		}
	}
}

// trimAll deletes what may go, step by step.
func (s *Store) trimAll() error {
	for _, step := range []func() (bool, error){s.sweep, func() (bool, error) { return s.trimStep(time.Now()) }} {
		for more := true; more && !s.trimming.ending(); {
			began := time.Now()
			var err error
			if more, err = step(); err != nil {
				return err
			}
			if more {
				s.trimming.rest(time.Since(began))
			}
		}
	}
	return nil
}

// trimStep deletes one chunk of what the retention no longer keeps, and says whether there may be more.
func (s *Store) trimStep(now time.Time) (more bool, err error) {
	s.appends.Lock()
	defer s.appends.Unlock()
	s.keeping.Lock()
	set := s.keeper.set && s.weighed
	s.keeping.Unlock()
	if s.hooks.Load() == nil {
		return false, nil
	}
	if !set {
		// Pins expire all the same.
		s.keepFrom(now, 0)
		return false, nil
	}
	lowest := s.keepFrom(now, 0)
	first, last := s.bounds()
	if last == 0 || !s.worthwhile(now, max(first, lowest)) {
		return false, nil
	}
	if err := s.deleteOldest(s.chunk(lowest)); err != nil {
		return false, err
	}
	s.logger.Debug("deleted old entries of the log", "first", s.first.Load())
	return true, nil
}

// worthwhile tells whether what lies below lowest is worth a write: a full step, or whatever there is after a while.
func (s *Store) worthwhile(now time.Time, lowest uint64) bool {
	s.keeping.Lock()
	defer s.keeping.Unlock()
	w := &s.keeper.weights
	s.trimming.due = max(w.total, s.keeper.limits.Bytes) + s.step()
	going := w.total - w.from(lowest)
	switch {
	case going == 0:
		return false
	case s.first.Load() < s.trimming.target:
		return true // It has begun.
	case going < s.step() && now.Sub(s.trimming.last) < trimInterval:
		return false
	}
	s.trimming.last, s.trimming.target = now, lowest
	return true
}

// step is what must be too much before it is deleted at once. The caller holds keeping.
func (s *Store) step() uint64 {
	step := s.trimming.chunkBytes
	if limit := s.keeper.limits.Bytes; limit > 0 {
		step = min(step, limit/trimFraction)
	}
	return step
}

// weighAppended weighs entries that were appended. The caller holds appends.
func (s *Store) weighAppended(logs []*raft.Log) {
	s.keeping.Lock()
	var bytes uint64
	for _, log := range logs {
		at := log.AppendedAt
		if at.IsZero() {
			at = time.Now()
		}
		s.keeper.weights.add(log.Index, weigh(log), at)
		bytes += weigh(log)
	}
	k := &s.keeper
	due := k.set && k.limits.Bytes > 0 && k.weights.total >= s.trimming.due
	s.keeping.Unlock()
	if due {
		s.wake()
	}
}

// weighOpened weighs what was in the log at open, by samples: one entry stands for its neighbours. It reads sampleReads
// entries at most, the newest first, so that entries without a time have that of the next one that has.
func (s *Store) weighOpened() {
	s.appends.Lock()
	first, last := s.bounds()
	s.appends.Unlock()
	older := s.sample(first, last)
	s.appends.Lock()
	defer s.appends.Unlock()
	s.keeping.Lock()
	defer s.keeping.Unlock()
	w := &s.keeper.weights
	// Meanwhile the log may have been cut at either end, and have grown again.
	if first, last := s.bounds(); last == 0 {
		older.clear()
	} else {
		older.dropBelow(first)
		older.cutFrom(last + 1)
	}
	w.prepend(older)
	s.weighed = true
}

func (s *Store) sample(first, last uint64) weights {
	if last == 0 {
		return weights{}
	}
	stride := max(blockEntries, (last-first)/sampleReads+1)
	var blocks []block // the newest first
	var total uint64
	newest := time.Now()
	for high := last; high >= first && !s.trimming.ending(); {
		low := first
		if high-first >= stride {
			low = high - stride + 1
		}
		var log raft.Log
		// The middle one: the first of a range is more often a small one, of a new leader.
		if err := s.backend.GetLog(low+(high-low)/2, &log); err != nil {
			// It was deleted meanwhile; what is deleted needs no weight.
			break
		}
		if !log.AppendedAt.IsZero() {
			newest = log.AppendedAt
		}
		count := high - low + 1
		blocks = append(blocks, block{first: low, count: count, bytes: count * weigh(&log), newest: newest})
		total += count * weigh(&log)
		high = low - 1
	}
	older := weights{total: total}
	for i := len(blocks) - 1; i >= 0; i-- {
		older.blocks = append(older.blocks, blocks[i])
	}
	return older
}
