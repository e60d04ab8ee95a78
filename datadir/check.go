package datadir

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxNamed bounds how many file names an error tells.
const maxNamed = 5

// checkDirectory looks at the directory from outside: that it is there, is one, and is ours alone to write.
func checkDirectory(dir string) error {
	info, err := os.Stat(dir)
	if errors.Is(err, os.ErrNotExist) {
		return &RefusedError{
			Problem: Missing, Dir: dir, Expected: "a data directory", Found: "nothing there",
			Remedy: "if this is a new member: " + initCommand(dir) + "; if it is not, find out where its data went " +
				"(wrong path? disk not mounted?) before anything else",
		}
	}
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return &RefusedError{
			Problem: NotDirectory, Dir: dir, Expected: "a directory", Found: info.Mode().String(),
			Remedy: "name another path with --data-dir",
		}
	}
	if owner := int(info.Sys().(*syscall.Stat_t).Uid); owner != os.Geteuid() {
		return &RefusedError{
			Problem: WrongOwner, Dir: dir, Expected: fmt.Sprintf("owner uid %d, as this process runs", os.Geteuid()),
			Found:  fmt.Sprintf("owner uid %d", owner),
			Remedy: fmt.Sprintf("run ballastd as uid %d, or: chown -R %d %s", owner, os.Geteuid(), dir),
		}
	}
	if mode := info.Mode().Perm(); mode&forbidden != 0 {
		return &RefusedError{
			Problem: WrongMode, Dir: dir, Expected: "mode 0700 or 0750", Found: fmt.Sprintf("mode %04o", mode),
			Remedy: "chmod 0700 " + dir,
		}
	}
	return nil
}

// lock takes the directory's lock, which ends with the returned file or with the process. The lock lies on the
// directory itself, so that taking it writes nothing.
func lock(dir string) (*os.File, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		return f, nil
	}
	if closeErr := f.Close(); closeErr != nil {
		return nil, errors.Join(err, closeErr)
	}
	if !errors.Is(err, unix.EWOULDBLOCK) {
		return nil, fmt.Errorf("lock data directory %s: %w", dir, err)
	}
	return nil, &RefusedError{
		Problem: Locked, Dir: dir, Expected: "no other process in it", Found: "it is locked by " + lastOpener(dir),
		Remedy: "stop that process first, or name another directory with --data-dir",
	}
}

// lastOpener describes the process that most likely holds the lock.
func lastOpener(dir string) string {
	data, err := readRecord(Layout{dir}.boot())
	if err != nil {
		return "a live process"
	}
	boot, err := decodeBoot(data)
	if err != nil || boot.PID == 0 {
		return "a live process"
	}
	return fmt.Sprintf("a live process, most likely %d", boot.PID)
}

// readRecord reads at most one byte more than a record may have.
func readRecord(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxRecord+1))
	return data, errors.Join(err, f.Close())
}

// state is what a data directory holds, as its file names tell.
type state int

const (
	stateEmpty state = iota
	stateHalf
	stateForeign
	stateInitialised
)

// inspect tells the state of the directory and its first few file names.
func inspect(dir string) (state, string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return stateForeign, "", err
	}
	var names []string
	for _, e := range entries {
		if e.Name() != lostFound {
			names = append(names, e.Name())
		}
	}
	has := func(name string) bool {
		_, err := os.Lstat(filepath.Join(dir, name))
		return err == nil
	}
	switch {
	case has(identityName):
		return stateInitialised, describe(names), nil
	case has(markerName):
		return stateHalf, describe(names), nil
	case len(names) == 0:
		return stateEmpty, "nothing in it", nil
	default:
		return stateForeign, describe(names), nil
	}
}

func describe(names []string) string {
	if len(names) > maxNamed {
		return fmt.Sprintf("%s and %d more files", strings.Join(names[:maxNamed], ", "), len(names)-maxNamed)
	}
	return strings.Join(names, ", ")
}
