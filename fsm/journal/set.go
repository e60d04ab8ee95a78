package journal

import (
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strconv"

	"github.com/ballastdb/ballast/internal/vfs"
)

// The segments are in a directory of their own, a set, which the file CURRENT names: a journal without it is refused, not
// taken for an empty one.
//
//	journal/CURRENT                                  "ballast journal 1\nset 00000001\ncrc32c 5d0ff8a4\n"
//	journal/STAGED                                   a tail that waits to be put in place: see Tail
//	journal/00000001/00000000000000000001.journal

const (
	currentName  = "CURRENT"
	currentLimit = 256
	firstSet     = 1
)

func setName(n uint64) string { return fmt.Sprintf("%08d", n) }

func encodeCurrent(set uint64) []byte {
	text := fmt.Sprintf("ballast journal %d\nset %s\n", formatVersion, setName(set))
	return fmt.Appendf(nil, "%scrc32c %08x\n", text, crc32.Checksum([]byte(text), crc32.MakeTable(crc32.Castagnoli)))
}

func decodeCurrent(b []byte) (set uint64, err error) {
	var version int
	var name string
	if _, err := fmt.Sscanf(string(b), "ballast journal %d\nset %s\n", &version, &name); err != nil {
		return 0, fmt.Errorf("%s is damaged: %w", currentName, err)
	}
	if version != formatVersion {
		return 0, fmt.Errorf("%w: %s has version %d, this program reads %d", ErrNewerVersion, currentName, version, formatVersion)
	}
	set, err = strconv.ParseUint(name, 10, 64)
	if err != nil || string(encodeCurrent(set)) != string(b) {
		return 0, fmt.Errorf("%s is damaged: it names set %q", currentName, name)
	}
	return set, nil
}

// openSet finds the set in use, founds the first one if there is none, and removes what a replacement left behind.
func (j *Journal) openSet() error {
	names, err := j.fs.ReadDir(j.root)
	if errors.Is(err, os.ErrNotExist) {
		if err = j.fs.Mkdir(j.root, 0o700); err == nil {
			err = j.fs.SyncDir(filepath.Dir(j.root))
		}
	}
	if err != nil {
		return err
	}
	b, err := vfs.ReadFile(j.fs, filepath.Join(j.root, currentName), currentLimit)
	if errors.Is(err, os.ErrNotExist) {
		return j.found(names)
	}
	if err != nil {
		return err
	}
	set, err := decodeCurrent(b)
	if err != nil {
		return err
	}
	j.dir, j.set = filepath.Join(j.root, setName(set)), set
	for _, name := range names {
		if name == currentName || name == setName(set) || name == stagedName {
			continue
		}
		if err := j.removeStray(name); err != nil {
			return err
		}
	}
	return nil
}

// found makes the first set. A crash on the way leaves a set without segments and no CURRENT.
func (j *Journal) found(names []string) error {
	j.dir, j.set = filepath.Join(j.root, setName(firstSet)), firstSet
	for _, name := range names {
		if inside, err := j.fs.ReadDir(filepath.Join(j.root, name)); err == nil && len(inside) > 0 {
			return fmt.Errorf("%s is missing and %s has segments: put it back, or move both away to have the journal made from the snapshot",
				currentName, name)
		}
		if err := j.fs.Remove(filepath.Join(j.root, name)); err != nil {
			return err
		}
	}
	return j.makeSet(j.dir, j.set)
}

// makeSet makes an empty set and puts it in use.
func (j *Journal) makeSet(dir string, set uint64) error {
	if err := j.fs.Mkdir(dir, 0o700); err != nil {
		return err
	}
	if err := j.fs.SyncDir(j.root); err != nil {
		return err
	}
	return vfs.WriteFile(j.fs, filepath.Join(j.root, currentName), encodeCurrent(set), 0o600)
}

// removeStray removes a set that is not in use, or an unfinished CURRENT; nothing else.
func (j *Journal) removeStray(name string) error {
	path := filepath.Join(j.root, name)
	if name == currentName+vfs.TempSuffix || name == stagedName+vfs.TempSuffix {
		return j.fs.Remove(path)
	}
	if n, err := strconv.ParseUint(name, 10, 64); err != nil || setName(n) != name {
		return fmt.Errorf("%s is no part of a journal: move it away", path)
	}
	return removeSet(j.fs, path)
}

func removeSet(fsys vfs.FS, dir string) error {
	names, err := fsys.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	for _, name := range names {
		if err := fsys.Remove(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return fsys.Remove(dir)
}
