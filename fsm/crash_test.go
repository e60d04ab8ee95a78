package fsm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/hashicorp/raft"

	"github.com/ballastdb/ballast/internal/vfs"
	"github.com/ballastdb/ballast/snapshots"
)

// durable is a state machine, its journal and its snapshots on one disk, as a start finds them.
type durable struct {
	*FSM
	disk  *vfs.Mem
	store *snapshots.Store
	raft  *snapshots.RaftStore
	fatal error
}

const keptDir = "/snapshots"

func newDurableDisk(t testing.TB) *vfs.Mem {
	t.Helper()
	disk := vfs.NewMem()
	must(t, disk.Mkdir(keptDir, 0o700))
	must(t, disk.SyncDir("/"))
	return disk
}

// openDurable does what a start does: it opens everything, and restores the newest snapshot.
func openDurable(t testing.TB, disk *vfs.Mem) (*durable, error) {
	d := &durable{disk: disk}
	fatal := func(err error) { d.fatal = err }
	var err error
	if d.FSM, err = Open(Config{Dir: "/", FS: disk, SegmentBytes: 8000, Fatal: fatal}); err != nil {
		return nil, err
	}
	t.Cleanup(func() { must(t, d.Close()) })
	if d.store, err = snapshots.Open(disk, keptDir); err != nil {
		return nil, err
	}
	d.raft = raftStore(d.store, d.FSM, fatal)
	t.Cleanup(func() { _ = d.raft.Close() })
	_, err = d.restoreNewest()
	return d, err
}

// restoreNewest tells the index of the newest snapshot, 0: there is none.
func (d *durable) restoreNewest() (uint64, error) {
	list, err := d.raft.List()
	if err != nil || len(list) == 0 {
		return 0, err
	}
	meta, r, err := d.raft.Open(list[0].ID)
	if err != nil {
		return 0, err
	}
	return meta.Index, errors.Join(d.Restore(r), r.Close())
}

// take takes a snapshot of the state as it is.
func (d *durable) take() error {
	m, err := d.PinExact()
	if err != nil {
		return err
	}
	defer m.Release()
	return d.publish(m)
}

// publish writes and publishes what is pinned, as raft does.
func (d *durable) publish(m *Mark) error {
	p, err := d.raft.Prepare(m.Index(), m.Term(), m.Err)
	if err != nil {
		return err
	}
	err = m.Write(p)
	if err == nil {
		err = p.Seal()
	}
	if err == nil {
		err = d.ask(m)
	}
	return errors.Join(err, p.Drop())
}

// ask does what raft does when it is asked for a snapshot.
func (d *durable) ask(m *Mark) error {
	m.Offer()
	s, err := d.Snapshot()
	if err != nil {
		return err
	}
	defer s.Release()
	sink, err := d.raft.Create(raft.SnapshotVersionMax, d.index, d.term, raft.Configuration{}, 1, nil)
	if err != nil {
		return err
	}
	return errors.Join(s.Persist(sink), sink.Close())
}

// install stages a snapshot, as the transport does, and installs and restores it, as raft does.
func (d *durable) install(index, term uint64, manifest []byte, from ...*durable) error {
	token, err := d.stage(index, term, manifest, from...)
	if err != nil {
		return err
	}
	return d.hand(index, term, token)
}

func (d *durable) stage(index, term uint64, manifest []byte, from ...*durable) ([]byte, error) {
	request := &raft.InstallSnapshotRequest{LastLogIndex: index, LastLogTerm: term, ConfigurationIndex: 1}
	return d.raft.Stage(context.Background(), request, bytes.NewReader(manifest), &pulls{from: from}, func(snapshots.Progress) {})
}

// pulls pages directly of members; the first of them leads.
type pulls struct {
	from    []*durable
	wants   int            // bytes of what was asked
	disturb func() error   // called before each chunk of items; nil: nothing is
	items   map[string]int // bytes that came, by source
}

