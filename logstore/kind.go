package logstore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Kind of file that a raft log is kept in.
type Kind string

// Kinds.
const (
	// Bolt is one bbolt file, as raft-boltdb writes it.
	Bolt Kind = "boltdb"
	// WAL is a directory of segments, as raft-wal writes them.
	WAL Kind = "wal"
)

// Names within the directory of a log. A name without tempSuffix holds a whole log.
const (
	boltName   = "log.db"
	walName    = "wal"
	tempSuffix = ".tmp"
)

// walMode of the directory of segments.
const walMode os.FileMode = 0o700

// Kinds lists all.
func Kinds() []Kind { return []Kind{Bolt, WAL} }

// path of a log of this kind in the directory dir.
func (k Kind) path(dir string) string {
	if k == WAL {
		return filepath.Join(dir, walName)
	}
	return filepath.Join(dir, boltName)
}

// other is the kind that k is not.
func (k Kind) other() Kind {
	if k == WAL {
		return Bolt
	}
	return WAL
}

func (k Kind) check() error {
	if k != Bolt && k != WAL {
		return fmt.Errorf("logstore: expected the kind %s or %s, found %q", Bolt, WAL, string(k))
	}
	return nil
}

// Find tells which kinds of log a directory holds. More than one is what a conversion that was cut short leaves.
func Find(dir string) ([]Kind, error) {
	var found []Kind
	for _, k := range Kinds() {
		switch _, err := os.Lstat(k.path(dir)); {
		case err == nil:
			found = append(found, k)
		case !errors.Is(err, fs.ErrNotExist):
			return nil, err
		}
	}
	return found, nil
}

// KindError refuses to open a log as another kind than it is. Nothing was changed.
type KindError struct {
	// Dir is the directory of the log.
	Dir string
	// Wanted is the kind that was asked for.
	Wanted Kind
	// Found is what is there: another kind, or both where a conversion was cut short.
	Found []Kind
}

// Error says what was expected and what was found; Remedy says what to do.
func (e *KindError) Error() string {
	if len(e.Found) > 1 {
		return fmt.Sprintf("raft log in %s: expected one of the kind %s, found two: a conversion was cut short", e.Dir, e.Wanted)
	}
	return fmt.Sprintf("raft log in %s: expected one of the kind %s, found the kind %s", e.Dir, e.Wanted, e.Found[0])
}

// checkKind refuses a directory that holds another kind of log.
func checkKind(dir string, wanted Kind) error {
	if err := wanted.check(); err != nil {
		return err
	}
	found, err := Find(dir)
	if err != nil {
		return err
	}
	if len(found) == 0 || len(found) == 1 && found[0] == wanted {
		return nil
	}
	return &KindError{Dir: dir, Wanted: wanted, Found: found}
}
