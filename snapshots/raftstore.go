package snapshots

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/ballastdb/ballast/internal/guard"
)

// Guards of UPSTREAM rows.
const (
	guardShouldSnapshot guard.Name = "shouldSnapshot"
	guardFallBack       guard.Name = "#85"
	guardConfiguration  guard.Name = "configuration"
)

// RaftConfig of a RaftStore.
type RaftConfig struct {
	// Store keeps the snapshots.
	Store *Store
	// Owner of the state.
	Owner Owner
	// Admit is asked, on raft's own goroutine, before what is staged is installed: an error is why it must not be now. nil:
	// it always may.
	Admit func(index, term uint64) error
	// ServeIdle is how long a snapshot that others pull pages of stays open behind the last call, though a newer one has
	// replaced it: its packs stay on the disk. Default 30 s.
	ServeIdle time.Duration
	// PullPause is the first pause before members are asked again that failed; it doubles. Default 200 ms.
	PullPause time.Duration
	// Damaged is told what was found damaged on the disk while it was read for others; it must not block. nil: nobody is.
	Damaged func(*DamagedError)
	// Pace waits, for a moment, until so many bytes more of a snapshot of this member's own may be written; nil: always at once.
	Pace func(bytes int)
	// Logger, nil: none.
	Logger hclog.Logger
	// Fatal must end the process: which manifest a power cut would leave is unknown. Starting again finds out.
	Fatal func(error)
}

// RaftStore is a raft.SnapshotStore over a Store. Its sinks publish what Prepare has prepared and, for an install, take the
// token of what Stage has staged. It lists the newest snapshot only.
type RaftStore struct {
	RaftConfig
	preparing preparing
	serving   serving

	mu      sync.Mutex
	staging bool    // Stage is at work
	staged  *staged // what it has made ready; nil: nothing
	area    *area   // the staging area, of whoever stages; nil: not opened
	closed  bool
}

var _ raft.SnapshotStore = (*RaftStore)(nil)

// NewRaftStore makes one. c.Store, c.Owner and c.Fatal are needed.
func NewRaftStore(c RaftConfig) *RaftStore {
	if c.Logger == nil {
		c.Logger = hclog.NewNullLogger()
	}
	if c.ServeIdle == 0 {
		c.ServeIdle = 30 * time.Second
	}
	if c.PullPause == 0 {
		c.PullPause = 200 * time.Millisecond
	}
	return &RaftStore{
		RaftConfig: c,
		serving:    serving{store: c.Store, idle: c.ServeIdle, logger: c.Logger, open: map[snapshotKey]*served{}},
	}
}

// Create implements raft.SnapshotStore. What is not newer than the newest snapshot is refused, and so is a configuration
// newer than what raft asks for. Nothing is written before the sink knows whether it publishes a mark or installs.
func (s *RaftStore) Create(version raft.SnapshotVersion, index, term uint64, configuration raft.Configuration, configurationIndex uint64, _ raft.Transport) (raft.SnapshotSink, error) {
	if configurationIndex > index {
		return nil, fmt.Errorf("snapshots: expected a configuration of index %d at most, found %d", index, configurationIndex)
	}
	newest, err := s.newest()
	if err != nil {
		return nil, err
	}
	if newest != nil && (newest.Index > index || newest.Index == index && newest.Term != term) {
		return nil, fmt.Errorf("snapshots: index %d of term %d is not newer than the newest snapshot, index %d of term %d", index, term, newest.Index, newest.Term)
	}
	meta := raftMeta{version: version, configuration: configuration, configurationIndex: configurationIndex}
	return &Sink{store: s, index: index, term: term, meta: meta}, nil
}

// List implements raft.SnapshotStore: the newest only, because nothing older may ever be used.
func (s *RaftStore) List() ([]*raft.SnapshotMeta, error) {
	newest, err := s.newest()
	if err != nil || newest == nil {
		return nil, err
	}
	m, _, err := describe(newest)
	if err != nil {
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
	if newest := snapshotID(sn.Index, sn.Term); newest != id {
		return nil, nil, errors.Join(fmt.Errorf("snapshots: expected %s, found only %s, which has replaced it", id, newest), sn.Close())
	}
	m, meta, err := describe(sn.Manifest)
	if err != nil {
		return nil, nil, errors.Join(err, sn.Close())
	}
	opened, err := s.opened(sn, meta)
	if err != nil {
		return nil, nil, err
	}
	return m, opened, nil
}

// describe tells raft about a snapshot, and gives the owner's meta. Its size is that of the manifest.
func describe(m *Manifest) (*raft.SnapshotMeta, []byte, error) {
	meta, err := decodeRaftMeta(m.Meta)
	if err != nil {
		return nil, nil, err
	}
	return &raft.SnapshotMeta{
		Version: meta.version, ID: snapshotID(m.Index, m.Term), Index: m.Index, Term: m.Term,
		Configuration: meta.configuration, ConfigurationIndex: meta.configurationIndex, Size: int64(m.encodedBytes()),
	}, meta.owner, nil
}

// NewestIndex is the index of the newest snapshot; 0 where there is none, or it is not known.
func (s *RaftStore) NewestIndex() uint64 {
	index, _ := s.NewestSnapshot()
	return index
}

// NewestSnapshot is the index and term of the newest durable snapshot; zero where there is none, or it is not known.
func (s *RaftStore) NewestSnapshot() (index, term uint64) { return s.Store.At() }

// newest is the newest manifest; nil where there is none.
func (s *RaftStore) newest() (*Manifest, error) {
	sn, err := s.Store.Newest()
	if err != nil || sn == nil {
		return nil, err
	}
	return sn.Manifest, sn.Close()
}

func snapshotID(index, term uint64) string { return fmt.Sprintf("%016x-%016x", index, term) }
