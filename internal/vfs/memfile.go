package vfs

import (
	"io"
	"io/fs"
)

// memFile is an open file of a Mem.
type memFile struct {
	fs     *Mem
	name   string
	node   *inode
	append bool
	pos    int64
}

func (f *memFile) Read(b []byte) (int, error) {
	n, err := f.ReadAt(b, f.pos)
	f.pos += int64(n)
	if n > 0 {
		err = nil
	}
	return n, err
}

func (f *memFile) ReadAt(b []byte, off int64) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if f.fs.cut {
		return 0, ErrPowerCut
	}
	if off >= int64(len(f.node.data)) {
		return 0, io.EOF
	}
	n := copy(b, f.node.data[off:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (f *memFile) Write(b []byte) (int, error) {
	if f.append {
		f.fs.mu.Lock()
		f.pos = int64(len(f.node.data))
		f.fs.mu.Unlock()
	}
	n, err := f.WriteAt(b, f.pos)
	f.pos += int64(n)
	return n, err
}

func (f *memFile) WriteAt(b []byte, off int64) (int, error) {
	c := change{off: off, data: append([]byte{}, b...)}
	if err := f.fs.do(OpWrite, f.name, func() error { return f.grow(c, off+int64(len(b))) }, nil); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Allocate implements allocator.
func (f *memFile) Allocate(size int64) error {
	return f.fs.do(OpWrite, f.name, func() error { return f.grow(change{off: size}, size) }, nil)
}

// grow does a change after which the file ends at end or behind.
func (f *memFile) grow(c change, end int64) error {
	if err := f.fs.room(f.node, end); err != nil {
		return &fs.PathError{Op: "write", Path: f.name, Err: err}
	}
	f.change(c)
	return nil
}

func (f *memFile) change(c change) {
	f.node.data = c.apply(f.node.data)
	f.node.pending = append(f.node.pending, c)
}

func (f *memFile) Truncate(size int64) error {
	return f.fs.do(OpTruncate, f.name, func() error { f.change(change{off: size}); return nil }, nil)
}

func (f *memFile) Sync() error {
	return f.fs.do(OpSync, f.name, func() error {
		for _, c := range f.node.pending {
			if !c.lost {
				f.node.durable = c.apply(f.node.durable)
			}
		}
		f.node.pending = nil
		return nil
	}, f.lose)
}

// lose is what a failed sync or write-back leaves of what was pending. A write-back that fails may lose less; nobody who holds to
// File can tell.
func (f *memFile) lose() {
	for i := range f.node.pending {
		f.node.pending[i].lost = true
	}
}

// WriteBack implements File.
func (f *memFile) WriteBack(int64, int64) error {
	return f.fs.do(OpWriteBack, f.name, func() error { return nil }, f.lose)
}

func (f *memFile) Size() (int64, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	return int64(len(f.node.data)), nil
}

// Close implements File: it makes nothing durable.
func (f *memFile) Close() error { return nil }
