package journal

import (
	"os"
	"testing"

	"github.com/ballastdb/ballast/internal/vfs"
)

// TestCheckChangesNothing: not what a crash left beside a whole journal, nor where there is no journal yet.
func TestCheckChangesNothing(t *testing.T) {
	fsys := vfs.NewMem()
	config := Config{Dir: "/journal", FS: fsys, Format: testFormat{}, SegmentBytes: testSegment}
	if r, holds, err := Check(config, Position{}); err != nil || !holds || r.Segments != 0 {
		t.Errorf("where there is no journal: %+v, %v, %v", r, holds, err)
	}
	h, j := new(history).grow(60), open(t, fsys, "/journal")
	must(t, h.append(j, 0, 60))
	must(t, j.Sync())
	must(t, j.Close())
	f, err := fsys.OpenFile(j.pathOf(21, fillSuffix), os.O_RDWR|os.O_CREATE, 0o600)
	must(t, err)
	must(t, f.Close())
	before, err := fsys.ReadDir("/journal")
	must(t, err)
	r, holds, err := Check(config, h.end())
	if err != nil || !holds || r.End != h.end() || len(r.Damage)+len(r.Holes) > 0 {
		t.Errorf("a whole journal: %+v, %v, %v", r, holds, err)
	}
	if after, err := fsys.ReadDir("/journal"); err != nil || len(after) != len(before) {
		t.Errorf("there were %q, there are %q, %v", before, after, err)
	}
	must(t, open(t, fsys, "/journal").Close())
	if after, err := fsys.ReadDir("/journal"); err != nil || len(after) != len(before)-1 {
		t.Errorf("opened, there are %q, %v", after, err)
	}
}
