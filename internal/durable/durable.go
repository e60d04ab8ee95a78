// Package durable changes small files so that a crash at any point leaves either the old or the new content, and so
// that what was reported done is on the disk.
package durable

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// TempPattern is the pattern of the temporary files that WriteFile makes beside its target; one that a crash left
// behind may be removed.
const TempPattern = ".*.tmp"

// WriteFile makes data the content of path: written to a temporary file beside it, fsynced, renamed over it, and the
// directory fsynced. The rename is the commit point: before it a crash leaves the old content, after it the new one.
// On an error after the rename the new content may or may not survive a power cut; the caller must not report success.
func WriteFile(path string, data []byte, mode os.FileMode) (err error) {
	dir, base := filepath.Split(path)
	f, err := os.CreateTemp(filepath.Clean(dir), "."+base+".*.tmp")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, removeIfThere(f.Name()))
		}
	}()
	if err := fill(f, data, mode); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return SyncDir(filepath.Clean(dir))
}

func fill(f *os.File, data []byte, mode os.FileMode) error {
	if err := f.Chmod(mode); err != nil {
		return err
	}
	if _, err := f.Write(data); err != nil {
		return err
	}
	return f.Sync()
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// Mkdir makes the directory path, unless it is there, and fsyncs its parent so that the new name survives a power cut.
func Mkdir(path string, mode os.FileMode) error {
	if err := os.Mkdir(path, mode); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	// The process's umask may have taken bits away, and an older directory may have others.
	if err := os.Chmod(path, mode); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(path))
}

// Remove removes the file path, where it is there, and fsyncs its directory.
func Remove(path string) error {
	if err := removeIfThere(path); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(path))
}

// SyncDir fsyncs a directory: names made, renamed or removed in it are then durable.
func SyncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	if err := d.Sync(); err != nil {
		return errors.Join(fmt.Errorf("fsync directory %s: %w", path, err), d.Close())
	}
	return d.Close()
}

// RemoveAll removes the file or directory path with all that is in it, where it is there, and fsyncs its directory.
func RemoveAll(path string) error {
	if err := os.RemoveAll(path); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(path))
}

// Rename gives path the name to, within one directory, and fsyncs that directory. What is at path must be durable.
func Rename(path, to string) error {
	if err := os.Rename(path, to); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(to))
}
