package fsm

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/hashicorp/raft"

	"github.com/ballastdb/ballast/fsm/ledger"
	"github.com/ballastdb/ballast/fsm/page"
	"github.com/ballastdb/ballast/fsm/proposal"
	"github.com/ballastdb/ballast/internal/vfs"
)

// mark adds a snapshot mark, and gives it.
func (s *script) mark() []*raft.Log {
	s.command(proposal.EncodeMark(s.now, 1))
	return s.logs[len(s.logs)-1:]
}

// published is a MarkSink that notes what is published.
type published struct {
	t     *testing.T
	index []uint64
}

func (p *published) ID() string                { return "test" }
func (p *published) Write([]byte) (int, error) { return 0, errors.New("nothing is written") }
func (p *published) Close() error              { return nil }
func (p *published) Cancel() error             { return nil }

func (p *published) Publish(index, term uint64) error {
	if term == 0 {
		p.t.Errorf("index %d has no term", index)
	}
	p.index = append(p.index, index)
	return nil
}

// TestMembersPinAlike: however the log is cut into batches, and whenever the mark is written, members write the same pages
// at it, and record the same index and term.
func TestMembersPinAlike(t *testing.T) {
	s := newScript(4).grow(60)
	s.mark()
	at, term := s.index-1, s.term
	log := s.grow(80).logs
	var first *taken
	for seed := range uint64(5) {
		f := openOn(t, vfs.NewMem())
		deliver(f, log, rand.New(rand.NewPCG(seed, 1)))
		m := <-f.Marks()
		if m.Index() != at || m.Term() != term {
			t.Fatalf("pinned at index %d, term %d, want %d, %d", m.Index(), m.Term(), at, term)
		}
		var got sink
		must(t, m.Write(&got))
		m.Release()
		if header, err := decodeSnapshotHeader(got.meta); err != nil || header.index != at || header.term != term {
			t.Fatalf("seed %d: the snapshot is of index %d, term %d, %v; want %d, %d", seed, header.index, header.term, err, at, term)
		}
		if first == nil {
			first = &got.taken
		} else if !reflect.DeepEqual(&got.taken, first) {
			t.Fatalf("seed %d: another snapshot at the same mark", seed)
		}
	}
}

// TestOneMarkAtATime: a mark that comes while another is pinned is skipped; the next one is not.
func TestOneMarkAtATime(t *testing.T) {
	f := openOn(t, vfs.NewMem())
	s := newScript(4)
	settled := func(want uint64) {
		t.Helper()
		if got := f.Settled(); got != want {
			t.Errorf("settled is %d, want %d", got, want)
		}
	}
	f.ApplyBatch(s.logs)
	settled(0)
	f.ApplyBatch(s.mark())
	m := <-f.Marks()
	if !f.Weight().Busy {
		t.Error("not busy while a mark is pinned")
	}
	settled(m.Index() - 1)
	f.ApplyBatch(s.mark())
	settled(m.Index() - 1) // that is still being written
	if _, err := f.PinExact(); !errors.Is(err, ErrPinned) {
		t.Errorf("pinned twice: %v", err)
	}
	m.Release()
	settled(m.Index() + 1)
	if w := f.Weight(); len(f.Marks()) != 0 || w.Skipped != 1 || w.Busy {
		t.Errorf("%d marks are waiting, %+v; want none, and one skipped", len(f.Marks()), w)
	}
	f.ApplyBatch(s.mark())
	(<-f.Marks()).Release()
}

// TestNothingNewIsSaidAtOnce: raft gets a mark that was written and offered, once. Otherwise Snapshot itself fails: from
// anything else raft concludes that what it has applied is in a snapshot.
func TestNothingNewIsSaidAtOnce(t *testing.T) {
	f := openOn(t, vfs.NewMem())
	s := newScript(4)
	nothing := func(what string) {
		t.Helper()
		if _, err := f.Snapshot(); !errors.Is(err, raft.ErrNothingNewToSnapshot) {
			t.Errorf("%s: %v, want ErrNothingNewToSnapshot", what, err)
		}
	}
	nothing("empty")
	f.ApplyBatch(s.logs)
	nothing("without a mark")
	f.ApplyBatch(s.mark())
	nothing("with a mark that is only pinned")
	m := <-f.Marks()
	must(t, m.Write(new(sink)))
	f.ApplyBatch(s.grow(5).logs[len(s.logs)-5:])
	m.Offer()
	given, err := f.Snapshot()
	must(t, err)
	p := &published{t: t}
	must(t, given.Persist(p))
	given.Release()
	if !reflect.DeepEqual(p.index, []uint64{m.Index()}) {
		t.Errorf("published %v, want %d", p.index, m.Index())
	}
	nothing("while it is being published")
	m.Release()
	nothing("after it was published")
}

// TestWeight: log and changed pages since the newest mark, or since the snapshot that was restored.
func TestWeight(t *testing.T) {
	f := openOn(t, vfs.NewMem())
	s := newScript(4)
	for range 4 {
		ops := make([]ledger.Operation, 1000)
		for i := range ops {
			ops[i] = s.openAccount()
		}
		s.operations(ops...)
	}
	f.ApplyBatch(s.logs)
	before := f.Weight()
	if _, pages := changedSince(t, f, 0); before.SnapshotBytes != uint64(pages)*page.Size || before.Entries != uint64(len(s.logs)) {
		t.Errorf("%+v for %d pages and %d entries", before, pages, len(s.logs))
	}
	at := s.mark()
	f.ApplyBatch(at)
	(<-f.Marks()).Release()
	if w := f.Weight(); w != (Weight{Mark: at[0].Index, Configuration: 1}) {
		t.Errorf("right after a mark: %+v", w)
	}
	kept := persist(t, f)
	last := len(s.logs)
	for i := range 10 {
		s.operations(ledger.Operation{Kind: ledger.KindCredit, Credit: []byte(fmt.Sprintf("account-%d", 100*i)), Amount: 5})
	}
	restored := openOn(t, vfs.NewMem())
	must(t, install(restored, kept))
	for _, g := range []*FSM{f, restored} {
		g.ApplyBatch(s.logs[last:])
		w := g.Weight()
		if changed, _ := changedSince(t, g, at[0].Index); w.SnapshotBytes != uint64(changed)*page.Size || w.Entries != 10 || w.LogBytes < 10*entryOverhead || w.Mark != at[0].Index {
			t.Errorf("%+v for %d pages", w, changed)
		}
	}
}
