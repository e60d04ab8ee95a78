package snapshots

import (
	"errors"
	"path"
	"slices"
	"testing"
)

// pass is one walk of a scrub and the files that it found damaged.
func pass(t *testing.T, c *Scrub, between func(step int)) (damaged []string, bytes int) {
	t.Helper()
	for step, more := 0, true; more; step++ {
		var n int
		var err error
		n, more, err = c.Next(t.Context())
		bytes += n
		var damage *DamagedError
		if errors.As(err, &damage) {
			damaged = append(damaged, path.Base(damage.File))
		} else {
			check(t, err)
		}
		if between != nil {
			between(step)
		}
	}
	return damaged, bytes
}

// TestScrubReadsAllAndNamesWhatIsDamaged, whatever is taken meanwhile; and the next snapshot takes damaged pages anew.
func TestScrubReadsAllAndNamesWhatIsDamaged(t *testing.T) {
	disk := newDisk(t)
	s, err := Open(disk, dir)
	check(t, err)
	c := s.Scrub()
	if damaged, bytes := pass(t, c, nil); damaged != nil || bytes != 0 {
		t.Fatalf("in an empty store: %v, %d bytes", damaged, bytes)
	}
	st := state{index: 3, tables: [2][]uint64{slices.Repeat([]uint64{3}, 5*scrubPages), {3, 3}}}
	check(t, take(s, st))
	damaged, whole := pass(t, c, nil)
	if live := int(s.newest.LiveBytes()); damaged != nil || whole < live {
		t.Fatalf("%v, %d bytes of %d", damaged, whole, live)
	}
	// One page of either table, on the disk.
	pack := path.Join(dir, packName(s.newest.packs[0].number))
	for _, place := range []int{70, s.newest.Pages() - 1} {
		disk.Bytes(pack)[s.newest.pages[place].offset+9] ^= 4
	}
	damaged, _ = pass(t, c, func(step int) {
		if step == 1 { // a newer one that has the damaged pages, too
			st.index, st.tables[0][1] = 4, 4
			check(t, take(s, st))
		}
	})
	if want := []string{path.Base(pack), path.Base(pack)}; !slices.Equal(damaged, want) {
		t.Fatalf("found %v, want %v", damaged, want)
	}
	st.index, st.tables[0][2] = 5, 5
	check(t, take(s, st))
	if damaged, _ = pass(t, c, nil); damaged != nil {
		t.Fatalf("the next snapshot did not take damaged pages anew: %v", damaged)
	}
	newestHolds(t, s, st)
	check(t, s.Close())
}

// TestScrubReadsTheManifest as the next start would.
func TestScrubReadsTheManifest(t *testing.T) {
	disk := newDisk(t)
	s, err := Open(disk, dir)
	check(t, err)
	check(t, take(s, state{index: 3, tables: [2][]uint64{{3, 3}, nil}}))
	manifest := path.Join(dir, manifestName(s.newest))
	disk.Bytes(manifest)[100] ^= 1
	if damaged, bytes := pass(t, s.Scrub(), nil); !slices.Equal(damaged, []string{path.Base(manifest)}) || bytes < 2*8 {
		t.Fatalf("found %v in %d bytes", damaged, bytes)
	}
	check(t, s.Close())
}

// TestProbe sees what giving the snapshot away would meet.
func TestProbe(t *testing.T) {
	disk := newDisk(t)
	s, err := Open(disk, dir)
	check(t, err)
	check(t, s.Probe(t.Context()))
	check(t, take(s, state{index: 3, tables: [2][]uint64{{3, 3}, {3}}}))
	check(t, s.Probe(t.Context()))
	var damage *DamagedError
	for _, name := range []string{manifestName(s.newest), packName(s.newest.packs[0].number)} {
		file := path.Join(dir, name)
		disk.Bytes(file)[100] ^= 1
		if err := s.Probe(t.Context()); !errors.As(err, &damage) || damage.File != file {
			t.Errorf("%s damaged: %v", name, err)
		}
		disk.Bytes(file)[100] ^= 1
	}
	check(t, s.Close())
	if s.Probe(t.Context()) == nil {
		t.Error("a store that cannot be read is good")
	}
}
