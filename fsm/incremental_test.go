package fsm

import (
	"path"
	"testing"

	"github.com/ballastdb/ballast/fsm/ledger"
	"github.com/ballastdb/ballast/fsm/page"
	"github.com/ballastdb/ballast/internal/vfs"
)

// TestSnapshotWritesWhatChanged: after one page in a hundred has changed, a snapshot writes at most one fiftieth of the
// state, manifest and all.
func TestSnapshotWritesWhatChanged(t *testing.T) {
	d, err := openDurable(t, newDurableDisk(t))
	must(t, err)
	s := newScript(6)
	for range 50 {
		ops := make([]ledger.Operation, 2000)
		for i := range ops {
			ops[i] = s.openAccount()
		}
		s.operations(ops...)
	}
	d.ApplyBatch(s.logs)
	must(t, d.take())
	state, base := filesOf(t, d.disk), d.index

	at := len(s.logs)
	for _, first := range []int{0, 25_000, 50_000, 75_000} {
		ops := make([]ledger.Operation, 100)
		for i := range ops {
			ops[i] = ledger.Operation{Kind: ledger.KindCredit, Credit: []byte(s.accounts[first+i]), Amount: 5}
		}
		s.operations(ops...)
	}
	d.ApplyBatch(s.logs[at:])
	changed, pages := changedSince(t, d.FSM, base)
	if changed*100 > pages || changed*200 < pages {
		t.Fatalf("%d of %d pages changed: not about one in a hundred", changed, pages)
	}
	must(t, d.take())
	total, wrote := 0, 0
	for _, size := range state {
		total += size
	}
	for name, size := range filesOf(t, d.disk) {
		if _, old := state[name]; !old {
			wrote += size
		}
	}
	t.Logf("%d of %d pages changed, %d bytes written for a state of %d: %.2f %%", changed, pages, wrote, total, 100*float64(wrote)/float64(total))
	if wrote*50 > total {
		t.Errorf("%d bytes written, the state has %d", wrote, total)
	}
}

// changedSince counts pages.
func changedSince(t *testing.T, f *FSM, base uint64) (changed, pages int) {
	t.Helper()
	v := f.state.space().View(noLock{})
	defer v.Close()
	never := func(page.ID, uint64) bool { return false }
	must(t, v.Changed(never, func(p page.Page) error {
		pages++
		if p.Index > base {
			changed++
		}
		return nil
	}))
	return changed, pages
}

// filesOf is the length of every file of the snapshots.
func filesOf(t *testing.T, disk *vfs.Mem) map[string]int {
	t.Helper()
	names, err := disk.ReadDir(keptDir)
	must(t, err)
	sizes := map[string]int{}
	for _, name := range names {
		sizes[name] = len(disk.Bytes(path.Join(keptDir, name)))
	}
	return sizes
}
