package fsm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/raft"

	"github.com/ballastdb/ballast/fsm/ledger"
	"github.com/ballastdb/ballast/fsm/page"
	"github.com/ballastdb/ballast/internal/vfs"
	"github.com/ballastdb/ballast/snapshots"
)

// credit adds proposals that credit these accounts, a thousand at a time.
func (s *script) credit(accounts []int) {
	for len(accounts) > 0 {
		n := min(len(accounts), 1000)
		ops := make([]ledger.Operation, n)
		for i, account := range accounts[:n] {
			ops[i] = ledger.Operation{Kind: ledger.KindCredit, Credit: []byte(s.accounts[account]), Amount: 5}
		}
		s.operations(ops...)
		accounts = accounts[n:]
	}
}

// recordsSince counts the bytes of the records that are newer than base, and of all.
func recordsSince(t *testing.T, f *FSM, base uint64) (newer, all int) {
	t.Helper()
	v := f.state.space().View(noLock{})
	defer v.Close()
	must(t, v.Pages(func(p page.Page) error {
		for at := 0; at+p.RecordSize <= page.Size; at += p.RecordSize {
			switch index := binary.LittleEndian.Uint64(p.Data[at:]); {
			case index > base:
				newer += p.RecordSize
				all += p.RecordSize
			case index > 0:
				all += p.RecordSize
			}
		}
		return nil
	}))
	return newer, all
}

// TestBytesOnTheWire counts what is sent: where one account in a hundred has changed, at random, at most 1.2 times the
// records that changed, ids among them; where everything is new, at most 1.1 times the state; and a manifest of at most
// 0.5 % of it. The one who leads sends nothing of it, where another member is up to date.
func TestBytesOnTheWire(t *testing.T) {
	const accounts = 20_000
	leader, err := openDurable(t, newDurableDisk(t))
	must(t, err)
	s := newScript(6)
	for range accounts / 2000 {
		ops := make([]ledger.Operation, 2000)
		for i := range ops {
			ops[i] = s.openAccount()
		}
		s.operations(ops...)
	}
	follower, err := openDurable(t, newDurableDisk(t))
	must(t, err)
	follower.ApplyBatch(s.logs)
	base := follower.index
	rng := rand.New(rand.NewPCG(1, 1))
	s.credit(rng.Perm(accounts)[:accounts/100])
	leader.ApplyBatch(s.logs)
	must(t, leader.take())
	other, err := openDurable(t, newDurableDisk(t))
	must(t, err)
	other.ApplyBatch(s.logs)
	must(t, other.take())

	manifest := leader.stream(t)
	newer, all := recordsSince(t, leader.FSM, base)
	if len(manifest)*200 > all {
		t.Errorf("the manifest has %d bytes, the state %d", len(manifest), all)
	}
	install := func(d *durable) (sent int, p snapshots.Progress) {
		from := &pulls{from: []*durable{leader, other}, items: map[string]int{}}
		request := &raft.InstallSnapshotRequest{LastLogIndex: leader.index, LastLogTerm: leader.term, ConfigurationIndex: 1}
		token, err := d.raft.Stage(t.Context(), request, &oneByOne{manifest}, from, func(now snapshots.Progress) { p = now })
		must(t, err)
		must(t, d.hand(leader.index, leader.term, token))
		requireSame(t, filled(t, d.FSM, portraitOf(t, leader.FSM)), portraitOf(t, leader.FSM), "installed")
		if from.items["0"] != 0 || p.BytesFromLeader != 0 || int(p.BytesFromOthers) != from.items["1"] {
			t.Errorf("the leader sent %d bytes, the other %d; said to be %d and %d", from.items["0"], from.items["1"], p.BytesFromLeader, p.BytesFromOthers)
		}
		return from.items["1"] + from.wants, p
	}
	sent, p := install(follower)
	t.Logf("1 %% changed: %d bytes for records of %d, %.3f times; %v by table; %d of %d pages reused",
		sent, newer, float64(sent)/float64(newer), p.ByTable, p.PagesReused, p.PagesTotal)
	if sent*10 > newer*12 {
		t.Errorf("%d bytes sent for records of %d that changed", sent, newer)
	}
	empty, err := openDurable(t, newDurableDisk(t))
	must(t, err)
	sent, _ = install(empty)
	t.Logf("all: %d bytes for a state of %d, %.3f times, and a manifest of %.3f %%", sent, all, float64(sent)/float64(all), 100*float64(len(manifest))/float64(all))
	if sent*10 > all*11 {
		t.Errorf("%d bytes sent for a state of %d", sent, all)
	}
}