func (p *pulls) Sources() (sources []snapshots.Source) {
	for i := range p.from {
		at := (i + 1) % len(p.from)
		sources = append(sources, snapshots.Source{ID: raft.ServerID(fmt.Sprint(at)), Leader: at == 0})
	}
	return sources
}

func (p *pulls) Pull(ctx context.Context, s snapshots.Source, index, term uint64, wants []byte, got func([]byte) error) error {
	p.wants += len(wants)
	at, err := strconv.Atoi(string(s.ID))
	if err != nil {
		return err
	}
	return p.from[at].raft.ServePages(ctx, index, term, wants, func(items []byte) error {
		if p.disturb != nil {
			if err := p.disturb(); err != nil {
				return err
			}
		}
		if p.items != nil {
			p.items[string(s.ID)] += len(items)
		}
		return got(bytes.Clone(items))
	})
}

// hand installs what is staged.
func (d *durable) hand(index, term uint64, token []byte) error {
	sink, err := d.raft.Create(raft.SnapshotVersionMax, index, term, raft.Configuration{}, 1, nil)
	if err != nil {
		return err
	}
	if _, err := sink.Write(token); err != nil {
		return errors.Join(err, sink.Cancel())
	}
	if err := sink.Close(); err != nil {
		return err
	}
	_, err = d.restoreNewest()
	return err
}

// stream is the newest snapshot as it is offered to another member.
func (d *durable) stream(t testing.TB) []byte {
	t.Helper()
	list, err := d.raft.List()
	must(t, err)
	_, r, err := d.raft.Open(list[0].ID)
	must(t, err)
	b, err := io.ReadAll(r)
	must(t, errors.Join(err, r.Close()))
	return b
}

// after is the part of a log behind an index.
func after(log []*raft.Log, index uint64) []*raft.Log {
	for len(log) > 0 && log[0].Index <= index {
		log = log[1:]
	}
	return log
}

// TestStagedBesideTheLog: while another member's snapshot is staged, and until it is installed, entries are applied and
// snapshots are taken. A start in between finds those; the install goes beyond them.
func TestStagedBesideTheLog(t *testing.T) {
	log := newScript(5).grow(45).logs
	leader, err := openDurable(t, newDurableDisk(t))
	must(t, err)
	leader.ApplyBatch(log[:35])
	must(t, leader.take())
	stream, index, term := leader.stream(t), leader.index, leader.term
	leader.ApplyBatch(log[35:])
	want := portraitOf(t, leader.FSM)
	for _, before := range []int{0, 12} {
		disk := newDurableDisk(t)
		d, err := openDurable(t, disk)
		must(t, err)
		d.ApplyBatch(log[:before])
		applied := make(chan struct{})
		go func() {
			defer close(applied)
			for i := before; i < 25; i++ {
				d.ApplyBatch(log[i : i+1])
			}
		}()
		token, err := d.stage(index, term, stream, leader)
		<-applied
		must(t, err)
		must(t, d.take())
		d.ApplyBatch(log[25:30])

		again, err := openDurable(t, disk.Crash(1))
		must(t, err)
		if again.index != log[24].Index {
			t.Errorf("started from index %d, want %d of the own snapshot", again.index, log[24].Index)
		}
		again.ApplyBatch(after(log, again.index))
		requireSame(t, filled(t, again.FSM, want), want, "started before the install")

		must(t, d.hand(index, term, token))
		d.ApplyBatch(after(log, index))
		requireSame(t, filled(t, d.FSM, want), want, "installed")
		again, err = openDurable(t, disk.Crash(1))
		must(t, err)
		again.ApplyBatch(after(log, again.index))
		requireSame(t, filled(t, again.FSM, want), want, "started after the install")
	}
}

// crashStory is what happens between two states of a disk. prepare is undisturbed; in act every call may fail.
type crashStory struct {
	name    string
	prepare func(t *testing.T, d *durable)
	act     func(d *durable) error
	// reached is the index of the newest snapshot once act has succeeded.
	reached uint64
}

