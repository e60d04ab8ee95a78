// Package durable changes small files so that a crash at any point leaves either the old or the new content, and so
// that what was reported done is on the disk.
package durable

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/ballastdb/ballast/internal/vfs"
)

// TempPattern is the pattern of the temporary files that WriteFile makes beside its target; one that a crash left
// behind may be removed.
const TempPattern = "*" + vfs.TempSuffix

// WriteFile makes data the content of path, which gets exactly this mode: vfs.WriteFile on the real file system. On an error after
// the rename the new content may or may not survive a power cut; the caller must not report success.
func WriteFile(path string, data []byte, mode os.FileMode) error {
	return vfs.WriteFile(exactMode{}, path, data, mode)
}

// exactMode is the real file system without the process's umask.
type exactMode struct{ vfs.OS }

// OpenFile implements vfs.FS.
func (e exactMode) OpenFile(name string, flag int, mode os.FileMode) (vfs.File, error) {
	f, err := e.OS.OpenFile(name, flag, mode)
	if err != nil || flag&os.O_CREATE == 0 {
		return f, err
	}
	if err := os.Chmod(name, mode); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
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
	if err := (vfs.OS{}).SyncDir(path); err != nil {
		return fmt.Errorf("fsync directory %s: %w", path, err)
	}
	return nil
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
