package fsm

import (
	"errors"
	"testing"

	"github.com/ballastdb/ballast/fsm/page"
	"github.com/ballastdb/ballast/internal/vfs"
)

// scrubbed is one pass, and how many pages it found damaged.
func scrubbed(t *testing.T, m *MemoryScrub) (damaged, bytes int) {
	t.Helper()
	for more := true; more; {
		var n int
		var err error
		n, more, err = m.Next(t.Context())
		bytes += n
		var damage *page.MemoryError
		if errors.As(err, &damage) {
			damaged++
		} else {
			must(t, err)
		}
	}
	return damaged, bytes
}

// TestMemoryScrubSeesWhatTheDigestDoesNot: a bit that nobody wrote leaves the incremental digest as it is, and every
// checkpoint agrees; also in a state that was restored.
func TestMemoryScrubSeesWhatTheDigestDoesNot(t *testing.T) {
	s := newScript(3).grow(40)
	f := openOn(t, vfs.NewMem())
	m := f.MemoryScrub()
	if damaged, _ := scrubbed(t, m); damaged > 0 {
		t.Error("an empty state is found damaged")
	}
	deliver(f, s.logs, s.rng)
	if damaged, bytes := scrubbed(t, m); damaged > 0 || int64(bytes) < f.state.space().Bytes() {
		t.Errorf("%d pages damaged, %d bytes looked at of %d", damaged, bytes, f.state.space().Bytes())
	}
	snapshot := persist(t, f)
	before := f.state.space().Digest()
	f.state.cluster.Get(0)[offMarkerTerm+5] ^= 2
	if f.state.space().Digest() != before {
		t.Fatal("the incremental digest sees it; this test shows nothing")
	}
	if damaged, _ := scrubbed(t, m); damaged != 1 {
		t.Errorf("%d pages found damaged, want 1", damaged)
	}
	must(t, restore(f, snapshot))
	if damaged, bytes := scrubbed(t, m); damaged > 0 || bytes == 0 {
		t.Errorf("restored: %d pages damaged", damaged)
	}
	f.state.cluster.Get(0)[offMarkerTerm+5] ^= 2
	if damaged, _ := scrubbed(t, m); damaged != 1 {
		t.Errorf("restored: %d pages found damaged, want 1", damaged)
	}
	f.Halt(errors.New("wrong"))
	if damaged, _ := scrubbed(t, m); damaged > 0 {
		t.Error("a state that is given up is still scrubbed")
	}
}
