package vfs

import (
	"io/fs"
	"os"
	"syscall"
)

// ReadOnly is a file system on which nothing can be changed: files are opened for reading whatever they are opened for, and
// what would change anything fails with syscall.EROFS. Sync succeeds and does nothing.
func ReadOnly(fsys FS) FS { return readOnly{fsys} }

type readOnly struct{ FS }

// OpenFile implements FS.
func (r readOnly) OpenFile(name string, flag int, _ fs.FileMode) (File, error) {
	if flag&(os.O_CREATE|os.O_TRUNC|os.O_APPEND) != 0 {
		return nil, &fs.PathError{Op: "open", Path: name, Err: syscall.EROFS}
	}
	f, err := r.FS.OpenFile(name, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	return readOnlyFile{f}, nil
}

// Rename implements FS.
func (readOnly) Rename(name, _ string) error { return refuseWrite("rename", name) }

// Remove implements FS.
func (readOnly) Remove(name string) error { return refuseWrite("remove", name) }

// Mkdir implements FS.
func (readOnly) Mkdir(name string, _ fs.FileMode) error { return refuseWrite("mkdir", name) }

// SyncDir implements FS.
func (readOnly) SyncDir(string) error { return nil }

type readOnlyFile struct{ File }

// Write implements File.
func (readOnlyFile) Write([]byte) (int, error) { return 0, syscall.EROFS }

// WriteAt implements File.
func (readOnlyFile) WriteAt([]byte, int64) (int, error) { return 0, syscall.EROFS }

// Truncate implements File.
func (readOnlyFile) Truncate(int64) error { return syscall.EROFS }

// Sync implements File.
func (readOnlyFile) Sync() error { return nil }

func refuseWrite(op, name string) error { return &fs.PathError{Op: op, Path: name, Err: syscall.EROFS} }

// WriteBack implements File.
func (readOnlyFile) WriteBack(int64, int64) error { return nil }
