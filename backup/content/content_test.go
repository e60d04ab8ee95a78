package content

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/hashicorp/raft"
	"go.uber.org/goleak"

	"github.com/ballastdb/ballast/backup"
	"github.com/ballastdb/ballast/fsm"
	"github.com/ballastdb/ballast/fsm/ledger"
	"github.com/ballastdb/ballast/fsm/page"
	"github.com/ballastdb/ballast/fsm/proposal"
	"github.com/ballastdb/ballast/internal/vfs"
	"github.com/ballastdb/ballast/snapshots"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

const (
	root    = "/member"
	packs   = root + "/snapshots"
	entries = root + "/journal"
	start   = int64(1_785_000_000_000_000_000)
)

// member is a state machine and its snapshots on a disk in memory, as they are before raft starts or while it runs.
type member struct {
	machine *fsm.FSM
	store   *snapshots.Store
	kept    *snapshots.RaftStore
	close   func() error
}

// newDisk is one with the directories that init makes.
func newDisk(t testing.TB) *vfs.Mem {
	t.Helper()
	m := vfs.NewMem()
	for _, dir := range []string{root, packs, entries} {
		must(t, m.Mkdir(dir, 0o700))
	}
	must(t, errors.Join(m.SyncDir("/"), m.SyncDir(root)))
	return m
}

// owner is the state machine to the snapshots.
type owner struct{ *fsm.FSM }

func (o owner) Receive(meta []byte, digest page.Digest) (snapshots.Receiver, error) {
	return o.FSM.Receive(meta, digest)
}

// open opens a member and loads its newest snapshot, as its start does.
func open(fsys vfs.FS) (m *member, err error) {
	m = &member{}
	closers := []func() error{}
	m.close = func() (err error) {
		for i := len(closers) - 1; i >= 0; i-- {
			err = errors.Join(err, closers[i]())
		}
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, m.close())
		}
	}()
	var fatal error
	m.machine, err = fsm.Open(fsm.Config{Dir: root, FS: fsys, Fatal: func(err error) { fatal = err }})
	if err != nil {
		return m, err
	}
	closers = append(closers, m.machine.Close)
	if m.store, err = snapshots.Open(fsys, packs); err != nil {
		return m, err
	}
	closers = append(closers, m.store.Close)
	m.kept = snapshots.NewRaftStore(snapshots.RaftConfig{Store: m.store, Owner: owner{m.machine}, Fatal: func(err error) { fatal = err }})
	closers = append(closers, m.kept.Close)
	list, err := m.kept.List()
	if err != nil || len(list) == 0 {
		return m, err
	}
	_, opened, err := m.kept.Open(list[0].ID)
	if err != nil {
		return m, err
	}
	return m, errors.Join(m.machine.Restore(opened), opened.Close(), fatal)
}

