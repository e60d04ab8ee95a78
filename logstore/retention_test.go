package logstore

import (
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	"pgregory.net/rapid"
)

const entryBytes = 1000 + entryOverhead

// heavy are entries of 1000 bytes, one a second.
func heavy(low, high uint64) []*raft.Log {
	var logs []*raft.Log
	for i := low; i <= high; i++ {
		logs = append(logs, &raft.Log{Index: i, Term: 1, Data: make([]byte, 1000), AppendedAt: secondOf(i)})
	}
	return logs
}

func secondOf(index uint64) time.Time { return time.Unix(1_000_000+int64(index), 0) } //nolint:gosec // small

// keeping is a store whose retention is applied by hand, with a snapshot at mark.
func keeping(t *testing.T, kind Kind, count, mark uint64) *Store {
	t.Helper()
	s := openTest(t, t.TempDir(), kind)
	t.Cleanup(func() { must(t, s.Close()) })
	s.trimming.stop() // The test is its owner's place.
	must(t, s.StoreLogs(heavy(1, count)))
	s.Attach(hooks(count, mark, 1))
	return s
}

// TestPinHoldsWhileAMemberRestores: a member restores the snapshot at 500 while the log grows by more than is kept of it. What
// follows the snapshot must be there when it is done, or it needs the next snapshot, and the next, for ever.
func TestPinHoldsWhileAMemberRestores(t *testing.T) {
	eachKind(t, func(t *testing.T, kind Kind) {
		s := keeping(t, kind, 600, 500)
		s.SetRetention(Retention{Bytes: 100 * entryBytes, PinBytes: 10_000 * entryBytes})
		pin := s.Pin(500, secondOf(10_000))
		must(t, s.StoreLogs(heavy(601, 3000)))
		s.Attach(hooks(3000, 2900, 1))
		settled(t, s, secondOf(3000))
		if first, _ := s.bounds(); first > 500 {
			t.Fatalf("the log begins at %d: a member that restores the snapshot at 500 cannot go on", first)
		}
		if err := s.GetLog(500, new(raft.Log)); err != nil {
			t.Fatalf("entry 500 is needed to compare terms: %v", err)
		}
		pin.Release()
		settled(t, s, secondOf(3000).Add(trimInterval))
		first, _ := s.bounds()
		if first < 2900-2*blockEntries || first > 2900 {
			t.Fatalf("released: expected the log to begin a little before 2900, found %d", first)
		}
		select {
		case <-pin.Broken():
			t.Error("a pin that was released is told to be broken")
		default:
		}
	})
}

// TestPinEnds: a pin ends at its expiry, and when the log gets too heavy; it says so, and the others hold.
func TestPinEnds(t *testing.T) {
	s := keeping(t, Bolt, 1000, 990)
	s.SetRetention(Retention{Bytes: 50 * entryBytes, PinBytes: 600 * entryBytes})
	tooHeavy, expired, held := s.Pin(10, secondOf(5000)), s.Pin(450, secondOf(1999)), s.Pin(500, secondOf(5000))
	settled(t, s, secondOf(2000))
	for _, p := range []*Pin{tooHeavy, expired} {
		select {
		case <-p.Broken():
		default:
			t.Errorf("the pin of %d still holds", p.Index())
		}
	}
	if st := s.Status(); len(st.Pins) != 1 || st.Pins[0].Index != 500 || st.First > 500 || st.First < 500-blockEntries {
		t.Errorf("expected the log from 500 on, for one pin; found %+v", st)
	}
	held.Until(secondOf(2000))
	settled(t, s, secondOf(2001).Add(trimInterval))
	if st := s.Status(); len(st.Pins) != 0 || st.First < 900 {
		t.Errorf("expected the pin to have expired, found %+v", st)
	}
}

// TestRetention: the log is kept to its bytes and its age, and never beyond the newest snapshot.
func TestRetention(t *testing.T) {
	tests := []struct {
		name      string
		mark      uint64
		retention Retention
		want      uint64 // the log begins within a block of here
	}{
		{"nothing too much", 900, Retention{Bytes: 2000 * entryBytes, Age: time.Hour}, 1},
		{"by bytes", 900, Retention{Bytes: 300 * entryBytes}, 701},
		{"by age", 900, Retention{Age: 200 * time.Second}, 800},
		{"whichever comes first", 900, Retention{Bytes: 300 * entryBytes, Age: 200 * time.Second}, 800},
		{"not beyond the snapshot", 500, Retention{Bytes: 300 * entryBytes}, 500},
		{"no snapshot", 0, Retention{Bytes: 300 * entryBytes}, 1},
		{"no bound", 900, Retention{}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			eachKind(t, func(t *testing.T, kind Kind) {
				s := keeping(t, kind, 1000, tt.mark)
				s.SetRetention(tt.retention)
				settled(t, s, secondOf(1000))
				first, last := s.bounds()
				if last != 1000 || tt.want > 1 && tt.want != 500 && first >= tt.want+blockEntries || tt.want == 500 && first > 500 || first+2*blockEntries < tt.want {
					t.Errorf("expected the log from about %d to 1000, found %d to %d", tt.want, first, last)
				}
				// Raft's own wish is only an occasion.
				must(t, s.DeleteRange(first, 999))
				if now, _ := s.bounds(); now != first {
					t.Errorf("raft deleted up to %d what is to be kept from %d on", now, first)
				}
			})
		})
	}
}

