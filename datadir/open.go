package datadir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ballastdb/ballast/internal/durable"
)

// Dir is an open data directory, locked for this process.
type Dir struct {
	Layout
	identity Identity
	boots    uint64
	lock     *os.File
}

// Open locks a data directory, checks it and counts the boot durably. It creates nothing else, and a directory that it
// refuses (*RefusedError) is left as it was.
func Open(dir string) (_ *Dir, err error) {
	d, err := Look(dir)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.Close())
		}
	}()
	// From here on the directory is accepted and may be written.
	if err := tidy(d.Layout); err != nil {
		return nil, err
	}
	d.boots++
	boot := bootRecord{Boots: d.boots, PID: os.Getpid(), At: time.Now().UTC().Truncate(time.Second)}
	if err := writeBoot(d.Layout, boot); err != nil {
		return nil, fmt.Errorf("data directory %s: count the boot: %w", d.root, err)
	}
	return d, nil
}

// Look locks and checks a data directory as Open does, and changes nothing at all in it: it is for looking at the data of
// a member that does not run.
func Look(dir string) (_ *Dir, err error) {
	layout := Layout{filepath.Clean(dir)}
	if err := checkDirectory(layout.root); err != nil {
		return nil, err
	}
	held, err := lock(layout.root)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, held.Close())
		}
	}()

	if err := checkState(layout); err != nil {
		return nil, err
	}
	identity, err := load(layout, layout.identity(), decodeIdentity)
	if err != nil {
		return nil, err
	}
	boot, err := load(layout, layout.boot(), decodeBoot)
	if err != nil {
		return nil, err
	}
	if err := checkComplete(layout); err != nil {
		return nil, err
	}
	return &Dir{Layout: layout, identity: identity, boots: boot.Boots, lock: held}, nil
}

// Identity says which member this is.
func (d *Dir) Identity() Identity { return d.identity }

// Boots counts the successful Opens of this directory, this one included.
func (d *Dir) Boots() uint64 { return d.boots }

// Uncount takes back, durably, that this opening was counted.
func (d *Dir) Uncount() error {
	boot := bootRecord{Boots: d.boots - 1, PID: os.Getpid(), At: time.Now().UTC().Truncate(time.Second)}
	if err := writeBoot(d.Layout, boot); err != nil {
		return fmt.Errorf("data directory %s: take back the count of the boot: %w", d.root, err)
	}
	return nil
}

// Close gives up the lock. Everything that writes into the directory must have ended.
func (d *Dir) Close() error { return d.lock.Close() }

func checkState(layout Layout) error {
	found, names, err := inspect(layout.root)
	if err != nil {
		return err
	}
	switch found {
	case stateInitialised:
		return nil
	case stateEmpty:
		return &RefusedError{
			Problem: Empty, Dir: layout.root, Expected: "an initialised data directory", Found: names,
			Remedy: "if this is a new member: " + initCommand(layout.root) + "; if it is not, find out where its data went " +
				"(wrong path? disk not mounted?) before anything else",
		}
	case stateHalf:
		return &RefusedError{
			Problem: HalfInitialised, Dir: layout.root, Expected: "an initialised data directory",
			Found:  "the mark of an init or a restore that did not end (" + markerName + ") and no identity",
			Remedy: initCommand(layout.root) + ", or, for the member that a backup was to be restored to, ballastd restore again; both begin anew",
		}
	default:
		return &RefusedError{
			Problem: Foreign, Dir: layout.root, Expected: "a file named " + identityName, Found: names,
			Remedy: "name the right directory with --data-dir; if this is the right one, its identity is lost: " +
				replaceMember(layout.root),
		}
	}
}

// load reads and decodes one record.
func load[T any](layout Layout, path string, decode func([]byte) (T, error)) (T, error) {
	var none T
	data, err := readRecord(path)
	if errors.Is(err, os.ErrNotExist) {
		return none, incomplete(layout, path)
	}
	if err != nil {
		return none, err
	}
	record, err := decode(data)
	var newer *newerRecordError
	switch {
	case errors.As(err, &newer):
		return none, &RefusedError{
			Problem: Newer, Dir: layout.root, Expected: fmt.Sprintf("format version %d or older", newer.supported),
			Found:  fmt.Sprintf("%s of format version %d", filepath.Base(path), newer.version),
			Remedy: "run the version of ballastd that wrote it, or a later one; there is no way back to an older format",
		}
	case err != nil:
		return none, &RefusedError{
			Problem: Corrupt, Dir: layout.root, Expected: "a sound file " + filepath.Base(path), Found: err.Error(),
			Remedy: "check the disk; " + replaceMember(layout.root),
		}
	}
	return record, nil
}

// checkComplete sees that what Init made is still there. A member that started on an empty log under its old identity
// would forget what it has acknowledged.
func checkComplete(layout Layout) error {
	for _, dir := range layout.directories() {
		info, err := os.Stat(dir)
		if errors.Is(err, os.ErrNotExist) || err == nil && !info.IsDir() {
			return incomplete(layout, dir)
		}
		if err != nil {
			return err
		}
	}
	for _, log := range layout.logs() {
		info, err := os.Stat(log)
		if err == nil && info.Mode().IsRegular() && info.Size() > 0 {
			return nil
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return incomplete(layout, layout.logs()...)
}

// incomplete says that none of paths is there, of which one must be.
func incomplete(layout Layout, paths ...string) error {
	var names []string
	for _, path := range paths {
		name, err := filepath.Rel(layout.root, path)
		if err != nil {
			name = path
		}
		names = append(names, name)
	}
	name := strings.Join(names, " or ")
	return &RefusedError{
		Problem: Incomplete, Dir: layout.root, Expected: name + ", which init made", Found: "an identity, but no " + name,
		Remedy: "look for where it went (partial copy? disk not mounted?); " + replaceMember(layout.root),
	}
}

// tidy removes what a crash may have left beside the records.
func tidy(layout Layout) error {
	rests, err := filepath.Glob(filepath.Join(layout.root, durable.TempPattern))
	if err != nil {
		return err
	}
	for _, path := range append(rests, layout.marker()) {
		if err := durable.Remove(path); err != nil {
			return err
		}
	}
	return nil
}