// TestDurablePath crosses every call that changes the disk, while a snapshot is taken and while one is installed, with
// {fails, fails but done, power cut after}. Then a start, on what the disk could hold, must find a state from which the
// log leads to where the others are; and where the process lives on, it must take the next snapshot and get there too.
func TestDurablePath(t *testing.T) {
	log := newScript(5).grow(45).logs
	leader, err := openDurable(t, newDurableDisk(t))
	must(t, err)
	leader.ApplyBatch(log[:35])
	must(t, leader.take())
	stream, index, term := leader.stream(t), leader.index, leader.term
	leader.ApplyBatch(log[35:])
	want := portraitOf(t, leader.FSM)

	begin := func(t *testing.T, d *durable) {
		d.ApplyBatch(log[:12])
		must(t, d.take())
		d.ApplyBatch(log[12:20])
	}
	install := func(d *durable) error { return d.install(index, term, stream, leader) }
	for _, s := range []crashStory{
		{"a first snapshot", func(_ *testing.T, d *durable) { d.ApplyBatch(log[:20]) }, (*durable).take, log[19].Index},
		{"a second snapshot", begin, (*durable).take, log[19].Index},
		{"an install on an empty disk", func(*testing.T, *durable) {}, install, index},
		{"an install over an older state", begin, install, index},
	} {
		t.Run(s.name, func(t *testing.T) {
			calls := 0
			for _, fault := range []vfs.Fault{vfs.Fail, vfs.FailPersisted, vfs.PowerCut} {
				for at := 0; s.try(t, fault, at, log, want); at++ {
					calls++
				}
			}
			if calls < 30 {
				t.Errorf("only %d faults were tried", calls)
			}
		})
	}
}

// try lets one call fail; false: there are no more calls.
func (s *crashStory) try(t *testing.T, fault vfs.Fault, at int, log []*raft.Log, want portrait) bool {
	t.Helper()
	disk := newDurableDisk(t)
	d, err := openDurable(t, disk)
	must(t, err)
	s.prepare(t, d)
	calls, hit := 0, vfs.Op{}
	disk.Inject(func(op vfs.Op) vfs.Fault {
		if calls++; calls-1 == at {
			hit = op
			return fault
		}
		return vfs.None
	})
	err = s.act(d)
	disk.Inject(nil)
	if hit.Kind == "" {
		must(t, err)
		return false
	}
	name := fmt.Sprintf("fault %d at call %d, %s of %s (%v, fatal %v)", fault, at, hit.Kind, hit.Path, err, d.fatal)
	rng := rand.New(rand.NewPCG(uint64(at), 1))
	for seed := range uint64(2) {
		s.restart(t, fmt.Sprintf("%s, seed %d", name, seed), disk.Crash(seed), err == nil, log, want, rng)
	}
	if fault == vfs.PowerCut {
		return true
	}
	s.restart(t, name+", only the process ended", disk.Clone(), err == nil, log, want, rng)
	if d.fatal != nil {
		return true
	}
	if err != nil {
		if err := s.act(d); err != nil && d.fatal == nil {
			t.Fatalf("%s: once more: %v", name, err)
		}
	}
	if d.fatal == nil {
		deliver(d.FSM, after(log, d.index), rng)
		requireSame(t, filled(t, d.FSM, want), want, name+": living on")
	}
	return true
}

// restart starts on a disk, replays the log, takes a snapshot and starts again.
func (s *crashStory) restart(t *testing.T, name string, disk *vfs.Mem, acknowledged bool, log []*raft.Log, want portrait, rng *rand.Rand) {
	t.Helper()
	d, err := openDurable(t, disk)
	if err != nil || d.fatal != nil {
		t.Fatalf("%s: it does not start: %v", name, err)
	}
	if acknowledged && d.index < s.reached {
		t.Fatalf("%s: it starts at index %d, a snapshot of %d was acknowledged", name, d.index, s.reached)
	}
	deliver(d.FSM, after(log, d.index), rng)
	requireSame(t, filled(t, d.FSM, want), want, name)
	must(t, d.take())
	d, err = openDurable(t, disk.Crash(1))
	must(t, err)
	requireSame(t, filled(t, d.FSM, want), want, name+": from its next snapshot")
}