// sample is a member with a ledger, accounts, entries, a refusal and a snapshot of all that.
func sample(t testing.TB) *member {
	t.Helper()
	m, err := open(newDisk(t))
	must(t, err)
	t.Cleanup(func() { must(t, m.close()) })
	b := proposal.NewBuilder(1)
	ops := []ledger.Operation{{Kind: ledger.KindCreateLedger, Ledger: []byte("usd"), Asset: []byte("USD"), Scale: 2}}
	for i := range 4 {
		ops = append(ops, ledger.Operation{Kind: ledger.KindCreateAccount, Credit: fmt.Appendf(nil, "account-%d", i), Ledger: []byte("usd")})
	}
	for i := range 20 {
		ops = append(ops, ledger.Operation{Kind: ledger.KindCredit, Credit: fmt.Appendf(nil, "account-%d", i%4), Amount: int64(i + 1)})
	}
	ops = append(ops, ledger.Operation{Kind: ledger.KindDebit, Debit: []byte("account-0"), Amount: 1_000_000}) // refused
	for i := range ops {
		ops[i].ID, ops[i].IssuedAt, ops[i].Attempt = fmt.Appendf(nil, "operation-%d", i), start, 1
		must(t, b.Add(proposal.AppendOperation(nil, &ops[i]), 1))
	}
	m.machine.ApplyBatch([]*raft.Log{
		{Index: 2, Term: 3, Type: raft.LogCommand, Data: proposal.EncodeMarker(start, 1, 3)},
		{Index: 3, Term: 3, Type: raft.LogCommand, Data: b.Finish(start)},
	})
	mark, err := m.machine.PinExact()
	must(t, err)
	p, err := m.kept.Prepare(mark.Index(), mark.Term(), mark.Err)
	must(t, err)
	must(t, errors.Join(mark.Write(p), p.Seal()))
	members := raft.Configuration{Servers: []raft.Server{{ID: "old-1/x", Address: "10.0.0.1:1"}, {ID: "old-2/y", Address: "10.0.0.2:1"}}}
	sink, err := m.kept.Create(1, mark.Index(), mark.Term(), members, 1, nil)
	must(t, err)
	publisher, ok := sink.(fsm.MarkSink)
	if !ok {
		t.Fatalf("a %T publishes nothing", sink)
	}
	must(t, errors.Join(publisher.Publish(mark.Index(), mark.Term()), p.Drop()))
	mark.Release()
	return m
}

// take takes a backup.
func take(t testing.TB, m *member) []byte {
	t.Helper()
	snapshot, err := m.kept.Export()
	must(t, err)
	defer snapshot.Close()
	s := Source{Snapshot: snapshot, Journal: m.machine.ReadJournal}
	about, err := s.Describe(backup.About{ClusterID: "old", Member: "old-1"})
	must(t, err)
	var out bytes.Buffer
	must(t, Write(t.Context(), &out, s, about))
	return out.Bytes()
}

func verify(b []byte) (*Summary, error) {
	r, err := backup.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	return Verify(r, nil)
}

var self = raft.Server{Suffrage: raft.Voter, ID: "new-1/z", Address: "10.0.0.9:1"}

func restore(fsys vfs.FS, b []byte) (*Summary, error) {
	r, err := backup.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	return Restore(r, Place{FS: fsys, Snapshots: packs, Journal: entries, Only: self}, nil)
}

// portrait is everything that callers can see of a state, and its digest.
func portrait(t testing.TB, m *member) string {
	t.Helper()
	var out strings.Builder
	m.machine.ReadIndexed(func(s *ledger.State, index uint64) {
		fmt.Fprintf(&out, "index %d digest %v\n", index, s.Space().RecomputeDigest())
		accounts, _ := s.Accounts(ledger.AccountQuery{Limit: 1000})
		for _, a := range accounts {
			fmt.Fprintf(&out, "%+v\n", a)
		}
		for i := range 30 {
			result, known := s.Operation(fmt.Appendf(nil, "operation-%d", i))
			fmt.Fprintf(&out, "operation %d: %v %+v\n", i, known, result)
		}
	})
	all, err := m.machine.ReadJournal(0, 1<<20)
	must(t, err)
	fmt.Fprintf(&out, "journal %x holes %v\n", all, m.machine.JournalHoles())
	return out.String()
}

// TestRestoredIsTheSame: the same index, digest, accounts, ids and journal; another, single member. A power cut right behind it
// changes nothing.
func TestRestoredIsTheSame(t *testing.T) {
	from := sample(t)
	want, b := portrait(t, from), take(t, from)
	summary, err := verify(b)
	must(t, err)
	if summary.Bytes != uint64(len(b)) || summary.Ledgers != 1 || summary.Accounts != 6 || summary.Entries == 0 {
		t.Errorf("verified as %+v", summary)
	}
	to := newDisk(t)
	restored, err := restore(to, b)
	must(t, err)
	if *restored != *summary {
		t.Errorf("restored %+v, verified %+v", restored, summary)
	}
	for seed := range uint64(4) {
		requireRestored(t, to.Crash(seed), want)
	}
}

