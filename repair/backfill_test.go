package repair

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/ballastdb/ballast/fsm/journal"
	"github.com/ballastdb/ballast/internal/vfs"
)

// lines is a journal.Format: length 1 | low byte of the chain behind the entry 1 | payload.
type lines struct{}

func (lines) Size(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	if b[0] < 2 {
		return 0, errors.New("short entry")
	}
	return int(b[0]), nil
}

func (lines) Chain(before journal.Hash, sequence uint64, entry []byte) (journal.Hash, error) {
	after := chain(before, sequence, entry[2:])
	if entry[1] != byte(after[0]) {
		return after, errors.New("its hash does not fit")
	}
	return after, nil
}

func (lines) MaxSize() int { return 255 }

func chain(before journal.Hash, sequence uint64, payload []byte) journal.Hash {
	b := fmt.Appendf(nil, "%x %x %d %s", before[0], before[1], sequence, payload)
	sum := sha256.Sum256(b)
	return journal.Hash{binary.LittleEndian.Uint64(sum[:]), binary.LittleEndian.Uint64(sum[8:])}
}

// history is all entries, and where each ends.
type history struct {
	bytes []byte
	ends  []journal.Position
}

func newHistory(n int, name string) *history {
	h := &history{ends: []journal.Position{{}}}
	for range n {
		pos := h.ends[len(h.ends)-1]
		payload := fmt.Sprintf("%s %d", name, pos.Sequence)
		pos.Sequence++
		pos.Hash = chain(pos.Hash, pos.Sequence, []byte(payload))
		h.bytes = append(append(h.bytes, byte(len(payload)+2), byte(pos.Hash[0])), payload...)
		pos.Bytes = uint64(len(h.bytes))
		h.ends = append(h.ends, pos)
	}
	return h
}

// source serves a history until entry upTo; 0: all of it.
func (h *history) source(name string, upTo uint64) Source {
	return Source{Name: name, Fetch: func(_ context.Context, after uint64, maxBytes int) ([]byte, error) {
		if upTo > 0 && after >= upTo {
			return nil, errors.New("not here")
		}
		until := after + 1
		for until+1 < uint64(len(h.ends)) && h.ends[until+1].Bytes-h.ends[after].Bytes <= uint64(min(maxBytes, 500)) {
			until++
		}
		return h.bytes[h.ends[after].Bytes:h.ends[until].Bytes], nil
	}}
}

// store makes a journal what Backfill works on.
type store struct{ *journal.Journal }

func (s store) JournalHoles() []journal.Hole                        { return s.Holes() }
func (s store) JournalMissing() <-chan struct{}                     { return s.Missing() }
func (s store) FillJournal(h journal.Hole) (*journal.Filler, error) { return s.Fill(h) }
func (s store) DistrustJournal(h journal.Hole) error                { return s.Distrust(h) }

const held, total = 100, 400

// holed is a journal of the first 100 entries of before, and a hole to the end of h.
func holed(t *testing.T, before, h *history) store {
	t.Helper()
	j, err := journal.Open(journal.Config{Dir: "/journal", FS: vfs.NewMem(), Format: lines{}, SegmentBytes: 700})
	must(t, err)
	t.Cleanup(func() { must(t, j.Close()) })
	var hashes [][2]uint64
	for _, end := range before.ends[1 : held+1] {
		hashes = append(hashes, end.Hash)
	}
	must(t, j.Append(before.bytes[:before.ends[held].Bytes], hashes))
	must(t, j.Place(h.ends[total]))
	return store{j}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// start runs a Backfill until the test ends.
func start(t *testing.T, s store, rate uint64, sources ...Source) *Backfill {
	t.Helper()
	b := NewBackfill(BackfillConfig{
		Journal: s, Sources: func() []Source { return sources }, Rate: func() uint64 { return rate }, Retry: time.Millisecond,
	})
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { b.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	return b
}

// until waits for a condition.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s did not come", what)
		}
	}
}

func untilWhole(t *testing.T, s store, h *history) {
	t.Helper()
	until(t, "a whole journal", func() bool { return len(s.Holes()) == 0 })
	var all []byte
	for at := uint64(0); at < total; {
		b, err := s.ReadEntries(at, 1<<20)
		must(t, err)
		all = append(all, b...)
		for ; at < total && h.ends[at].Bytes < uint64(len(all)); at++ {
		}
	}
	if !bytes.Equal(all, h.bytes) {
		t.Fatalf("the journal has %d bytes that are not the %d that it should", len(all), len(h.bytes))
	}
}

