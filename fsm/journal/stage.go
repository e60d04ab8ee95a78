package journal

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/ballastdb/ballast/internal/vfs"
)

// Stage is a journal that is written aside, from a snapshot, to replace the one in use.
type Stage struct {
	target *Journal
	next   *Journal
	torn   []byte // the beginning of an entry whose end has not been written yet

	committed bool
}

// Stage starts an empty one, in a set of its own. Nothing changes until Commit.
func (j *Journal) Stage() (*Stage, error) {
	set := j.set + 1
	dir := filepath.Join(j.root, setName(set))
	err := removeSet(j.fs, dir)
	if err == nil {
		err = j.fs.Mkdir(dir, 0o700)
	}
	if err != nil {
		return nil, fmt.Errorf("stage a journal: %w", err)
	}
	next := &Journal{fs: j.fs, root: j.root, set: set, dir: dir, format: j.format, limit: j.limit, logger: j.logger, dirty: true}
	return &Stage{target: j, next: next}, nil
}

// Write adds bytes; they need not end with an entry. Each entry is checked by the chain.
func (s *Stage) Write(p []byte) (int, error) {
	b := append(s.torn, p...)
	whole := 0
	for {
		n, err := s.next.format.Size(b[whole:])
		if err != nil || n > s.next.format.MaxSize() {
			return 0, fmt.Errorf("%w: an entry after %d of %d bytes: %w", ErrCorrupt, s.next.end.Sequence, n, err)
		}
		if n <= 0 || n > len(b)-whole {
			break
		}
		whole += n
	}
	if err := s.next.appendAll(b[:whole]); err != nil {
		return 0, err
	}
	s.torn = append(s.torn[:0], b[whole:]...)
	return len(p), nil
}

// Commit makes the staged journal durable and puts it in place of the one in use, provided that it ends at exactly want.
func (s *Stage) Commit(want Position) error {
	if got := s.next.End(); got != want || len(s.torn) > 0 {
		return fmt.Errorf("%w: the staged journal ends at %+v with %d bytes of a torn entry, want %+v", ErrCorrupt, got, len(s.torn), want)
	}
	if err := s.next.Sync(); err != nil {
		return err
	}
	s.committed = true
	return s.target.replaceBy(s.next)
}

// Abort removes what was staged. After Commit it does nothing.
func (s *Stage) Abort() error {
	if s.committed {
		return nil
	}
	return errors.Join(s.next.closeFiles(), removeSet(s.next.fs, s.next.dir))
}

// replaceBy puts next's set in the place of j's. The new CURRENT is the commit point.
func (j *Journal) replaceBy(next *Journal) error {
	j.syncing.Lock()
	defer j.syncing.Unlock()
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.failed != nil {
		return j.failed
	}
	err := j.fs.SyncDir(j.root) // the new set's name
	if err == nil {
		err = vfs.WriteFile(j.fs, filepath.Join(j.root, currentName), encodeCurrent(next.set), 0o600)
	}
	if err == nil {
		err = j.closeFiles()
	}
	if err == nil {
		err = removeSet(j.fs, j.dir)
	}
	if err != nil {
		j.failed = fmt.Errorf("replace the journal: %w", err)
		return j.failed
	}
	j.cuts++
	j.set, j.dir, j.segments, j.end, j.dirty = next.set, next.dir, next.segments, next.end, false
	next.segments = nil
	return nil
}
