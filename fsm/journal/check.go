package journal

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/ballastdb/ballast/internal/vfs"
)

// Report is what Check found.
type Report struct {
	// Segments that are files of the journal, and End, where the last one ends.
	Segments int
	End      Position
	// Holes are the parts that are not here, for whatever reason.
	Holes []Hole
	// Damage is what is not as it was written, in order. What of it lies behind all that snapshots need is the end that a crash
	// tore: the raft log has it.
	Damage []Damage
}

// Damage is a file that is not as it was written.
type Damage struct {
	File string
	// Sequence is that of the first entry that cannot be used.
	Sequence uint64
	// Reason says what is wrong.
	Reason error
}

// Check reads a whole journal that nobody has open, chain and all, and changes nothing. holds asks whether it has a
// position, that of a snapshot. A journal that was never opened is empty.
func Check(c Config, needed Position) (r Report, holds bool, err error) {
	if c.FS == nil {
		c.FS = vfs.OS{}
	}
	c.FS = vfs.ReadOnly(c.FS)
	if _, err := c.FS.ReadDir(c.Dir); errors.Is(err, os.ErrNotExist) {
		return r, needed == Position{}, nil
	}
	j, err := scanned(c)
	if err != nil {
		return r, false, err
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	r = Report{Segments: len(j.segments), End: j.end, Holes: j.Holes()}
	for _, s := range j.segments {
		if s.fault != nil {
			r.Damage = append(r.Damage, Damage{filepath.Join(j.dir, segmentName(s.first, suffix)), s.until().Sequence + 1, s.fault})
		}
	}
	for _, s := range j.suspects {
		r.Damage = append(r.Damage, Damage{filepath.Join(j.dir, segmentName(s.first, suffix)), s.first, s.reason})
	}
	holds, err = j.Holds(needed)
	if errors.Is(err, ErrMissing) || errors.Is(err, ErrCorrupt) {
		err = nil
	}
	return r, holds, err
}
