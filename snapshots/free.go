package snapshots

import (
	"errors"
	"os"
	"time"
)

// free removes files, a step at a time. A file system frees all blocks of a file in one transaction, and tells the device of them:
// for a gigabyte that takes half a second, in which an fsync of the log waits (docs/performance.md). What is left half
// removed by a crash, no manifest names; opening removes it.
func (s *Store) free(paths []string) error {
	var errs []error
	for _, path := range paths {
		errs = append(errs, s.shrink(path), s.fs.Remove(path))
	}
	return errors.Join(errs...)
}

// shrink cuts a file down until one step is left.
func (s *Store) shrink(path string) error {
	f, err := s.fs.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	size, err := f.Size()
	for left := uint64(max(size, 0)); err == nil && left > s.steps.free; time.Sleep(s.steps.rest) {
		left -= s.steps.free
		err = f.Truncate(int64(left)) //nolint:gosec // less than a file's size
	}
	return errors.Join(err, f.Close())
}
