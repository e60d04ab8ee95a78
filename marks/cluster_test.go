package marks

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/ballastdb/ballast/fsm"
	"github.com/ballastdb/ballast/fsm/ledger"
	"github.com/ballastdb/ballast/internal/vfs"
	"github.com/ballastdb/ballast/snapshots"
)

// cluster is three members that reach each other.
type cluster struct {
	t       *testing.T
	members []*member
}

func newCluster(t *testing.T, published func(*member, uint64)) *cluster {
	t.Helper()
	c := &cluster{t: t}
	var configuration raft.Configuration
	for _, id := range []string{"a", "b", "c"} {
		m := newMember(t, id)
		m.published = published
		m.settings.SnapshotMinLogBytes, m.settings.SnapshotMaxLogBytes = 16<<10, 32<<10
		c.members = append(c.members, m)
		configuration.Servers = append(configuration.Servers, raft.Server{ID: m.id, Address: raft.ServerAddress(id)})
	}
	for _, m := range c.members {
		m.start(configuration)
	}
	c.connect()
	t.Cleanup(func() {
		for _, m := range c.members {
			m.stop()
		}
	})
	return c
}

func (c *cluster) connect() {
	for _, m := range c.members {
		for _, o := range c.members {
			m.transport.Connect(raft.ServerAddress(o.id), o.transport)
		}
	}
}

// crash cuts the power of a member and starts it again on what is left.
func (c *cluster) crash(m *member, seed uint64) {
	for _, o := range c.members {
		o.transport.Disconnect(raft.ServerAddress(m.id))
	}
	m.crash(seed)
	m.start(raft.Configuration{})
	c.connect()
}

// leader waits for one.
func (c *cluster) leader() *member {
	for {
		for _, m := range c.members {
			if m.raft.State() == raft.Leader {
				return m
			}
		}
		time.Sleep(time.Millisecond) // an election has no event to wait for that all three share
	}
}

// book compares members' snapshots at the same mark, page for page.
type book struct {
	t        *testing.T
	mu       sync.Mutex
	seen     map[uint64]snapshotSeen
	compared int
}

type snapshotSeen struct {
	by   raft.ServerID
	term uint64
	list []pageAt
}

func (b *book) published(m *member, index uint64) {
	at, term, list := m.pages()
	b.mu.Lock()
	defer b.mu.Unlock()
	if at != index {
		b.t.Errorf("%s published index %d, and the newest is %d", m.id, index, at)
	}
	first, ok := b.seen[index]
	if !ok {
		b.seen[index] = snapshotSeen{m.id, term, list}
		return
	}
	b.compared++
	if first.term != term || !reflect.DeepEqual(first.list, list) {
		b.t.Errorf("at mark %d the snapshots of %s (term %d, %d pages) and %s (term %d, %d pages) differ",
			index, first.by, first.term, len(first.list), m.id, term, len(list))
	}
}

func (b *book) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.compared
}

