// Package audit keeps a record of what operators did at a member: a bounded log of lines in a directory of its own, and the
// interceptor that writes them. docs/security.md tells operators about it.
//
//	audit.log, audit.log.1 (older) ... audit.log.4; each at most maxFileBytes
//	a line: one JSON object, "\n"; two of one call have the same id
//
// Recovery: a line that a crash left incomplete is ended by the next one that is written, and skipped by who reads. Files that
// are there stay as they are, whatever is in them.
package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/ballastdb/ballast/internal/vfs"
)

const (
	fileName = "audit.log"
	// maxFileBytes and maxFiles bound what is kept; olderFiles of them are closed.
	maxFileBytes = 1 << 20
	olderFiles   = 4
	// maxText bounds the request and the error of a line, bytes.
	maxText = 1 << 10
	// MaxEntries bounds what is read at once.
	MaxEntries = 1000
)

// begun is the outcome of a call that is not over.
const begun = "begun"

// Entry is one action.
type Entry struct {
	// ID is the same in both lines of a call, and unique among those of a member's boot.
	ID string `json:"id"`
	// Time it was asked for, by the member's own clock.
	Time time.Time `json:"time"`
	// By is role and name of the certificate, From the host.
	By   string `json:"by"`
	From string `json:"from"`
	// Call is gRPC's full name of it.
	Call string `json:"call"`
	// Request is what was asked, as JSON, cut.
	Request string `json:"request"`
	// Outcome is a gRPC code, or "begun".
	Outcome string `json:"outcome"`
	// Error is why it failed.
	Error string `json:"error,omitempty"`
	// TookMS is how long it took, milliseconds.
	TookMS float64 `json:"took_ms,omitempty"`
}

// Log is the record in one directory. Its methods are for any goroutine.
type Log struct {
	fs  vfs.FS
	dir string

	mu   sync.Mutex
	torn bool // the line before failed
}

// Open makes the directory where there is none.
func Open(fsys vfs.FS, dir string) (*Log, error) {
	if err := fsys.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("audit log: %w", err)
	}
	if err := fsys.SyncDir(filepath.Dir(dir)); err != nil {
		return nil, fmt.Errorf("audit log: %w", err)
	}
	return &Log{fs: fsys, dir: dir}, nil
}

func (l *Log) path(age int) string {
	if age == 0 {
		return filepath.Join(l.dir, fileName)
	}
	return filepath.Join(l.dir, fmt.Sprintf("%s.%d", fileName, age))
}

// Append puts a line on the disk.
func (l *Log) Append(e Entry) error {
	e.Request, e.Error = clip(e.Request), clip(e.Error)
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	line = append(line, '\n')
	if l.torn { // what of it is on the disk is not known: it ends here
		line = append([]byte{'\n'}, line...)
	}
	err = l.append(line)
	if l.torn = err != nil; err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	return nil
}

func (l *Log) append(line []byte) (err error) {
	f, err := l.fs.OpenFile(l.path(0), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	size, err := f.Size()
	if err == nil && size > 0 && size+int64(len(line)) > maxFileBytes {
		if err = errors.Join(f.Close(), l.rotate()); err != nil {
			return err
		}
		if f, err = l.fs.OpenFile(l.path(0), os.O_RDWR|os.O_CREATE, 0o600); err != nil {
			return err
		}
		size, err = f.Size()
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err != nil {
		return err
	}
	if size > 0 { // a line that a crash left incomplete ends here
		last := make([]byte, 1)
		if _, err := f.ReadAt(last, size-1); err == nil && last[0] != '\n' {
			line = append([]byte{'\n'}, line...)
		}
	}
	if _, err := f.WriteAt(line, size); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if size == 0 {
		return l.fs.SyncDir(l.dir)
	}
	return nil
}

// rotate makes every file one older; the oldest is replaced.
func (l *Log) rotate() error {
	for age := olderFiles - 1; age >= 0; age-- {
		if err := l.fs.Rename(l.path(age), l.path(age+1)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return l.fs.SyncDir(l.dir)
}

// Newest are up to limit actions, newest first, each as its last line has it.
func (l *Log) Newest(limit int) ([]Entry, error) {
	limit = min(max(limit, 1), MaxEntries)
	l.mu.Lock()
	defer l.mu.Unlock()
	var list []Entry
	over := map[string]bool{}
	for age := range olderFiles + 1 {
		data, err := vfs.ReadFile(l.fs, l.path(age), 2*maxFileBytes)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("audit log: %w", err)
		}
		for _, line := range slices.Backward(bytes.Split(data, []byte{'\n'})) {
			var e Entry
			if len(line) == 0 || json.Unmarshal(line, &e) != nil || over[e.ID] {
				continue
			}
			over[e.ID] = e.ID != ""
			if list = append(list, e); len(list) == limit {
				return list, nil
			}
		}
	}
	return list, nil
}

// clip cuts a text, at a whole character.
func clip(text string) string {
	if len(text) <= maxText {
		return text
	}
	return string(bytes.ToValidUTF8([]byte(text[:maxText]), nil)) + "..."
}
