package fsm

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/ballastdb/ballast/fsm/journal"
	"github.com/ballastdb/ballast/fsm/ledger"
	"github.com/ballastdb/ballast/internal/vfs"
)

// TestJournalComesAfterTheState: with a snapshot of another member installed, and its journal not here yet, entries are
// applied and snapshots taken; statements give what is here and say what is not, and are whole when it has been fetched.
func TestJournalComesAfterTheState(t *testing.T) {
	log := newScript(2).grow(60).logs
	a := openOn(t, vfs.NewMem())
	a.ApplyBatch(log[:40])
	snapshot := persist(t, a)
	a.ApplyBatch(log[40:])
	want := portraitOf(t, a)
	for _, before := range []int{0, 12} {
		disk := vfs.NewMem()
		f := openOn(t, disk)
		f.ApplyBatch(log[:before])
		must(t, receive(f, snapshot))
		must(t, restore(f, snapshot))
		f.ApplyBatch(log[40:])
		mine := persistPages(t, f)
		for _, f := range []*FSM{f, restoredOn(t, disk.Crash(1), mine)} {
			holes := f.JournalHoles()
			if len(holes) != 1 {
				t.Fatalf("the holes are %+v, want one", holes)
			}
			requireGaps(t, f, a, holes[0])
			if _, err := f.ReadJournal(holes[0].After.Sequence, 1000); !errors.Is(err, ErrMissing) {
				t.Errorf("what is missing here is served to others: %v", err)
			}
			missing := bytes.Clone([]byte(want.journal))
			missing[(holes[0].After.Bytes+holes[0].Until.Bytes)/2] ^= 1
			if err := backfill(f, missing); !errors.Is(err, journal.ErrCorrupt) {
				t.Errorf("filled with a damaged entry: %v", err)
			}
			requireSame(t, filled(t, f, want), want, "filled")
		}
	}
}

// persistPages is persist where the journal has holes.
func persistPages(t *testing.T, f *FSM) *taken {
	t.Helper()
	m, err := f.PinExact()
	must(t, err)
	defer m.Release()
	var s sink
	must(t, m.Write(&s))
	return &s.taken
}

func restoredOn(t *testing.T, disk *vfs.Mem, s *taken) *FSM {
	t.Helper()
	f := openOn(t, disk)
	if holes := f.JournalHoles(); len(holes) > 0 {
		t.Errorf("before it has started it tells of holes: %+v", holes)
	}
	must(t, restore(f, s))
	return f
}

// requireGaps compares statements with those of a member that has all entries.
func requireGaps(t *testing.T, f, whole *FSM, hole journal.Hole) {
	t.Helper()
	reached := 0
	for slot := range uint32(6) {
		var id string
		whole.Read(func(s *ledger.State) {
			a, _ := s.AccountBySlot(slot)
			id = a.ID
		})
		all, err := whole.Statement(t.Context(), StatementQuery{Account: []byte(id), Before: 0, Limit: 1000})
		must(t, err)
		at := uint64(0)
		for _, e := range all.Entries {
			st, err := f.Statement(t.Context(), StatementQuery{Account: []byte(id), Before: at, Limit: 1000})
			if e.Sequence > hole.After.Sequence && e.Sequence <= hole.Until.Sequence {
				if reached++; !errors.Is(err, ErrMissing) || len(st.Entries) > 0 {
					t.Fatalf("statement of %s before %d: %d entries, %v; want ErrMissing", id, at, len(st.Entries), err)
				}
				break
			}
			if must(t, err); len(st.Entries) == 0 || st.Entries[0].Sequence != e.Sequence {
				t.Fatalf("statement of %s before %d: %+v, want entry %d", id, at, st.Entries, e.Sequence)
			}
			at = e.Sequence
		}
	}
	if reached == 0 {
		t.Error("no statement reached the hole")
	}
}

// TestRestoreOverAnotherJournal: what is on disk belongs to another history, shorter or longer.
func TestRestoreOverAnotherJournal(t *testing.T) {
	a := openOn(t, vfs.NewMem())
	a.ApplyBatch(newScript(2).grow(60).logs)
	good := persist(t, a)
	for _, entries := range []int{1, 20, 1000} {
		other := newScript(3)
		ops := make([]ledger.Operation, entries)
		for i := range ops {
			ops[i] = ledger.Operation{Kind: ledger.KindCredit, Credit: []byte("account-0"), Amount: 3}
		}
		other.operations(ops...)
		f := openOn(t, vfs.NewMem())
		f.ApplyBatch(other.logs)
		must(t, receive(f, good))
		must(t, restore(f, good))
		if hole := f.JournalHoles()[0]; hole.After.Sequence > 0 {
			if err := backfill(f, good.journal); !errors.Is(err, journal.ErrCorrupt) {
				t.Fatalf("%d entries of another history are filled up: %v", entries, err)
			}
			must(t, f.DistrustJournal(hole))
		}
		must(t, backfill(f, good.journal))
		requireSame(t, portraitOf(t, f), portraitOf(t, a), "restored over another journal")
	}
}

// TestScrubOfTheJournal: a damaged entry becomes a hole, and the segment is fetched again.
func TestScrubOfTheJournal(t *testing.T) {
	disk := vfs.NewMem()
	f := openOn(t, disk)
	f.ApplyBatch(newScript(2).grow(80).logs)
	want := portraitOf(t, f)
	b := disk.Bytes("/journal/00000000000000000001.journal")
	b[len(b)/2] ^= 1
	next, err := f.VerifyJournal(t.Context(), 0, noPace)
	if !errors.Is(err, journal.ErrCorrupt) || len(f.JournalHoles()) != 1 {
		t.Fatalf("verified: %v, holes %+v", err, f.JournalHoles())
	}
	_, err = f.VerifyJournal(t.Context(), next, noPace)
	must(t, err)
	requireSame(t, filled(t, f, want), want, "filled")
}

func noPace(context.Context, int) error { return nil }

// TestJournalScrubGoesRound: it reads all of the journal in pieces, tells of the damage, and begins anew.
func TestJournalScrubGoesRound(t *testing.T) {
	disk := vfs.NewMem()
	f := openOn(t, disk)
	s := f.JournalScrub()
	if n, more, err := s.Next(t.Context()); n != 0 || more || err != nil {
		t.Errorf("before it has started: %d bytes, %v, %v", n, more, err)
	}
	f.ApplyBatch(newScript(2).grow(80).logs)
	want := portraitOf(t, f)
	round := func() (bytes, found int) {
		for more := true; more; {
			var n int
			var err error
			if n, more, err = s.Next(t.Context()); err != nil && !errors.Is(err, journal.ErrCorrupt) {
				t.Fatal(err)
			} else if err != nil {
				found++
			}
			bytes += n
		}
		return bytes, found
	}
	for range 2 {
		if n, found := round(); n != len(want.journal) || found > 0 {
			t.Errorf("%d bytes were read, %d damages found, want %d and none", n, found, len(want.journal))
		}
	}
	b := disk.Bytes("/journal/00000000000000000001.journal")
	b[len(b)/2] ^= 1
	if _, found := round(); found != 1 || len(f.JournalHoles()) != 1 {
		t.Errorf("%d damages found, holes %+v, want one", found, f.JournalHoles())
	}
}