// TestMembersSnapshotsAreEqual: under load, with marks by weight and by hand, while members lose power and come back, every
// snapshot of a mark has the same pages on every member that took it.
func TestMembersSnapshotsAreEqual(t *testing.T) {
	b := &book{t: t, seen: map[uint64]snapshotSeen{}}
	c := newCluster(t, b.published)
	for {
		if l := c.leader(); l.apply(ledger.Operation{Kind: ledger.KindCreateLedger, ID: []byte("first"), Ledger: []byte("eur"), Asset: []byte("EUR"), Scale: 2}) == nil {
			l.openAccounts()
			break
		}
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for round := range uint64(6) {
		for enough := b.count() + 6; b.count() < enough; {
			ops := make([]ledger.Operation, 40)
			for i := range ops {
				ops[i] = ledger.Operation{
					Kind: ledger.KindCredit, ID: fmt.Appendf(nil, "%x", rng.Uint64()), Credit: account(rng.IntN(accounts)), Amount: 1 + rng.Int64N(100),
				}
			}
			_ = c.leader().apply(ops...) // who does not lead any more fails
		}
		c.crash(c.members[rng.IntN(3)], round)
	}
	if n := b.count(); n < 36 {
		t.Errorf("%d snapshots were compared", n)
	}
	for _, m := range c.members {
		if s := m.snapshotter.Status(); s.Error != nil && !givenUp(s.Error) {
			t.Errorf("%s: %v", m.id, s.Error)
		}
	}
}

// alone is a member that leads itself, with some state.
func alone(t *testing.T) *member {
	t.Helper()
	m := newMember(t, "a")
	m.settings.SnapshotMinLogBytes, m.settings.SnapshotMaxLogBytes = 1<<40, 1<<40
	m.start(raft.Configuration{Servers: []raft.Server{{ID: "a", Address: "a"}}})
	t.Cleanup(func() { m.stop() })
	c := cluster{t, []*member{m}}
	c.leader()
	m.openAccounts()
	return m
}

// TestTakeByHand: a mark at once, the index of the snapshot is the mark's though the log has gone on, and raft is not
// given the same twice.
func TestTakeByHand(t *testing.T) {
	m := alone(t)
	index, err := m.cadence.Take(t.Context(), 0)
	must(t, err)
	if at, _ := m.kept.NewestSnapshot(); at != index {
		t.Errorf("the newest snapshot is at %d, want %d", at, index)
	}
	taken := m.snapshotter.Status().Taken
	if again, err := m.cadence.Take(t.Context(), index); err != nil || again != index || m.snapshotter.Status().Taken != taken {
		t.Errorf("asked for again: %d, %v, %d were taken and then %d", again, err, taken, m.snapshotter.Status().Taken)
	}
	must(t, m.apply(ledger.Operation{Kind: ledger.KindCredit, ID: []byte("x"), Credit: account(1), Amount: 1}))
	before := m.raft.Stats()["last_snapshot_index"]
	if err := m.raft.Snapshot().Error(); !errors.Is(err, raft.ErrNothingNewToSnapshot) {
		t.Errorf("raft was given a snapshot without a mark: %v", err)
	}
	if after := m.raft.Stats()["last_snapshot_index"]; after != before {
		t.Errorf("raft believes in a snapshot at %s, that was at %s", after, before)
	}
	if s := m.snapshotter.Status(); s.Index != index || s.Taken == 0 || s.Error != nil || s.Writing != 0 {
		t.Errorf("status %+v", s)
	}
}

// blockPack stops a member at its next new pack, until goOn is called.
func blockPack(m *member) (began chan struct{}, goOn func()) {
	began, release := make(chan struct{}), make(chan struct{})
	block := sync.OnceFunc(func() { close(began); <-release })
	m.disk.Inject(func(op vfs.Op) vfs.Fault {
		if op.Kind == vfs.OpCreate && strings.HasPrefix(op.Path, keptDir) {
			block()
		}
		return vfs.None
	})
	return began, func() { close(release); m.disk.Inject(nil) }
}

// TestInstallEndsASnapshot: a hold, which comes before an install, gives up a snapshot that is being written, waits until that
// is over, and nothing of it stays on the disk.
func TestInstallEndsASnapshot(t *testing.T) {
	m := alone(t)
	first, err := m.cadence.Take(t.Context(), 0)
	must(t, err)
	must(t, m.apply(ledger.Operation{Kind: ledger.KindCredit, ID: []byte("x"), Credit: account(1), Amount: 1}))
	before, err := m.disk.ReadDir(keptDir)
	must(t, err)
	began, goOn := blockPack(m)
	index, err := m.mark(t.Context())
	must(t, err)
	<-began
	held := make(chan func())
	go func() {
		release, err := m.machine.HoldSnapshots(context.Background())
		if err != nil || m.machine.Snapshotting() {
			t.Errorf("held with %v while a snapshot is being written", err)
		}
		held <- release
	}()
	for !errorIs(m.machine, fsm.ErrHeld) {
		runtime.Gosched()
	}
	goOn()
	release := <-held
	if _, err := m.snapshotter.Taken(t.Context(), index); !errors.Is(err, fsm.ErrHeld) {
		t.Errorf("the snapshot ended with %v, want that it is held", err)
	}
	if at, _ := m.kept.NewestSnapshot(); at != first {
		t.Errorf("the newest snapshot is at %d, want %d", at, first)
	}
	if after, err := m.disk.ReadDir(keptDir); err != nil || !reflect.DeepEqual(after, before) {
		t.Errorf("left behind: %q, %v, want %q", after, err, before)
	}
	release()
	_, err = m.cadence.Take(t.Context(), 0)
	must(t, err)
}

// errorIs tells whether the state machine refuses raft a snapshot with err.
func errorIs(f *fsm.FSM, err error) bool {
	_, got := f.Snapshot()
	return errors.Is(got, err)
}

// TestShutdownWaitsForNoSnapshot: one that is being written ends at its next page, and is not there afterwards.
func TestShutdownWaitsForNoSnapshot(t *testing.T) {
	m := newMember(t, "a")
	m.start(raft.Configuration{Servers: []raft.Server{{ID: "a", Address: "a"}}})
	(&cluster{t, []*member{m}}).leader()
	m.openAccounts()
	first, err := m.cadence.Take(t.Context(), 0)
	must(t, err)
	must(t, m.apply(ledger.Operation{Kind: ledger.KindCredit, ID: []byte("x"), Credit: account(1), Amount: 1}))
	began, goOn := blockPack(m)
	_, err = m.mark(t.Context())
	must(t, err)
	<-began
	m.machine.BeginShutdown()
	goOn()
	m.stop()
	store, err := snapshots.Open(m.disk, keptDir)
	must(t, err)
	if at, _ := store.At(); at != first {
		t.Errorf("the newest snapshot is at %d, want %d", at, first)
	}
	must(t, store.Close())
}
