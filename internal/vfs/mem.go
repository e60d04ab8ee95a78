package vfs

import (
	"errors"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
)

// Kind of a call that changes or makes durable.
type Kind string

// Kinds of calls that Inject sees.
const (
	OpCreate   Kind = "create"
	OpWrite    Kind = "write"
	OpTruncate Kind = "truncate"
	OpSync     Kind = "sync"
	// OpWriteBack makes nothing durable.
	OpWriteBack Kind = "writeback"
	OpRename    Kind = "rename"
	OpRemove    Kind = "remove"
	OpMkdir     Kind = "mkdir"
	OpSyncDir   Kind = "syncdir"
)

// Op is one such call. Path of a rename is the new name.
type Op struct {
	Kind Kind
	Path string
}

// Fault is what an injected call does.
type Fault int

// Faults.
const (
	// None: the call works.
	None Fault = iota
	// Fail: the call does nothing and returns EIO. After a failed sync the kernel has dropped the dirty pages: what was
	// written before it never becomes durable, although a later sync succeeds.
	Fail
	// FailPersisted: the call is done, durably where it is a sync, and returns EIO all the same.
	FailPersisted
	// PowerCut: the call is done, and it is the last one: all later ones return ErrPowerCut.
	PowerCut
)

// ErrPowerCut is what every call returns after a PowerCut.
var ErrPowerCut = errors.New("vfs: the power is cut")

// Mem is a file system in memory. It remembers what was made durable and what was not.
type Mem struct {
	mu     sync.Mutex
	live   map[string]*inode // as processes see it
	synced map[string]*inode // names that survive a power cut
	names  []nameOp          // changes of names since their directory was synced, in order
	inject func(Op) Fault
	cut    bool
	limit  int64 // of the bytes in all files; 0: none
}

// inode is a file or a directory.
type inode struct {
	dir     bool
	data    []byte
	durable []byte
	pending []change // since the last sync, in order
}

// change of a file's contents: a write, or a truncation where data is nil.
type change struct {
	off  int64
	data []byte
	lost bool // a sync failed after it
}

// nameOp is a change of a name; node nil removes it. A rename is one nameOp with both names, so that it stays atomic.
type nameOp struct {
	dir, name string
	node      *inode
	from      string
}

// NewMem makes a file system with a root directory.
func NewMem() *Mem {
	root := &inode{dir: true}
	return &Mem{live: map[string]*inode{"/": root}, synced: map[string]*inode{"/": root}}
}

// Inject lets f decide over every call from now on; nil ends it. f must not call the Mem.
func (m *Mem) Inject(f func(Op) Fault) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.inject = f
}

// Limit makes the disk hold this many bytes of files at most: what would go beyond fails with ENOSPC. 0: no limit.
func (m *Mem) Limit(bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.limit = bytes
}

// Used are the bytes in all files.
func (m *Mem) Used() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.used()
}

func (m *Mem) used() (bytes int64) {
	for _, node := range m.live {
		bytes += int64(len(node.data))
	}
	return bytes
}

// room is nil where a file can be made end bytes long.
func (m *Mem) room(node *inode, end int64) error {
	if more := end - int64(len(node.data)); m.limit > 0 && more > 0 && m.used()+more > m.limit {
		return syscall.ENOSPC
	}
	return nil
}

// Crash is a disk as a power cut now could leave it: everything synced, and of the rest whatever the seed picks: names
// up to some point in time, and any subset of the writes, torn at 512-byte sectors. The Mem itself is not changed.
func (m *Mem) Crash(seed uint64) *Mem {
	m.mu.Lock()
	defer m.mu.Unlock()
	rng := rand.New(rand.NewPCG(seed, 1))
	names := maps.Clone(m.synced)
	for _, op := range m.names[:rng.IntN(len(m.names)+1)] {
		op.apply(names)
	}
	after := &Mem{live: map[string]*inode{}, synced: map[string]*inode{}}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		node := names[name]
		data := slices.Clone(node.durable)
		for _, c := range node.pending {
			switch pick := rng.IntN(3); {
			case c.lost || pick == 0:
			case pick == 1 && len(c.data) > 0:
				first := rng.IntN(len(c.data)/512+1) * 512
				last := min(len(c.data), first+rng.IntN(len(c.data)/512+1)*512)
				data = change{off: c.off + int64(first), data: c.data[first:last]}.apply(data)
			default:
				data = c.apply(data)
			}
		}
		n := &inode{dir: node.dir, data: data, durable: slices.Clone(data)}
		after.live[name], after.synced[name] = n, n
	}
	return after
}

// Clone is an independent copy of what processes see, all of it durable: for damaging it.
func (m *Mem) Clone() *Mem {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := &Mem{live: map[string]*inode{}, synced: map[string]*inode{}}
	for name, node := range m.live {
		n := &inode{dir: node.dir, data: slices.Clone(node.data), durable: slices.Clone(node.data)}
		c.live[name], c.synced[name] = n, n
	}
	return c
}

// Bytes is the contents of a file for a test to read and to damage; nil where there is none.
func (m *Mem) Bytes(name string) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n := m.live[filepath.Clean(name)]; n != nil {
		return n.data
	}
	return nil
}