// TestTrimmingKeepsUp: the store's own goroutine keeps a growing log to its bytes, without being asked.
func TestTrimmingKeepsUp(t *testing.T) {
	eachKind(t, func(t *testing.T, kind Kind) {
		s := openTest(t, t.TempDir(), kind)
		defer s.Close()
		s.SetRetention(Retention{Bytes: 320 * entryBytes})
		applied := uint64(0)
		for index := uint64(1); index < 4000; index += 100 {
			must(t, s.StoreLogs(heavy(index, index+99)))
			applied = index + 99
			s.Attach(hooks(applied, applied, 1))
		}
		deadline := time.Now().Add(30 * time.Second)
		for st := s.Status(); st.Bytes > 320*entryBytes+s.trimming.chunkBytes/4 || st.First < 3000; st = s.Status() {
			if time.Now().After(deadline) {
				t.Fatalf("expected about 320 entries to be kept, found %+v", st)
			}
			time.Sleep(time.Millisecond)
		}
	})
}

// TestWeighedAfterOpening: what was in the log at open is weighed by samples.
func TestWeighedAfterOpening(t *testing.T) {
	eachKind(t, func(t *testing.T, kind Kind) {
		dir := t.TempDir()
		s := openTest(t, dir, kind)
		for index := uint64(1); index <= 5000; index += 500 {
			must(t, s.StoreLogs(heavy(index, index+499)))
		}
		s = reopen(t, s, dir)
		defer s.Close()
		for weighed := false; !weighed; time.Sleep(time.Millisecond) {
			s.keeping.Lock()
			weighed = s.weighed
			s.keeping.Unlock()
		}
		st := s.Status()
		if st.Bytes != 5000*entryBytes {
			t.Errorf("expected %d bytes, found %d", 5000*entryBytes, st.Bytes)
		}
		if st.Oldest.Before(secondOf(1)) || st.Oldest.After(secondOf(3*blockEntries)) {
			t.Errorf("expected the oldest entry about %v, found %v", secondOf(1), st.Oldest)
		}
	})
}

// TestWeights compares with what is obvious: a list of entries. Bytes of a block that was cut are shared out evenly, so all
// entries weigh the same here.
func TestWeights(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var w weights
		first, next := uint64(1), uint64(1)
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				for range rapid.IntRange(1, 300).Draw(t, "count") {
					w.add(next, 100, secondOf(next))
					next++
				}
			},
			"drop": func(t *rapid.T) {
				first = rapid.Uint64Range(first, next).Draw(t, "below")
				w.dropBelow(first)
			},
			"cut": func(t *rapid.T) {
				next = rapid.Uint64Range(first, next).Draw(t, "from")
				w.cutFrom(next)
			},
			"": func(t *rapid.T) {
				if w.total != 100*(next-first) {
					t.Fatalf("%d entries weigh %d", next-first, w.total)
				}
				if first == next {
					return
				}
				at := rapid.Uint64Range(first, next).Draw(t, "at")
				if bytes := w.from(at); bytes != 100*(next-at) {
					t.Fatalf("%d entries weigh %d", next-at, bytes)
				}
				limit := rapid.Uint64Range(1, 100*(next-first)).Draw(t, "limit")
				if keep := w.keep(limit, time.Time{}); 100*(next-keep) > limit || keep > first && 100*(next-keep)+100*blockEntries <= limit {
					t.Fatalf("to keep %d bytes of %d entries from %d on, %d was chosen", limit, next-first, first, keep)
				}
				up := w.upTo(at+1, 100*blockEntries, 1000)
				if up < first || up > at || up-first+1 > 2*blockEntries && up-first >= 1000 {
					t.Fatalf("a step of the entries %d to %d ends at %d", first, at, up)
				}
			},
		})
	})
}

// TestNothingIsWrittenAfterAFailure: raft-wal before 0.4.1 did not take back a write that had failed, and went on behind it.
// 0.4.2 does; and nothing is written after it either way.
func TestNothingIsWrittenAfterAFailure(t *testing.T) {
	disk := newFakeBolt(t, 3)
	s, err := newStore(disk, Options{Kind: WAL, Logger: hclog.NewNullLogger(), Fatal: func(error) {}})
	must(t, err)
	defer s.Close()
	disk.failNext = errFake
	if err := s.StoreLogs(entries(4, 5)); err == nil {
		t.Fatal("a failed write was reported done")
	}
	before := disk.writes
	if err := s.StoreLogs(entries(4, 5)); err == nil || disk.writes != before {
		t.Errorf("a write behind one that failed: %v, %d writes reached the files", err, disk.writes-before)
	}
}
