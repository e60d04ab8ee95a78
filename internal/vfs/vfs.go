// Package vfs is the file system as durable code sees it: the real one, and an in-memory twin that loses what was not
// synced.
//
// Code that must survive a power cut takes an FS. Production gives it OS. A test gives it a Mem, lets single calls fail
// (Mem.Inject), cuts the power at any call, takes what a disk could hold afterwards (Mem.Crash) and opens that again.
package vfs

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// FS is what durable code needs of a file system. Names are paths; errors are those of package os.
type FS interface {
	// OpenFile opens with the flags of package os.
	OpenFile(name string, flag int, perm fs.FileMode) (File, error)
	// Rename replaces newname by oldname in one step. Durable only after SyncDir.
	Rename(oldname, newname string) error
	// Remove removes a file or an empty directory. Durable only after SyncDir.
	Remove(name string) error
	// Mkdir makes a directory. Durable only after SyncDir of its parent.
	Mkdir(name string, perm fs.FileMode) error
	// ReadDir lists the names in a directory, sorted.
	ReadDir(name string) ([]string, error)
	// SyncDir makes the directory's entries durable: creations, renames and removals in it.
	SyncDir(name string) error
}

// File is an open file.
type File interface {
	io.Reader
	io.ReaderAt
	io.Writer
	io.WriterAt
	io.Closer
	// Sync makes the contents durable, not the name. After an error the contents are unknown: never write on.
	Sync() error
	// WriteBack has what was written in a range go to the device and waits for that. Nothing is durable by it: Sync is still
	// needed, and has less to wait for. After an error the contents are unknown, as after one of Sync.
	WriteBack(offset, length int64) error
	// Truncate sets the length.
	Truncate(size int64) error
	// Size is the length in bytes.
	Size() (int64, error)
}

// OS is the real file system.
type OS struct{}

type osFile struct{ *os.File }

// Size implements File.
func (f osFile) Size() (int64, error) {
	st, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return st.Size(), nil
}

// OpenFile implements FS.
func (OS) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	f, err := os.OpenFile(name, flag, perm) //nolint:gosec // the caller decides which file
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

// Rename implements FS.
func (OS) Rename(oldname, newname string) error { return os.Rename(oldname, newname) }

// Remove implements FS.
func (OS) Remove(name string) error { return os.Remove(name) }

// Mkdir implements FS.
func (OS) Mkdir(name string, perm fs.FileMode) error { return os.Mkdir(name, perm) }

// ReadDir implements FS.
func (OS) ReadDir(name string) ([]string, error) {
	entries, err := os.ReadDir(name)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, nil
}

// SyncDir implements FS.
func (OS) SyncDir(name string) error {
	d, err := os.Open(name) //nolint:gosec // the caller decides which directory
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// ReadFile reads a whole file of at most limit bytes; a longer one is an error before it is read.
func ReadFile(fsys FS, name string, limit int64) ([]byte, error) {
	f, err := fsys.OpenFile(name, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	if size > limit {
		return nil, &fs.PathError{Op: "read", Path: name, Err: syscall.EFBIG}
	}
	b := make([]byte, size)
	if _, err := io.ReadFull(f, b); err != nil {
		return nil, &fs.PathError{Op: "read", Path: name, Err: err}
	}
	return b, nil
}

// WriteFile makes data durable under name, or leaves what was there: written to a temporary file beside it, synced,
// renamed over it, the directory synced. The rename is where it takes effect; after an error before it nothing has
// changed, after an error at or behind it either may be there.
func WriteFile(fsys FS, name string, data []byte, perm fs.FileMode) error {
	tmp := name + TempSuffix
	f, err := fsys.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, perm)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, fsys.Remove(tmp))
	}
	if err := fsys.Rename(tmp, name); err != nil {
		return errors.Join(err, fsys.Remove(tmp))
	}
	return fsys.SyncDir(filepath.Dir(name))
}

// TempSuffix ends the names of files that are not complete yet: whoever opens a directory may remove them.
const TempSuffix = ".tmp"

// allocator is a file that can be given blocks without being written.
type allocator interface {
	Allocate(size int64) error
}

// Allocate makes a file size bytes long, what is new being zeros that have their place on the disk. It never makes one
// shorter. Where the file system cannot do so at once, zeros are written.
func Allocate(f File, size int64) error {
	have, err := f.Size()
	if err != nil || have >= size {
		return err
	}
	if a, ok := f.(allocator); ok {
		if err := a.Allocate(size); !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
	}
	zeros := make([]byte, 1<<20)
	for at := have; at < size; at += int64(len(zeros)) {
		if _, err := f.WriteAt(zeros[:min(int64(len(zeros)), size-at)], at); err != nil {
			return err
		}
	}
	return nil
}

// Allocate implements allocator.
func (f osFile) Allocate(size int64) error {
	for {
		err := unix.Fallocate(int(f.Fd()), 0, 0, size)
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.ENOSYS):
			return errors.ErrUnsupported
		default:
			return err
		}
	}
}
