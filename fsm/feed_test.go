package fsm

import (
	"bytes"
	"errors"
	"testing"

	"github.com/ballastdb/ballast/fsm/journal"
	"github.com/ballastdb/ballast/internal/vfs"
)

// readFeed reads what follows a position, so many bytes at a time, up to what the state has.
func readFeed(t *testing.T, f *FSM, after uint64, maxBytes int) (entries []StatementEntry, err error) {
	t.Helper()
	feed := f.OpenFeed()
	defer func() { must(t, feed.Close()) }()
	for head := f.Head(); after < head.Sequence; {
		some, err := feed.Read(after, head.Sequence, maxBytes)
		if err != nil {
			return entries, err
		}
		if len(some) == 0 || some[0].Sequence != after+1 {
			t.Fatalf("%d entries after %d", len(some), after)
		}
		entries = append(entries, some...)
		after = entries[len(entries)-1].Sequence
	}
	return entries, nil
}

// TestFeedTellsEveryEntry: from every position, in parts of any length, the feed is the journal; and links are those of the
// entries.
func TestFeedTellsEveryEntry(t *testing.T) {
	f := openOn(t, vfs.NewMem())
	f.ApplyBatch(newScript(5).grow(80).logs)
	head := f.Head()
	for after := uint64(0); after <= head.Sequence; after += 7 {
		for _, maxBytes := range []int{1, 1000, 1 << 20} {
			entries, err := readFeed(t, f, after, maxBytes)
			must(t, err)
			for i, e := range entries {
				want, err := f.Entry(after + uint64(i) + 1)
				if must(t, err); e.Sequence != want.Sequence || e.Link != want.Link || !bytes.Equal(e.OperationID, want.OperationID) || e.LedgerName != "usd" || e.LedgerScale != 2 {
					t.Fatalf("after %d: %+v, want %+v", after, e, want)
				}
			}
			if uint64(len(entries)) != head.Sequence-after {
				t.Fatalf("%d entries after %d of %d", len(entries), after, head.Sequence)
			}
		}
	}
	for sequence := uint64(1); sequence <= head.Sequence; sequence++ {
		e, err := f.Entry(sequence)
		must(t, err)
		if link, err := f.LinkAt(sequence); err != nil || link != e.Link {
			t.Errorf("link at %d is %x, %v; the entry's is %x", sequence, link, err, e.Link)
		}
	}
	if link, err := f.LinkAt(0); link != 0 || err != nil || head.Link == 0 {
		t.Errorf("link at the beginning is %x, %v; at the end %x", link, err, head.Link)
	}
	if _, err := f.LinkAt(head.Sequence + 1); !errors.Is(err, ErrChanged) {
		t.Errorf("link behind the newest entry: %v", err)
	}
}

// TestFeedOfAJournalThatIsShorter: a reader gets entries or an error, never nothing where the state had more.
func TestFeedOfAJournalThatIsShorter(t *testing.T) {
	f := openOn(t, vfs.NewMem())
	f.ApplyBatch(newScript(5).grow(10).logs)
	feed, newest := f.OpenFeed(), f.Head().Sequence
	defer func() { must(t, feed.Close()) }()
	for after := newest; after < newest+2; after++ {
		if entries, err := feed.Read(after, newest+2, 1000); !errors.Is(err, ErrChanged) || len(entries) != 0 {
			t.Errorf("after %d of %d: %d entries, %v", after, newest, len(entries), err)
		}
	}
}

// TestFeedAcrossAHole: what is not here yet is told so, and never left out.
func TestFeedAcrossAHole(t *testing.T) {
	log := newScript(2).grow(60).logs
	a := openOn(t, vfs.NewMem())
	a.ApplyBatch(log[:40])
	snapshot := persist(t, a)
	a.ApplyBatch(log[40:])
	all, err := readFeed(t, a, 0, 1000)
	must(t, err)
	f := openOn(t, vfs.NewMem())
	if _, err := f.OpenFeed().Read(0, 1, 1000); !errors.Is(err, ErrMissing) {
		t.Errorf("before it has started: %v", err)
	}
	f.ApplyBatch(log[:12])
	must(t, receive(f, snapshot))
	must(t, restore(f, snapshot))
	f.ApplyBatch(log[40:])
	hole := f.JournalHoles()[0]
	for after := uint64(0); after < uint64(len(all)); after++ {
		entries, err := readFeed(t, f, after, 1000)
		end := uint64(len(all))
		if after < hole.Until.Sequence {
			end = max(after, hole.After.Sequence)
			var missing *journal.MissingError
			if !errors.As(err, &missing) || missing.Hole != hole {
				t.Fatalf("after %d: %v, want that %+v is missing", after, err, hole)
			}
		} else {
			must(t, err)
		}
		if uint64(len(entries)) != end-after {
			t.Fatalf("%d entries after %d, want %d", len(entries), after, end-after)
		}
		for i := range entries {
			if entries[i].Link != all[after+uint64(i)].Link {
				t.Fatalf("entry %d has another link", entries[i].Sequence)
			}
		}
	}
	if link, err := f.LinkAt(hole.Until.Sequence); err != nil || link != hole.Until.Hash[0] {
		t.Errorf("link at the end of the hole is %x, %v", link, err)
	}
	if _, err := f.LinkAt(hole.Until.Sequence - 1); !errors.Is(err, ErrMissing) {
		t.Errorf("link within the hole: %v", err)
	}
}
