//go:build lab

package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"unsafe"
)

// disk is an ext4 file system of its own in a file, whose power can be cut.
type disk struct {
	image, mounted string
}

const diskSize = "2G" // sparse

func newDisk(dir string) (*disk, error) {
	d := &disk{image: filepath.Join(dir, "disk.ext4"), mounted: filepath.Join(dir, "disk")}
	if err := sh("truncate -s %s %s && mkdir %s", diskSize, d.image, d.mounted); err != nil {
		return nil, err
	}
	if err := d.format(); err != nil {
		return nil, err
	}
	return d, d.mount()
}

// wipe makes the file system anew: another disk in the place of this one. The host must be off.
func (d *disk) wipe() error {
	if err := d.unmount(); err != nil {
		return err
	}
	if err := d.format(); err != nil {
		return err
	}
	return d.mount()
}

// format makes an empty file system.
func (d *disk) format() error {
	return sh("mkfs.ext4 -q -F -E lazy_itable_init=1,lazy_journal_init=1 %s", d.image)
}

// state is the directory on it that a host has as /var/lib/ballast: the top has lost+found.
func (d *disk) state() string { return filepath.Join(d.mounted, "ballast") }

func (d *disk) mount() error {
	if err := sh("mount -o loop %s %s", d.image, d.mounted); err != nil {
		return err
	}
	return os.MkdirAll(d.state(), 0o755)
}

// unmount fails where the file system lives on in another mount: mounting it again would show the one that was shut down.
func (d *disk) unmount() error {
	return sh("umount %s; held=$(losetup -j %s); test -z \"$held\" || { echo still held: $held; exit 1; }", d.mounted, d.image)
}

// cut is a power cut: what was not synced is lost, and nothing is written any more. The host must stand still.
func (d *disk) cut() (err error) {
	const (
		shutdown   = 0x8004587d // EXT4_IOC_SHUTDOWN: _IOR('X', 125, uint32)
		noLogFlush = 2
	)
	top, err := os.Open(d.mounted)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, top.Close()) }()
	how := uint32(noLogFlush)
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, top.Fd(), shutdown, uintptr(unsafe.Pointer(&how))); errno != 0 {
		return fmt.Errorf("shut %s down: %w", d.mounted, errno)
	}
	return nil
}
