package fsm

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/hashicorp/raft"

	"github.com/ballastdb/ballast/fsm/ledger"
	"github.com/ballastdb/ballast/fsm/proposal"
	"github.com/ballastdb/ballast/internal/vfs"
)

// fatals records what Fatal was told, and what was published then.
type fatals struct {
	f         *FSM
	errs      []error
	published uint64
}

func (f *fatals) call(err error) {
	f.errs = append(f.errs, err)
	f.published, _ = f.f.Applied()
}

func openFatal(t *testing.T) (*FSM, *fatals) {
	seen := &fatals{}
	seen.f = openWith(t, vfs.NewMem(), seen.call)
	return seen.f, seen
}

// withKind is a proposal with another kind and a right checksum: what a newer program would write.
func unknownKind() []byte {
	b := proposal.EncodeMarker(testStart, 1, 1)
	b[3] = 99
	return resealProposal(b)
}

// TestUnknownStopsTheProcess: what this program does not know is not applied, and nothing after it.
func TestUnknownStopsTheProcess(t *testing.T) {
	corrupt := proposal.EncodeMarker(testStart, 1, 1)
	corrupt[10] ^= 1
	newer := proposal.EncodeMarker(testStart, 1, 1)
	newer[2] = 2
	for name, c := range map[string]struct {
		data []byte
		want error
	}{
		"unknown kind":           {unknownKind(), proposal.ErrUnknownKind},
		"corrupt":                {corrupt, proposal.ErrCorrupt},
		"newer format":           {resealProposal(newer), proposal.ErrNewerVersion},
		"version raised too far": {proposal.EncodeRaiseVersion(testStart, 1, SupportedVersion+1), proposal.ErrNewerVersion},
		"newer cluster version":  {proposal.EncodeMarker(testStart, 2, 1), proposal.ErrNewerVersion},
	} {
		f, seen := openFatal(t)
		s := newScript(1).grow(10)
		good := len(s.logs)
		s.command(c.data)
		s.operations(ledger.Operation{Kind: ledger.KindCredit, Credit: []byte("account-0"), Amount: 5})
		want := openOn(t, vfs.NewMem())
		want.ApplyBatch(s.logs[:good])

		answers := f.ApplyBatch(s.logs)
		if len(seen.errs) != 1 || !errors.Is(seen.errs[0], c.want) {
			t.Errorf("%s: fatal %v, want %v once", name, seen.errs, c.want)
		}
		for _, a := range answers[good:] {
			if r := a.(*Response); r.Err == nil || r.Results != nil {
				t.Errorf("%s: answered %+v, want an error", name, r)
			}
		}
		requireSame(t, portraitOf(t, f), portraitOf(t, want), name)
		if _, err := f.Snapshot(); !errors.Is(err, c.want) {
			t.Errorf("%s: snapshot after it: %v", name, err)
		}
		f.ApplyBatch([]*raft.Log{{Index: s.index, Term: 9, Data: proposal.EncodeMarker(testStart, 1, 9)}})
		requireSame(t, portraitOf(t, f), portraitOf(t, want), name+", a later batch")
	}
}

func TestIndexThatDoesNotRiseStopsTheProcess(t *testing.T) {
	f, seen := openFatal(t)
	s := newScript(1)
	f.ApplyBatch(s.logs)
	f.ApplyBatch(s.logs[len(s.logs)-1:])
	if len(seen.errs) != 1 || !errors.Is(seen.errs[0], ErrOrder) {
		t.Errorf("fatal %v, want ErrOrder", seen.errs)
	}
}

