package fsm

import (
	"github.com/hashicorp/go-hclog"

	"github.com/ballastdb/ballast/fsm/journal"
	"github.com/ballastdb/ballast/internal/vfs"
)

// CheckJournal reads the whole journal in dir, that of a member that does not run, and changes nothing. meta is that of the
// member's newest snapshot, empty where it has none; holds tells whether the journal reaches as far as the snapshot needs,
// with the hash that it says.
func CheckJournal(fsys vfs.FS, dir string, meta []byte) (r journal.Report, needs journal.Position, holds bool, err error) {
	if len(meta) > 0 {
		header, err := decodeSnapshotHeader(meta)
		if err != nil {
			return r, needs, false, err
		}
		needs = header.journal
	}
	r, holds, err = journal.Check(journal.Config{Dir: dir, FS: fsys, Format: entryFormat{}, Logger: hclog.NewNullLogger()}, needs)
	return r, needs, holds, err
}