// TestBackfillFromWhoeverHasIt: members that are gone, behind, or give what is wrong do not keep a hole from being filled.
func TestBackfillFromWhoeverHasIt(t *testing.T) {
	h, other := newHistory(total, "entry"), newHistory(total, "forged")
	forged := &history{bytes: append(bytes.Clone(h.bytes[:h.ends[200].Bytes]), other.bytes...), ends: h.ends}
	// A history that parts from the right one within the hole and chains all the way.
	liar := newHistory(total, "entry")
	liar.fork(150, "lie")
	gone := Source{Name: "gone", Fetch: func(context.Context, uint64, int) ([]byte, error) { return nil, errors.New("not reached") }}
	empty := Source{Name: "empty", Fetch: func(context.Context, uint64, int) ([]byte, error) { return nil, nil }}
	for name, sources := range map[string][]Source{
		"alone":                  {h.source("a", 0)},
		"one is gone":            {gone, empty, h.source("a", 0)},
		"one has the same hole":  {h.source("b", held), h.source("a", 0)},
		"each has a part":        {h.source("b", 200), h.source("c", 300), h.source("a", 0)},
		"one is damaged":         {forged.source("b", 0), h.source("a", 0)},
		"one lies to the end":    {liar.source("b", 0), h.source("a", 0)},
		"two give a lie its end": {liar.source("b", 300), h.source("a", 0)},
	} {
		t.Run(name, func(t *testing.T) {
			s := holed(t, h, h)
			b := start(t, s, 0, sources...)
			untilWhole(t, s, h)
			until(t, "rest", func() bool { return b.Progress() == Progress{} })
			must(t, s.Place(h.ends[200]))
			must(t, s.Place(h.ends[total])) // a new hole wakes it
			untilWhole(t, s, h)
		})
	}
}

// fork makes what follows entry at another history.
func (h *history) fork(at int, name string) {
	h.bytes, h.ends = h.bytes[:h.ends[at].Bytes], h.ends[:at+1]
	for len(h.ends) <= total {
		pos := h.ends[len(h.ends)-1]
		payload := fmt.Sprintf("%s %d", name, pos.Sequence)
		pos.Sequence++
		pos.Hash = chain(pos.Hash, pos.Sequence, []byte(payload))
		h.bytes = append(append(h.bytes, byte(len(payload)+2), byte(pos.Hash[0])), payload...)
		pos.Bytes = uint64(len(h.bytes))
		h.ends = append(h.ends, pos)
	}
}

// TestBackfillReplacesAnotherHistory: all members say that what is before the hole is wrong. As long as one of them cannot be
// asked, nothing is thrown away.
func TestBackfillReplacesAnotherHistory(t *testing.T) {
	h, other := newHistory(total, "entry"), newHistory(total, "another")
	s := holed(t, other, h)
	var mu sync.Mutex
	reached, asked := false, 0
	second := h.source("b", 0)
	fetch := second.Fetch
	second.Fetch = func(ctx context.Context, after uint64, maxBytes int) ([]byte, error) {
		mu.Lock()
		defer mu.Unlock()
		if asked++; !reached {
			return nil, errors.New("not reached")
		}
		return fetch(ctx, after, maxBytes)
	}
	start(t, s, 0, h.source("a", 0), second)
	until(t, "a second attempt", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return asked > 1
	})
	if holes := s.Holes(); len(holes) != 1 || holes[0].After != other.ends[held] {
		t.Fatalf("the holes are %+v: thrown away on one member's word", holes)
	}
	mu.Lock()
	reached = true
	mu.Unlock()
	untilWhole(t, s, h)
}

// TestBackfillTellsItsProgress, keeps its rate, and ends when it is told to, also while a source hangs.
func TestBackfillTellsItsProgress(t *testing.T) {
	h := newHistory(total, "entry")
	s := holed(t, h, h)
	hung := make(chan struct{})
	source := h.source("a", 200)
	fetch := source.Fetch
	source.Fetch = func(ctx context.Context, after uint64, maxBytes int) ([]byte, error) {
		if after >= 200 {
			close(hung)
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return fetch(ctx, after, maxBytes)
	}
	started := time.Now()
	b := start(t, s, 10_000, source)
	<-hung
	p := b.Progress()
	left := h.ends[total].Bytes - h.ends[200].Bytes
	at := h.ends[200].Bytes - h.ends[held].Bytes
	if p.Holes != 1 || p.From != "a" || p.Entries > 200 || p.Bytes > left || p.Fetched < at || p.Rate(time.Now()) <= 0 {
		t.Errorf("the progress is %+v, want at most %d entries and %d bytes left", p, total-200, left)
	}
	// A limit is held if no more than the first fetch came before its time.
	if least := time.Duration(at-500) * time.Second / 10_000; time.Since(started) < least {
		t.Errorf("%d bytes came in %v, the rate allows them in %v", at, time.Since(started), least)
	}
}

func TestBackfillTellsItsProblem(t *testing.T) {
	h := newHistory(total, "entry")
	b := start(t, holed(t, h, h), 0, h.source("b", held))
	until(t, "a problem", func() bool { return b.Progress().Problem != nil })
	alone := start(t, holed(t, h, h), 0)
	until(t, "a problem", func() bool { return alone.Progress().Problem != nil })
}