// TestAppliedIndexIsWhatTheStateShows: raft's own AppliedIndex means queued. A batch stops in its middle here; what
// comes after was never applied, and must not have been published while it was queued.
func TestAppliedIndexIsWhatTheStateShows(t *testing.T) {
	f, seen := openFatal(t)
	s := newScript(1).grow(5)
	last := s.logs[len(s.logs)-1].Index
	s.command(unknownKind())
	s.grow(5)
	f.ApplyBatch(s.logs)
	if seen.published != last {
		t.Errorf("in the middle of the batch index %d was published, want %d: the state shows no more", seen.published, last)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.WaitApplied(ctx, last+1); err == nil {
		t.Errorf("waited for index %d, which was never applied", last+1)
	}
}

// TestPublishedIndexIsSeenByReads: who has waited for an index reads a state that has it.
func TestPublishedIndexIsSeenByReads(t *testing.T) {
	log := newScript(5).grow(300).logs
	f := openOn(t, vfs.NewMem())
	var readers sync.WaitGroup
	for i := range 3 {
		readers.Go(func() {
			for at := i; at < len(log); at += 3 {
				if err := f.WaitApplied(t.Context(), log[at].Index); err != nil {
					t.Error(err)
					return
				}
				f.ReadIndexed(func(_ *ledger.State, index uint64) {
					if index < log[at].Index {
						t.Errorf("waited for %d, read %d", log[at].Index, index)
					}
				})
			}
		})
	}
	deliver(f, log, rand.New(rand.NewPCG(1, 1)))
	readers.Wait()
}

// TestShutdownAppliesAndSnapshotsNothing plays what raft may do while it shuts down: it drops a batch and delivers the
// next.
func TestShutdownAppliesAndSnapshotsNothing(t *testing.T) {
	s := newScript(1).grow(30)
	f, seen := openFatal(t)
	f.ApplyBatch(s.logs[:20])
	pinned, err := f.PinExact()
	must(t, err)
	pinned.Offer()
	given, err := f.Snapshot()
	must(t, err)
	want := portraitOf(t, f)

	f.BeginShutdown()
	// s.logs[20:25] is the batch that was dropped.
	for _, a := range f.ApplyBatch(s.logs[25:]) {
		if r, ok := a.(*Response); ok && !errors.Is(r.Err, ErrShuttingDown) {
			t.Errorf("answered %+v, want ErrShuttingDown", r)
		}
	}
	requireSame(t, portraitOf(t, f), want, "after a batch during shutdown")
	if _, err := f.Snapshot(); !errors.Is(err, ErrShuttingDown) {
		t.Errorf("snapshot during shutdown: %v, want ErrShuttingDown", err)
	}
	if err := given.Persist(&published{t: t}); !errors.Is(err, ErrShuttingDown) {
		t.Errorf("publishing during shutdown: %v, want ErrShuttingDown", err)
	}
	if err := pinned.Write(new(sink)); !errors.Is(err, ErrShuttingDown) {
		t.Errorf("writing during shutdown: %v, want ErrShuttingDown", err)
	}
	pinned.Release()
	if err := f.WaitApplied(t.Context(), 1<<40); !errors.Is(err, ErrShuttingDown) {
		t.Errorf("waiting during shutdown: %v, want ErrShuttingDown", err)
	}
	if len(seen.errs) != 0 {
		t.Errorf("fatal: %v", seen.errs)
	}
}

func TestWaitAppliedIsBounded(t *testing.T) {
	f := openOn(t, vfs.NewMem())
	ctx, cancel := context.WithCancel(t.Context())
	results := make(chan error, 3)
	for i := range uint64(3) {
		go func() { results <- f.WaitApplied(ctx, 1000+i) }()
	}
	for waiting := 0; waiting < 3; {
		f.applied.mu.Lock()
		waiting = len(f.applied.waiting)
		f.applied.mu.Unlock()
	}
	cancel()
	for range 3 {
		if err := <-results; !errors.Is(err, context.Canceled) {
			t.Errorf("%v, want context.Canceled", err)
		}
	}
	if n := len(f.applied.waiting); n != 0 {
		t.Errorf("%d waiters are left", n)
	}
	f.ApplyBatch(newScript(1).logs)
	if err := f.WaitApplied(ctx, 1); err != nil {
		t.Errorf("waiting for what is applied, context ended: %v", err)
	}
}

// TestCheckpoints: the newest 16, at indexes and with digests that do not depend on batches.
func TestCheckpoints(t *testing.T) {
	s := newScript(1)
	interval, err := proposal.EncodeSettings(testStart, 1, "test", []proposal.Setting{{Number: proposal.SettingCheckpointInterval, Value: 5}})
	must(t, err)
	s.command(interval)
	for range 120 {
		s.operations(ledger.Operation{Kind: ledger.KindCredit, Credit: []byte("account-0"), Amount: 5})
	}
	f := openOn(t, vfs.NewMem())
	deliver(f, s.logs, rand.New(rand.NewPCG(1, 1)))
	got := f.Checkpoints()
	if len(got) != maxCheckpoints {
		t.Fatalf("%d checkpoints, want %d", len(got), maxCheckpoints)
	}
	for i, c := range got {
		if i > 0 && c.Index != got[i-1].Index-5 {
			t.Errorf("checkpoints at %d and %d, want 5 apart", c.Index, got[i-1].Index)
		}
		other := openOn(t, vfs.NewMem())
		for _, l := range s.logs {
			if l.Index < c.Index {
				other.ApplyBatch([]*raft.Log{l})
			}
		}
		if slotless := other.Checkpoints(); i+1 < len(got) && slotless[0] != got[i+1] {
			t.Errorf("one by one up to %d: newest checkpoint %+v, in batches %+v", c.Index, slotless[0], got[i+1])
		}
	}
	f.ApplyBatch([]*raft.Log{{Index: s.index, Term: 1, Data: proposal.EncodeCheckpoint(s.now, 1)}}) // so that none is due soon
	s.index++
	f.ApplyBatch([]*raft.Log{{Index: s.index, Term: 2, Data: proposal.EncodeMarker(s.now, 1, 2)}})
	if f.LastCheckpointCovers() {
		t.Error("a marker after the last checkpoint is covered by it")
	}
	f.ApplyBatch([]*raft.Log{{Index: s.index + 1, Term: 1, Data: proposal.EncodeCheckpoint(s.now+1, 1)}})
	if newest := f.Checkpoints()[0]; newest.Index != s.index+1 || !f.LastCheckpointCovers() {
		t.Errorf("after a checkpoint by command: newest %+v, covers %v", newest, f.LastCheckpointCovers())
	}
}

// TestCommandsAnswer: each command does what it says, and a refused one says why and changes nothing but log time.
func TestCommandsAnswer(t *testing.T) {
	f := openOn(t, vfs.NewMem())
	s := newScript(1)
	f.ApplyBatch(s.logs)
	propose := func(data []byte, err error) *Response {
		t.Helper()
		must(t, err)
		s.command(data)
		r := f.Apply(s.logs[len(s.logs)-1]).(*Response)
		if r.LogTime != s.now {
			t.Errorf("log time %d, want %d", r.LogTime, s.now)
		}
		return r
	}
	s.now += 5e9
	s.term = 4
	if r := propose(proposal.EncodeMarker(s.now, 1, 4), nil); r.Err != nil || f.MarkerTerm() != 4 {
		t.Errorf("marker: %v, term %d", r.Err, f.MarkerTerm())
	}
	m := proposal.Member{ID: "a/1", MemberAddress: "127.0.0.1:1", ClientAddress: "127.0.0.1:2", OperatorAddress: "127.0.0.1:3"}
	if r := propose(proposal.EncodeAnnounce(s.now, 1, m)); r.Err != nil {
		t.Error(r.Err)
	}
	if got, ok := f.Member("a/1"); !ok || proposal.Member(got) != m || len(f.Members()) != 1 {
		t.Errorf("announced %+v, want %+v", got, m)
	}
	if r := propose(proposal.EncodeForget(s.now, 1, "a/1")); r.Err != nil || len(f.Members()) != 0 {
		t.Errorf("forget: %v, %d members", r.Err, len(f.Members()))
	}
	if r := propose(proposal.EncodeForget(s.now, 1, "a/1")); r.Err == nil {
		t.Error("a member was forgotten twice")
	}
	window := proposal.Setting{Number: proposal.SettingIDWindow, Value: 3600e9}
	if r := propose(proposal.EncodeSettings(s.now, 1, "test", []proposal.Setting{window, {Number: proposal.SettingRefusedSharePercent, Value: 20}})); r.Err != nil {
		t.Error(r.Err)
	}
	var before, after ledger.Settings
	f.Read(func(b *ledger.State) { before = b.Settings() })
	if before.IDWindow != window.Duration() || before.RefusedSharePercent != 20 || before.CheckpointInterval != 1000 {
		t.Errorf("settings %+v", before)
	}
	if r := propose(proposal.EncodeSettings(s.now, 1, "test", []proposal.Setting{window, {Number: proposal.SettingRefusedSharePercent, Value: 1<<32 + 20}})); r.Err == nil {
		t.Error("a share of 2^32 + 20 percent was taken")
	}
	if f.Read(func(b *ledger.State) { after = b.Settings() }); after != before {
		t.Errorf("refused settings changed %+v to %+v", before, after)
	}
	testUpkeep(t, f, func(list ...proposal.Setting) *Response {
		return propose(proposal.EncodeSettings(s.now, 1, "test", list))
	})
	if r := propose(proposal.EncodeRaiseVersion(s.now, 1, 0), nil); !errors.Is(r.Err, ErrVersion) || f.ClusterVersion() != 1 {
		t.Errorf("version lowered to 0: %v, version %d", r.Err, f.ClusterVersion())
	}
	if r := propose(proposal.EncodeRaiseVersion(s.now, 1, SupportedVersion), nil); r.Err != nil || f.ClusterVersion() != SupportedVersion {
		t.Errorf("version raised: %v, version %d", r.Err, f.ClusterVersion())
	}
}

// TestJournalFailureStopsTheProcess: a state whose entries are not written must not be seen.
func TestJournalFailureStopsTheProcess(t *testing.T) {
	disk := vfs.NewMem()
	seen := &fatals{}
	f := openWith(t, disk, seen.call)
	seen.f = f
	s := newScript(1)
	f.ApplyBatch(s.logs)
	disk.Inject(func(op vfs.Op) vfs.Fault {
		if op.Kind == vfs.OpWrite {
			return vfs.Fail
		}
		return vfs.None
	})
	s.operations(ledger.Operation{Kind: ledger.KindCredit, Credit: []byte("account-0"), Amount: 5})
	r := f.Apply(s.logs[len(s.logs)-1]).(*Response)
	if r.Err == nil || r.Results != nil || len(seen.errs) != 1 {
		t.Errorf("answered %+v, fatal %v", r, seen.errs)
	}
	if index, _ := f.Applied(); index != s.index-2 {
		t.Errorf("index %d is published, want %d", index, s.index-2)
	}
}