func (c change) apply(b []byte) []byte {
	end := c.off + int64(len(c.data))
	if c.data == nil {
		if c.off <= int64(len(b)) {
			return b[:c.off]
		}
		end = c.off
	}
	if end > int64(cap(b)) { // twice, not a quarter more as append does: the race detector looks at each byte that is copied
		more := make([]byte, len(b), max(end, 2*int64(cap(b))))
		copy(more, b)
		b = more
	}
	if old := int64(len(b)); end > old {
		b = b[:end]
		clear(b[old:max(old, c.off)])
	}
	copy(b[c.off:], c.data)
	return b
}

func (o nameOp) apply(names map[string]*inode) {
	if o.from != "" {
		delete(names, o.from)
	}
	if o.node == nil {
		delete(names, o.name)
		return
	}
	names[o.name] = o.node
}

// do runs a call under the lock with what Inject says of it. work does it; fail is what the call does where it fails.
func (m *Mem) do(kind Kind, path string, work func() error, fail func()) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.cut {
		return ErrPowerCut
	}
	fault := None
	if m.inject != nil {
		fault = m.inject(Op{kind, path})
	}
	if fault == Fail {
		if fail != nil {
			fail()
		}
		return &fs.PathError{Op: string(kind), Path: path, Err: syscall.EIO}
	}
	err := work()
	switch {
	case fault == PowerCut:
		m.cut = true
		return ErrPowerCut
	case fault == FailPersisted && err == nil:
		err = &fs.PathError{Op: string(kind), Path: path, Err: syscall.EIO}
	}
	return err
}

func (m *Mem) name(op nameOp) {
	op.dir = filepath.Dir(op.name)
	op.apply(m.live)
	m.names = append(m.names, op)
}

func missing(op, name string) error { return &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist} }

// OpenFile implements FS.
func (m *Mem) OpenFile(name string, flag int, _ fs.FileMode) (File, error) {
	name = filepath.Clean(name)
	m.mu.Lock()
	node, cut := m.live[name], m.cut
	m.mu.Unlock()
	switch {
	case cut:
		return nil, ErrPowerCut
	case node != nil && node.dir:
		return nil, &fs.PathError{Op: "open", Path: name, Err: syscall.EISDIR}
	case node != nil && flag&(os.O_CREATE|os.O_EXCL) == os.O_CREATE|os.O_EXCL:
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrExist}
	case node == nil && flag&os.O_CREATE == 0:
		return nil, missing("open", name)
	case node == nil:
		if err := m.do(OpCreate, name, func() error {
			if m.live[filepath.Dir(name)] == nil {
				return missing("open", name)
			}
			node = &inode{}
			m.name(nameOp{name: name, node: node})
			return nil
		}, nil); err != nil {
			return nil, err
		}
	}
	f := &memFile{fs: m, name: name, node: node, append: flag&os.O_APPEND != 0}
	if flag&os.O_TRUNC != 0 {
		if err := f.Truncate(0); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// Rename implements FS.
func (m *Mem) Rename(oldname, newname string) error {
	oldname, newname = filepath.Clean(oldname), filepath.Clean(newname)
	return m.do(OpRename, newname, func() error {
		node := m.live[oldname]
		if node == nil {
			return missing("rename", oldname)
		}
		m.name(nameOp{name: newname, node: node, from: oldname})
		return nil
	}, nil)
}

// Remove implements FS.
func (m *Mem) Remove(name string) error {
	name = filepath.Clean(name)
	return m.do(OpRemove, name, func() error {
		if m.live[name] == nil {
			return missing("remove", name)
		}
		m.name(nameOp{name: name})
		return nil
	}, nil)
}

// Mkdir implements FS.
func (m *Mem) Mkdir(name string, _ fs.FileMode) error {
	name = filepath.Clean(name)
	return m.do(OpMkdir, name, func() error {
		switch {
		case m.live[name] != nil:
			return &fs.PathError{Op: "mkdir", Path: name, Err: fs.ErrExist}
		case m.live[filepath.Dir(name)] == nil:
			return missing("mkdir", name)
		}
		m.name(nameOp{name: name, node: &inode{dir: true}})
		return nil
	}, nil)
}

// ReadDir implements FS.
func (m *Mem) ReadDir(name string) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	name = filepath.Clean(name)
	if m.cut {
		return nil, ErrPowerCut
	}
	if n := m.live[name]; n == nil || !n.dir {
		return nil, missing("open", name)
	}
	var names []string
	for path := range m.live {
		if path != name && filepath.Dir(path) == name {
			names = append(names, filepath.Base(path))
		}
	}
	slices.Sort(names)
	return names, nil
}

// SyncDir implements FS.
func (m *Mem) SyncDir(name string) error {
	name = filepath.Clean(name)
	return m.do(OpSyncDir, name, func() error {
		var rest []nameOp
		for _, op := range m.names {
			if op.dir == name {
				op.apply(m.synced)
			} else {
				rest = append(rest, op)
			}
		}
		m.names = rest
		return nil
	}, nil)
}
