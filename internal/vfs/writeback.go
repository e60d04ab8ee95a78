package vfs

import (
	"errors"
	"io/fs"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// writeBackFlags write a range out and wait until that is done, and for writing that was under way before.
const writeBackFlags = unix.SYNC_FILE_RANGE_WAIT_BEFORE | unix.SYNC_FILE_RANGE_WRITE | unix.SYNC_FILE_RANGE_WAIT_AFTER

// WriteBack implements File. A file system that cannot do it leaves the work to Sync.
func (f osFile) WriteBack(offset, length int64) error {
	for {
		err := unix.SyncFileRange(int(f.Fd()), offset, length, writeBackFlags)
		runtime.KeepAlive(f.File)
		switch {
		case err == nil || errors.Is(err, syscall.ENOSYS) || errors.Is(err, syscall.ESPIPE):
			return nil
		case !errors.Is(err, syscall.EINTR):
			return &fs.PathError{Op: "writeback", Path: f.Name(), Err: err}
		}
	}
}
