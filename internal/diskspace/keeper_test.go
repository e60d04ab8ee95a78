package diskspace

import (
	"errors"
	"os"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/ballastdb/ballast/internal/vfs"
)

// disk is a file system in memory of a limited size.
type disk struct {
	*vfs.Mem
	t    *testing.T
	size int64
}

func newDisk(t *testing.T, size int64) *disk {
	d := &disk{Mem: vfs.NewMem(), t: t, size: size}
	d.Limit(size)
	must(t, d.Mkdir("/data", 0o700))
	must(t, d.SyncDir("/"))
	return d
}

func (d *disk) measure() (free, size uint64, err error) {
	return uint64(d.size - d.Used()), uint64(d.size), nil //nolint:gosec // both are small
}

// fill makes a file of others so large that this much is free.
func (d *disk) fill(free int64) {
	d.t.Helper()
	f, err := d.OpenFile("/other", os.O_RDWR|os.O_CREATE, 0o600)
	must(d.t, err)
	size, err := f.Size()
	must(d.t, err)
	must(d.t, f.Truncate(size+d.size-d.Used()-free))
}

func (d *disk) keeper(low, reserve int64) *Keeper {
	return New(Config{FS: d, Dir: "/data", Measure: d.measure, Low: low, Reserve: reserve, Logger: hclog.NewNullLogger()})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantState(t *testing.T, what string, s State, level Level, reserved uint64) {
	t.Helper()
	if s.Level != level || s.Reserved != reserved {
		t.Fatalf("%s: level %v with %d reserved and %d free, want %v with %d", what, s.Level, s.Reserved, s.Free, level, reserved)
	}
}

// The reserve is made step by step, let go step by step when there is nothing else, and made again.
func TestLifeOfAReserve(t *testing.T) {
	d := newDisk(t, 100_000)
	k := d.keeper(8000, 4000)
	for _, reserved := range []uint64{1000, 2000, 3000, 4000, 4000} {
		wantState(t, "with room", k.Look(), Ample, reserved)
	}
	d.fill(7999)
	wantState(t, "low", k.Look(), Low, 4000)
	d.fill(3999)
	wantState(t, "tight", k.Look(), Tight, 4000)
	for _, reserved := range []uint64{3000, 2000, 1000} {
		d.fill(999)
		wantState(t, "full with a reserve", k.Look(), Tight, reserved)
	}
	d.fill(0)
	wantState(t, "the last of it", k.Look(), Tight, 0) // it made 1000 free
	d.fill(0)
	wantState(t, "full", k.Look(), Full, 0)
	d.fill(11_999)
	wantState(t, "not yet", k.Look(), Low, 0)
	d.fill(12_000)
	wantState(t, "room again, but not for a reserve", k.Look(), Ample, 0)
	d.fill(14_000)
	for _, reserved := range []uint64{1000, 2000, 2000} {
		wantState(t, "room for some of it", k.Look(), Ample, reserved)
	}
}

// A start on a full disk makes as much free as is needed to open what is there, and not more.
func TestStartOnAFullDisk(t *testing.T) {
	d := newDisk(t, 100_000)
	first := d.keeper(8000, 4000)
	for range steps {
		first.Look()
	}
	d.fill(0)
	wantState(t, "start", d.keeper(8000, 4000).Start(), Tight, 3000)
	d.fill(0)
	s := d.keeper(16_000, 4000).Start() // it needs 2000
	wantState(t, "start that needs more", s, Tight, 1000)
	if s.Free < s.Floor() {
		t.Errorf("%d free", s.Free)
	}
}

func TestReserveFollowsTheConfiguration(t *testing.T) {
	d := newDisk(t, 100_000)
	k := d.keeper(8000, 4000)
	for range steps {
		k.Look()
	}
	wantState(t, "smaller", d.keeper(8000, 1000).Start(), Ample, 1000)
	wantState(t, "off", d.keeper(0, 1000).Start(), Unwatched, 0)
	if d.Bytes("/data/reserve") != nil {
		t.Error("the reserve is still there")
	}
}

// Nothing that goes wrong with the reserve keeps the level from being told, and what comes after a power cut goes on.
func TestReserveFaults(t *testing.T) {
	for _, fault := range []vfs.Fault{vfs.Fail, vfs.FailPersisted, vfs.PowerCut} {
		for at := range 12 {
			d := newDisk(t, 100_000)
			k := d.keeper(8000, 4000)
			k.Look()
			calls := 0
			d.Inject(func(vfs.Op) vfs.Fault {
				calls++
				if calls == at+1 {
					return fault
				}
				return vfs.None
			})
			for range steps {
				k.Look()
			}
			full := d.size
			k.cfg.Measure = func() (uint64, uint64, error) { return 500, uint64(full), nil } //nolint:gosec // small
			for range steps {
				if s := k.Look(); s.Level < Tight {
					t.Fatalf("fault %v at call %d: %v", fault, at, s.Level)
				}
			}
			after := &disk{Mem: d.Crash(uint64(at)), t: t, size: d.size} //nolint:gosec // small
			again := after.keeper(8000, 4000)
			for range 2 * steps {
				again.Look()
			}
			wantState(t, "after a power cut", again.State(), Ample, 4000)
		}
	}
}

// A measure that fails leaves what was known.
func TestMeasureThatFails(t *testing.T) {
	d := newDisk(t, 100_000)
	k := d.keeper(8000, 4000)
	d.fill(100)
	before := k.Look().Level
	k.cfg.Measure = func() (uint64, uint64, error) { return 0, 0, errors.New("stale file handle") }
	if after := k.Look().Level; after != before {
		t.Errorf("%v became %v", before, after)
	}
}

// On a real file system the blocks of the reserve are taken, and given back.
func TestAllocateTakesBlocks(t *testing.T) {
	dir := t.TempDir()
	k := New(Config{
		FS: vfs.OS{}, Dir: dir, Low: 1 << 20, Reserve: 4 << 20, Logger: hclog.NewNullLogger(),
		Measure: func() (uint64, uint64, error) { return 1 << 30, 1 << 30, nil },
	})
	for range steps {
		k.Look()
	}
	wantState(t, "made", k.State(), Ample, 4<<20)
	if blocks := allocated(t, k.path()); blocks < 4<<20 {
		t.Errorf("%d bytes are allocated", blocks)
	}
	k.cfg.Measure = func() (uint64, uint64, error) { return 1, 1 << 30, nil }
	k.Look()
	if blocks := allocated(t, k.path()); blocks >= 4<<20 {
		t.Errorf("%d bytes are still allocated", blocks)
	}
}