func requireRestored(t *testing.T, fsys vfs.FS, want string) {
	t.Helper()
	m, err := open(fsys)
	must(t, err)
	defer func() { must(t, m.close()) }()
	if got := portrait(t, m); got != want {
		t.Errorf("restored\n%s\nwant\n%s", got, want)
	}
	list, err := m.kept.List()
	must(t, err)
	if c := list[0].Configuration; len(c.Servers) != 1 || c.Servers[0] != self {
		t.Errorf("its members are %+v", c)
	}
}

// TestRestoreFaults crosses every call that changes the disk with {fails, fails but done, power cut after}: the restore says that it
// failed, and after the directories were emptied another one succeeds.
func TestRestoreFaults(t *testing.T) {
	from := sample(t)
	want, b := portrait(t, from), take(t, from)
	for _, fault := range []vfs.Fault{vfs.Fail, vfs.FailPersisted, vfs.PowerCut} {
		calls := 0
		for ; ; calls++ {
			to, n, hit := newDisk(t), 0, vfs.Op{}
			to.Inject(func(op vfs.Op) vfs.Fault {
				if n++; n-1 == calls {
					hit = op
					return fault
				}
				return vfs.None
			})
			_, err := restore(to, b)
			to.Inject(nil)
			if hit.Kind == "" {
				must(t, err)
				break
			}
			if err == nil {
				t.Errorf("fault %d at call %d, %s of %s: the restore says that all went well", fault, calls, hit.Kind, hit.Path)
			}
			left := to.Crash(1)
			for _, dir := range []string{packs, entries} {
				names, err := left.ReadDir(dir)
				must(t, err)
				for _, name := range names {
					must(t, left.Remove(dir+"/"+name))
				}
			}
			_, err = restore(left, b)
			must(t, err)
			requireRestored(t, left, want)
		}
		if calls < 8 {
			t.Errorf("only %d faults were tried", calls)
		}
	}
}

// TestEveryByteOfTheWhole: what is cut off or altered anywhere is refused, whatever it holds there.
func TestEveryByteOfTheWhole(t *testing.T) {
	good := take(t, sample(t))
	for at := 0; at < len(good); at += 1 + at/500 { // each near the beginning, then fewer: frames have checksums of their own
		bad := bytes.Clone(good)
		bad[at] ^= 1 << (at % 8)
		for what, b := range map[string][]byte{"cut": good[:at], "flipped": bad} {
			_, err := verify(b)
			var damaged *backup.DamagedError
			if !errors.As(err, &damaged) && !errors.Is(err, backup.ErrNewerVersion) {
				t.Fatalf("%s at %d is answered with %v", what, at, err)
			}
		}
	}
}

// framed is a backup taken apart, to be put together wrongly.
type framed struct {
	kind    backup.Kind
	content []byte
}

func apart(t testing.TB, b []byte) (about backup.About, frames []framed) {
	t.Helper()
	r, err := backup.NewReader(bytes.NewReader(b))
	must(t, err)
	for {
		f, err := r.Next()
		if errors.Is(err, io.EOF) {
			return r.About(), frames
		}
		must(t, err)
		frames = append(frames, framed{f.Kind, bytes.Clone(f.Content)})
	}
}

func together(t testing.TB, about backup.About, frames []framed) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := backup.NewWriter(&out, about)
	must(t, err)
	for _, f := range frames {
		must(t, w.Frame(f.kind, f.content))
	}
	must(t, w.End())
	return out.Bytes()
}

