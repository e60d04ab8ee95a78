package node

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/ballastdb/ballast/datadir"
	"github.com/ballastdb/ballast/fsm"
	"github.com/ballastdb/ballast/fsm/journal"
	"github.com/ballastdb/ballast/internal/vfs"
	"github.com/ballastdb/ballast/snapshots"
)

// Look is what the data directory of a member that does not run holds.
type Look struct {
	Identity datadir.Identity
	// Snapshots has the newest snapshot and what is damaged of it; At is when it was published, zero: not known.
	Snapshots *snapshots.Report
	At        time.Time
	// Journal is nil where it was not read. Needed is the position that the snapshot names, and Held tells whether the
	// journal has it.
	Journal *journal.Report
	Needed  journal.Position
	Held    bool
}

// Finding is one thing that is not as it should be, and what to do about it.
type Finding struct {
	File string `json:"file"` // empty: what is missing, or several
	What string `json:"what"`
	Do   string `json:"do"`
	// Harmless: the member mends it by itself with what it has.
	Harmless bool `json:"harmless"`
}

// LookAt looks at the newest snapshot in the data directory dir and changes nothing. A running member's is refused
// (*datadir.RefusedError). verify reads every page and the whole journal, too.
func LookAt(dir string, verify bool) (l *Look, err error) {
	d, err := datadir.Look(dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	l = &Look{Identity: d.Identity()}
	if l.Snapshots, err = snapshots.Check(vfs.OS{}, d.Snapshots(), verify); err != nil {
		return nil, fmt.Errorf("look at the snapshots: %w", err)
	}
	if info, err := os.Stat(l.Snapshots.Manifest); err == nil {
		l.At = info.ModTime()
	}
	if !verify {
		return l, nil
	}
	report, needed, held, err := fsm.CheckJournal(vfs.OS{}, d.Journal(), l.Snapshots.Meta)
	if err != nil {
		return nil, fmt.Errorf("look at the journal: %w", err)
	}
	l.Journal, l.Needed, l.Held = &report, needed, held
	return l, nil
}

const (
	mendSnapshot = "start the member while the others run: before it serves anything it takes a sound snapshot from them; never copy files into its directory"
	mendJournal  = "start the member while the others run: it sets the file aside and fetches these entries from them; until then statements that reach back to them say so, balances are right"
	mendTorn     = "nothing: a crash tore the end, and the member writes it again from its log when it starts"
)

// Findings are everything that is not as it should be; none: all that was looked at is sound.
func (l *Look) Findings() (list []Finding) {
	for _, d := range l.Snapshots.Damage {
		what := fmt.Sprint(d.Reason)
		if d.Page != nil {
			what = fmt.Sprintf("page %d of table %d: %v", d.Page.Number, d.Page.Table, d.Reason)
		}
		list = append(list, Finding{File: d.File, What: what, Do: mendSnapshot})
	}
	if l.Journal == nil {
		return list
	}
	for _, d := range l.Journal.Damage {
		f := Finding{File: d.File, What: fmt.Sprintf("entry %d and what follows it in this file: %v", d.Sequence, d.Reason), Do: mendJournal}
		if d.Sequence > l.Needed.Sequence {
			f.Do, f.Harmless = mendTorn, true
		}
		list = append(list, f)
	}
	for _, h := range l.Journal.Holes {
		list = append(list, Finding{What: fmt.Sprintf("entries %d to %d of the journal are not here", h.After.Sequence+1, h.Until.Sequence), Do: mendJournal})
	}
	if !l.Held {
		list = append(list, Finding{What: fmt.Sprintf("the newest snapshot needs a journal of %d entries, and the one here, of %d, does not have them all as it names them",
			l.Needed.Sequence, l.Journal.End.Sequence), Do: mendJournal})
	}
	return list
}

// Sound tells whether nothing was found that somebody must see to.
func (l *Look) Sound() bool {
	for _, f := range l.Findings() {
		if !f.Harmless {
			return false
		}
	}
	return true
}