// oneByOne reads in pieces.
type oneByOne struct{ b []byte }

func (o *oneByOne) Read(b []byte) (int, error) {
	if len(o.b) == 0 {
		return 0, io.EOF
	}
	n := copy(b[:min(len(b), 1000)], o.b)
	o.b = o.b[n:]
	return n, nil
}

// TestOvertaken: once the log goes beyond a snapshot that is received, or waits to be restored, what was built of it is
// gone: it shares pages with a state that goes on.
func TestOvertaken(t *testing.T) {
	log := newScript(2).grow(60).logs
	a := openOn(t, vfs.NewMem())
	a.ApplyBatch(log[:40])
	good := persist(t, a)
	f := openOn(t, vfs.NewMem())
	f.ApplyBatch(log[:30])

	r, err := f.Receive(good.meta, good.digest)
	must(t, err)
	if _, err := f.Receive(good.meta, good.digest); !errors.Is(err, ErrReceiving) {
		t.Errorf("two at once: %v", err)
	}
	must(t, takeIn(r, good.pages))
	must(t, r.Commit(func() error { return nil }))
	f.ApplyBatch(log[30:40])
	if f.receiver != r || r.next == nil {
		t.Error("dropped by an entry that the snapshot has")
	}
	f.ApplyBatch(log[40:41])
	if f.receiver != nil || r.next != nil {
		t.Error("what was received is kept though the log went beyond it")
	}
	must(t, r.Abort())

	f = openOn(t, vfs.NewMem())
	f.ApplyBatch(log[:40])
	r, err = f.Receive(good.meta, good.digest)
	must(t, err)
	must(t, takeIn(r, good.pages))
	calls := 0
	err = r.Commit(func() error {
		if calls++; calls == 3 {
			f.ApplyBatch(log[40:])
		}
		return nil
	})
	if !errors.Is(err, ErrOvertaken) || calls != 3 {
		t.Errorf("overtaken while it is verified: %v after %d pauses", err, calls)
	}
	must(t, r.Abort())
	want := openOn(t, vfs.NewMem())
	want.ApplyBatch(log)
	requireSame(t, portraitOf(t, f), portraitOf(t, want), "the state that went on")
}

// TestChangedSharedPageStopsTheProcess: a page that is shared with the present state has changed since. That cannot be; if
// it is, neither state is right.
func TestChangedSharedPageStopsTheProcess(t *testing.T) {
	log := newScript(2).grow(60).logs
	a := openOn(t, vfs.NewMem())
	a.ApplyBatch(log)
	good := persist(t, a)
	f, seen := openFatal(t)
	f.ApplyBatch(log[:40])
	must(t, receive(f, good))
	must(t, f.receiver.next.space().SharedWith(f.state.space()))
	f.state.cluster.Begin(0) // what no entry did
	f.state.cluster.End(0, f.state.space().NewestIndex()+1)
	if err := restore(f, good); err == nil || len(seen.errs) != 1 || !strings.Contains(err.Error(), "was shared at index") {
		t.Errorf("a shared page has changed: restored: %v, fatal %v", err, seen.errs)
	}
}

