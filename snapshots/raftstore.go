package snapshots

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/ballastdb/ballast/fsm/page"
	"github.com/ballastdb/ballast/internal/guard"
)

// Guards of UPSTREAM rows.
const (
	guardShouldSnapshot guard.Name = "shouldSnapshot"
	guardFallBack       guard.Name = "#85"
)

// Owner is whose state the pages are. Beside them it may keep an append-only file that a snapshot only names, in its meta:
// the tail, which travels behind the pages.
type Owner interface {
	// TailLength is the length in bytes of the tail that belongs to a snapshot with that meta, here or not.
	TailLength(meta []byte) (uint64, error)
	// OpenTail opens it.
	OpenTail(meta []byte) (io.ReadCloser, error)
	// Receive starts to take in a snapshot from another member, with that meta and digest.
	Receive(meta []byte, digest page.Digest) (Receiver, error)
}

// Receiver takes in a snapshot from another member. Nothing that is served changes.
type Receiver interface {
	// Page takes the next page, its checksum verified; the data is valid until it returns.
	Page(page.Page) error
	// Write takes the tail, behind all pages.
	io.Writer
	// Commit verifies all of it and makes what is the owner's durable. Only then is the manifest written.
	Commit() error
	// Abort drops what was received, also behind Commit where the manifest certainly is not on the disk.
	Abort() error
}

// RaftConfig of a RaftStore.
type RaftConfig struct {
	// Store keeps the snapshots.
	Store *Store
	// Owner of the state.
	Owner Owner
	// Offered is asked before anything of another member's snapshot is staged: an error is why staging it is of no use.
	// nil: it always is.
	Offered func(index, term uint64) error
	// Admit is asked, on raft's own goroutine, before what is staged is installed: an error is why it must not be now. nil:
	// it always may.
	Admit func(index, term uint64) error
	// Logger, nil: none.
	Logger hclog.Logger
	// Fatal must end the process: which manifest a power cut would leave is unknown. Starting again finds out.
	Fatal func(error)
}

// RaftStore is a raft.SnapshotStore over a Store. Its sinks take pages from the state machine (Changed, Page, Finish) and,
// for an install, the token of what Stage has staged. It lists the newest snapshot only.
type RaftStore struct {
	RaftConfig

	mu      sync.Mutex
	staging bool    // Stage is at work
	staged  *staged // what it has made ready; nil: nothing
	closed  bool
}

var _ raft.SnapshotStore = (*RaftStore)(nil)

// NewRaftStore makes one. c.Store, c.Owner and c.Fatal are needed.
func NewRaftStore(c RaftConfig) *RaftStore {
	if c.Logger == nil {
		c.Logger = hclog.NewNullLogger()
	}
	return &RaftStore{RaftConfig: c}
}

// Create implements raft.SnapshotStore. What is not newer than the newest snapshot is refused, but for the very same
// again, which is taken and does nothing: an idle member asks for that. So is a configuration newer than the snapshot: it
// would go backwards when the log is replayed.
func (s *RaftStore) Create(version raft.SnapshotVersion, index, term uint64, configuration raft.Configuration, configurationIndex uint64, _ raft.Transport) (raft.SnapshotSink, error) {
	if configurationIndex > index {
		return nil, fmt.Errorf("snapshots: expected a configuration of index %d at most, found %d", index, configurationIndex)
	}
	newest, err := s.newest()
	if err != nil {
		return nil, err
	}
	again := newest != nil && newest.Index == index && newest.Term == term
	if newest != nil && newest.Index >= index && !again {
		return nil, fmt.Errorf("snapshots: index %d of term %d is not newer than the newest snapshot, index %d of term %d", index, term, newest.Index, newest.Term)
	}
	meta := raftMeta{version: version, configuration: configuration, configurationIndex: configurationIndex}
	if again && guard.On(guardShouldSnapshot) {
		return &sameSink{id: snapshotID(newest)}, nil
	}
	w, err := s.Store.Begin(index, term)
	if err != nil {
		return nil, err
	}
	return &Sink{store: s, writer: w, meta: meta}, nil
}

// List implements raft.SnapshotStore: the newest only, because nothing older may ever be used.
func (s *RaftStore) List() ([]*raft.SnapshotMeta, error) {
	sn, err := s.Store.Newest()
	if err != nil || sn == nil {
		return nil, err
	}
	m, _, err := s.describe(sn)
	if err = errors.Join(err, sn.Close()); err != nil {
		return nil, err
	}
	return []*raft.SnapshotMeta{m}, nil
}

// Open implements raft.SnapshotStore. The reader is an *Opened.
func (s *RaftStore) Open(id string) (*raft.SnapshotMeta, io.ReadCloser, error) {
	sn, err := s.Store.Newest()
	if err != nil {
		return nil, nil, err
	}
	if sn == nil {
		return nil, nil, fmt.Errorf("snapshots: expected %s, found none", id)
	}
	if newest := snapshotID(sn.Manifest); newest != id {
		return nil, nil, errors.Join(fmt.Errorf("snapshots: expected %s, found only %s, which has replaced it", id, newest), sn.Close())
	}
	m, opened, err := s.describe(sn)
	if err != nil {
		return nil, nil, errors.Join(err, sn.Close())
	}
	return m, opened, nil
}

// describe tells raft about a snapshot. Its size is that of the stream.
func (s *RaftStore) describe(sn *Snapshot) (*raft.SnapshotMeta, *Opened, error) {
	meta, err := decodeRaftMeta(sn.Manifest.Meta)
	if err != nil {
		return nil, nil, err
	}
	length, err := s.Owner.TailLength(meta.owner)
	if err != nil {
		return nil, nil, err
	}
	o := newOpened(sn, s.Owner, meta.owner, length)
	return &raft.SnapshotMeta{
		Version: meta.version, ID: snapshotID(sn.Manifest), Index: sn.Index, Term: sn.Term,
		Configuration: meta.configuration, ConfigurationIndex: meta.configurationIndex, Size: int64(o.Size()),
	}, o, nil
}

// NewestIndex is the index of the newest snapshot; 0 where there is none, or it is not known.
func (s *RaftStore) NewestIndex() uint64 {
	m, err := s.newest()
	if err != nil || m == nil {
		return 0
	}
	return m.Index
}

// NewestSnapshot is the index and term of the newest durable snapshot; zero where there is none, or it is not known.
func (s *RaftStore) NewestSnapshot() (index, term uint64) {
	m, err := s.newest()
	if err != nil || m == nil {
		return 0, 0
	}
	return m.Index, m.Term
}

// newest is the newest manifest; nil where there is none.
func (s *RaftStore) newest() (*Manifest, error) {
	sn, err := s.Store.Newest()
	if err != nil || sn == nil {
		return nil, err
	}
	return sn.Manifest, sn.Close()
}

func snapshotID(m *Manifest) string { return fmt.Sprintf("%016x-%016x", m.Index, m.Term) }
