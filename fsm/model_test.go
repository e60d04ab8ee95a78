package fsm

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"sync"
	"testing"

	"github.com/hashicorp/raft"

	"github.com/ballastdb/ballast/internal/vfs"
)

// TestMembersAreAlike: however the log is cut into batches, whatever is restored from a snapshot that was persisted
// while batches went on, and whatever a crash took of the journal: at the same index every byte is the same.
func TestMembersAreAlike(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			log := newScript(seed).grow(200).logs
			rng := rand.New(rand.NewPCG(seed, 1))
			disk := vfs.NewMem()
			a := openOn(t, disk)
			var kept []*taken
			at := 0
			for at < len(log) {
				n := min(len(log), at+1+rng.IntN(90))
				kept = append(kept, applyWhilePersisting(t, a, log[at:n], rng)...)
				at = n
			}
			want := portraitOf(t, a)

			for _, snapshot := range kept {
				f := openOn(t, vfs.NewMem())
				must(t, install(f, snapshot))
				requireSame(t, feed(t, f, snapshot, log, rng), want, "installed on an empty disk")
				f = openOn(t, vfs.NewMem())
				deliver(f, log[:rng.IntN(8)], rng)
				must(t, install(f, snapshot))
				requireSame(t, feed(t, f, snapshot, log, rng), want, "installed over an older state")
			}
			for crash := range uint64(2) {
				snapshot := kept[rng.IntN(len(kept))]
				f := openOn(t, disk.Crash(crash))
				must(t, restore(f, snapshot))
				requireSame(t, feed(t, f, snapshot, log, rng), want, "restored after a crash")
				f = openOn(t, disk.Crash(crash))
				deliver(f, log, rng)
				requireSame(t, portraitOf(t, f), want, "replayed without a snapshot after a crash")
			}
		})
	}
}

// applyWhilePersisting pins the state if there is one, applies logs, and gives what was written meanwhile.
func applyWhilePersisting(t *testing.T, f *FSM, logs []*raft.Log, rng *rand.Rand) []*taken {
	if index, _ := f.Applied(); index == 0 {
		deliver(f, logs, rng)
		return nil
	}
	m, err := f.PinExact()
	must(t, err)
	var s sink
	var persisting sync.WaitGroup
	persisting.Go(func() {
		if err := m.Write(&s); err != nil {
			t.Error(err)
		}
	})
	deliver(f, logs, rng)
	persisting.Wait()
	m.Release()
	s.journal = journalOf(t, f, s.meta)
	return []*taken{&s.taken}
}

// feed delivers what follows the snapshot that was restored.
func feed(t *testing.T, f *FSM, s *taken, log []*raft.Log, rng *rand.Rand) portrait {
	t.Helper()
	if again := persist(t, f); !reflect.DeepEqual(again, s) {
		t.Error("the snapshot of what was restored is another")
	}
	index, _ := f.Applied()
	for len(log) > 0 && log[0].Index <= index {
		log = log[1:]
	}
	deliver(f, log, rng)
	return portraitOf(t, f)
}

// TestLogDataIsNeitherChangedNorKept: raft's log cache and its requests in flight share the bytes.
func TestLogDataIsNeitherChangedNorKept(t *testing.T) {
	log := newScript(3).grow(150).logs
	want := openOn(t, vfs.NewMem())
	deliver(want, log, rand.New(rand.NewPCG(1, 1)))

	f := openOn(t, vfs.NewMem())
	for _, l := range log {
		before := bytes.Clone(l.Data)
		answers := f.ApplyBatch([]*raft.Log{l})
		if !bytes.Equal(l.Data, before) {
			t.Fatalf("entry %d was changed", l.Index)
		}
		for i := range l.Data {
			l.Data[i] = 0xff // what is kept of it is spoiled now
		}
		if r, ok := answers[0].(*Response); ok && l.Type == raft.LogCommand && r.LogTime == 0 {
			t.Fatalf("entry %d: %+v", l.Index, r)
		}
	}
	requireSame(t, portraitOf(t, f), portraitOf(t, want), "with the log's bytes overwritten")
}