// TestReceiveBesideApply: entries are applied, read and snapshotted while a snapshot is compared, pulled and verified. The
// race detector watches.
func TestReceiveBesideApply(t *testing.T) {
	script := newScript(9)
	for range 4 {
		ops := make([]ledger.Operation, 500)
		for i := range ops {
			ops[i] = script.openAccount()
		}
		script.operations(ops...)
	}
	log := script.grow(300).logs
	leader, err := openDurable(t, newDurableDisk(t))
	must(t, err)
	leader.ApplyBatch(log[:250])
	must(t, leader.take())
	manifest, index, term := leader.stream(t), leader.index, leader.term
	leader.ApplyBatch(log[250:])
	want := portraitOf(t, leader.FSM)
	for _, until := range []int{250, 300} { // up to the snapshot, and beyond it
		d, err := openDurable(t, newDurableDisk(t))
		must(t, err)
		d.ApplyBatch(log[:100])
		var beside sync.WaitGroup
		beside.Go(func() {
			for i := 100; i < until; i++ {
				d.ApplyBatch(log[i : i+1])
				d.Read(func(s *ledger.State) { s.AccountCount() })
			}
		})
		token, err := d.stage(index, term, manifest, leader)
		beside.Wait()
		if err == nil {
			err = d.hand(index, term, token)
		}
		if err != nil && until == 250 {
			t.Fatalf("not installed: %v", err)
		}
		if d.fatal != nil && until == 250 {
			t.Fatalf("fatal: %v", d.fatal)
		}
		if d.fatal != nil {
			continue // installed over a state that is beyond: raft's Create is what keeps that from happening
		}
		d.ApplyBatch(after(log, d.index))
		requireSame(t, filled(t, d.FSM, want), want, fmt.Sprintf("applied to %d", until))
	}
}

// TestCatchingUpAgainstModel: a member falls behind, by chance, again and again; snapshots are offered by one leader and
// another, pulled over connections that break, staged ones overtaken by newer ones, by the log and by kills. Whenever one is
// installed it is, page for page, the state of the others.
func TestCatchingUpAgainstModel(t *testing.T) {
	for seed := range uint64(12) {
		rng := rand.New(rand.NewPCG(seed, 1))
		script := newScript(seed)
		log := script.grow(120).logs
		var others [2]*durable
		for i := range others {
			var err error
			others[i], err = openDurable(t, newDurableDisk(t))
			must(t, err)
		}
		d, err := openDurable(t, newDurableDisk(t))
		must(t, err)
		at := 0
		for at < len(log) {
			at = min(len(log), at+1+rng.IntN(30+1-1))
			leader, other := others[at%2], others[1-at%2]
			leader.ApplyBatch(after(log[:at], leader.index))
			must(t, leader.take())
			if rng.IntN(2) == 0 {
				other.ApplyBatch(after(log[:at], other.index))
				must(t, other.take())
			}
			if leader.index <= d.index {
				continue
			}
			breaks, chunks := rng.IntN(3+1), 0
			from := &pulls{from: []*durable{leader, other}, disturb: func() error {
				if chunks++; chunks <= breaks {
					return io.EOF
				}
				return nil
			}}
			request := &raft.InstallSnapshotRequest{LastLogIndex: leader.index, LastLogTerm: leader.term, ConfigurationIndex: 1}
			token, err := d.raft.Stage(t.Context(), request, &oneByOne{leader.stream(t)}, from, func(snapshots.Progress) {})
			must(t, err)
			switch rng.IntN(5 + 1) {
			case 0: // the log comes in between, and goes beyond or not
				until := rng.IntN(at + 1)
				d.ApplyBatch(after(log[:until], d.index))
				if d.index >= leader.index {
					continue
				}
			case 1:
				d, err = openDurable(t, d.disk.Clone())
				must(t, err)
				continue
			case 2:
				d, err = openDurable(t, d.disk.Crash(uint64(at)))
				must(t, err)
				continue
			case 3: // refused, and offered again later
				continue
			}
			must(t, d.hand(leader.index, leader.term, token))
			want := portraitOf(t, leader.FSM)
			requireSame(t, filled(t, d.FSM, want), want, "installed")
		}
	}
}