// TestWrongContentIsRefused: frames that are right each for itself, and wrong together. Nothing of it is restored.
func TestWrongContentIsRefused(t *testing.T) {
	good := take(t, sample(t))
	without := func(kind backup.Kind) func(*backup.About, []framed) []framed {
		return func(_ *backup.About, frames []framed) (left []framed) {
			for _, f := range frames {
				if f.kind != kind {
					left = append(left, f)
				}
			}
			return left
		}
	}
	altered := func(kind backup.Kind, at int) func(*backup.About, []framed) []framed {
		return func(_ *backup.About, frames []framed) []framed {
			for _, f := range frames {
				if f.kind == kind {
					f.content[min(at, len(f.content)-1)] ^= 4
				}
			}
			return frames
		}
	}
	for what, how := range map[string]func(*backup.About, []framed) []framed{
		"no manifest":       without(backup.Manifest),
		"no pages":          without(backup.Pages),
		"no journal":        without(backup.Entries),
		"manifest altered":  altered(backup.Manifest, 100),
		"page altered":      altered(backup.Pages, 100),
		"page chunk's head": altered(backup.Pages, 1),
		"entry altered":     altered(backup.Entries, 40),
		"entries twice": func(_ *backup.About, frames []framed) []framed {
			return append(frames, frames[len(frames)-1])
		},
		"journal's last entry is cut": func(_ *backup.About, frames []framed) []framed {
			last := &frames[len(frames)-1]
			last.content = last.content[:len(last.content)-8]
			return frames
		},
		"another index is said":  func(a *backup.About, frames []framed) []framed { a.Index++; return frames },
		"another digest is said": func(a *backup.About, frames []framed) []framed { a.Digest = "00"; return frames },
		"more entries are said":  func(a *backup.About, frames []framed) []framed { a.Entries++; return frames },
	} {
		about, frames := apart(t, good)
		frames = how(&about, frames)
		b := together(t, about, frames)
		if _, err := verify(b); err == nil {
			t.Errorf("%s: is not seen", what)
		}
		to := newDisk(t)
		if _, err := restore(to, b); err == nil {
			t.Errorf("%s: is restored", what)
		}
		names, err := to.ReadDir(packs)
		must(t, err)
		for _, name := range names {
			if strings.HasSuffix(name, ".manifest") {
				t.Errorf("%s: a manifest is left", what)
			}
		}
	}
}

// TestJournalMustBeWhole: what the source lacks ends the backup.
func TestJournalMustBeWhole(t *testing.T) {
	m := sample(t)
	snapshot, err := m.kept.Export()
	must(t, err)
	defer snapshot.Close()
	lacking := errors.New("it is not here")
	s := Source{Snapshot: snapshot, Journal: func(uint64, int) ([]byte, error) { return nil, lacking }}
	about, err := s.Describe(backup.About{})
	must(t, err)
	if err := Write(t.Context(), io.Discard, s, about); !errors.Is(err, lacking) {
		t.Errorf("ended with %v", err)
	}
	s.Journal = func(uint64, int) ([]byte, error) { return nil, nil }
	if err := Write(t.Context(), io.Discard, s, about); err == nil {
		t.Error("a journal that ends early is backed up")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Write(ctx, io.Discard, s, about); !errors.Is(err, context.Canceled) {
		t.Errorf("nobody wants it any more, and it ended with %v", err)
	}
}

// FuzzContent gives any manifest, pages and entries in right frames.
func FuzzContent(f *testing.F) {
	about, frames := apart(f, take(f, sample(f)))
	parts := [][]byte{nil, nil, nil}
	for _, fr := range frames {
		parts[fr.kind-backup.Manifest] = append(parts[fr.kind-backup.Manifest], fr.content...)
	}
	f.Add(parts[0], parts[1], parts[2])
	f.Fuzz(func(t *testing.T, manifest, pages, entries []byte) {
		if len(manifest)+len(pages)+len(entries) > backup.MaxFrame {
			return
		}
		s, err := verify(together(t, about, []framed{{backup.Manifest, manifest}, {backup.Pages, pages}, {backup.Entries, entries}}))
		if err == nil && (s.Digest != about.Digest || !bytes.Equal(entries, parts[2])) {
			t.Fatalf("accepted as %+v with entries of %d bytes, first %d", s, len(entries), binary.Size(entries))
		}
	})
}
