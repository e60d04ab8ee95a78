package fsm

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/hashicorp/raft"
	"go.uber.org/goleak"

	"github.com/ballastdb/ballast/fsm/ledger"
	"github.com/ballastdb/ballast/fsm/page"
	"github.com/ballastdb/ballast/fsm/proposal"
	"github.com/ballastdb/ballast/internal/vfs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testStart = int64(1_785_000_000_000_000_000)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// openOn opens a state machine with short segments; Fatal fails the test.
func openOn(t testing.TB, fsys vfs.FS) *FSM {
	t.Helper()
	return openWith(t, fsys, func(err error) { t.Errorf("fatal: %v", err) })
}

func openWith(t testing.TB, fsys vfs.FS, fatal func(error)) *FSM {
	t.Helper()
	f, err := Open(Config{Dir: "/", FS: fsys, SegmentBytes: 4000, Fatal: fatal})
	must(t, err)
	t.Cleanup(func() { must(t, f.Close()) })
	return f
}

// script makes a log: what a leader could have proposed.
type script struct {
	rng      *rand.Rand
	index    uint64
	term     uint64
	now      int64
	ids      int
	accounts []string
	logs     []*raft.Log
}

// newScript begins with a marker, a ledger and four accounts.
func newScript(seed uint64) *script {
	s := &script{rng: rand.New(rand.NewPCG(seed, 7)), index: 1, term: 1, now: testStart}
	s.add(raft.LogConfiguration, []byte("not for the state machine"))
	s.command(proposal.EncodeMarker(s.now, 1, s.term))
	first := []ledger.Operation{{Kind: ledger.KindCreateLedger, Ledger: []byte("usd"), Asset: []byte("USD"), Scale: 2}}
	for range 4 {
		first = append(first, s.openAccount())
	}
	s.operations(first...)
	return s
}

func (s *script) add(kind raft.LogType, data []byte) {
	s.logs = append(s.logs, &raft.Log{Index: s.index, Term: s.term, Type: kind, Data: data})
	s.index++
}

func (s *script) command(data []byte) { s.add(raft.LogCommand, data) }

// operations adds a proposal; ids and stamps are filled in where they are missing.
func (s *script) operations(ops ...ledger.Operation) {
	b := proposal.NewBuilder(1)
	for i := range ops {
		op := &ops[i]
		if op.ID == nil {
			s.ids++
			op.ID = fmt.Appendf(nil, "operation-%d", s.ids)
		}
		if op.IssuedAt == 0 {
			op.IssuedAt = s.now
		}
		op.Attempt = max(op.Attempt, 1)
		if err := b.Add(proposal.AppendOperation(nil, op), 1); err != nil {
			panic(err)
		}
	}
	s.command(b.Finish(s.now))
}

func (s *script) openAccount() ledger.Operation {
	id := fmt.Sprintf("account-%d", len(s.accounts))
	s.accounts = append(s.accounts, id)
	return ledger.Operation{Kind: ledger.KindCreateAccount, Credit: []byte(id), Ledger: []byte("usd")}
}

func (s *script) account() []byte { return []byte(s.accounts[s.rng.IntN(len(s.accounts))]) }

func (s *script) operation() ledger.Operation {
	op := ledger.Operation{Amount: 1 + s.rng.Int64N(1000), Reference: []byte("reference")}
	switch s.rng.IntN(10) {
	case 0:
		return s.openAccount()
	case 1, 2:
		op.Kind, op.Debit = ledger.KindDebit, s.account()
	case 3, 4, 5:
		op.Kind, op.Debit, op.Credit = ledger.KindTransfer, s.account(), s.account()
		op.Linked = true
	case 6:
		op.Kind, op.Credit, op.ID, op.IssuedAt = ledger.KindCredit, s.account(), []byte("the same again"), testStart
	default:
		op.Kind, op.Credit, op.Code = ledger.KindCredit, s.account(), 42
	}
	return op
}

// grow adds n log entries.
func (s *script) grow(n int) *script {
	must := func(b []byte, err error) []byte {
		if err != nil {
			panic(err)
		}
		return b
	}
	for range n {
		s.now += s.rng.Int64N(1e9)
		switch s.rng.IntN(20) {
		case 0:
			s.index += s.rng.Uint64N(3) // entries that the state machine does not see
			s.term++
			s.command(proposal.EncodeMarker(s.now, 1, s.term))
		case 1:
			s.command(proposal.EncodeCheckpoint(s.now, 1))
		case 2:
			interval := proposal.Setting{Number: proposal.SettingCheckpointInterval, Value: s.rng.Uint64N(12)} // 0 is refused
			s.command(must(proposal.EncodeSettings(s.now, 1, "test", []proposal.Setting{interval})))
		case 3:
			m := proposal.Member{ID: fmt.Sprintf("node-%d", s.rng.IntN(4)), MemberAddress: fmt.Sprintf("127.0.0.1:%d", s.rng.IntN(9))}
			s.command(must(proposal.EncodeAnnounce(s.now, 1, m)))
		case 4:
			s.command(must(proposal.EncodeForget(s.now, 1, fmt.Sprintf("node-%d", s.rng.IntN(4)))))
		case 5:
			s.add(raft.LogConfiguration, nil)
		default:
			ops := make([]ledger.Operation, 1+s.rng.IntN(8))
			for i := range ops {
				ops[i] = s.operation()
			}
			ops[len(ops)-1].Linked = false
			s.operations(ops...)
		}
	}
	return s
}

// deliver applies logs in batches of random lengths, as raft does with copies of its own.
func deliver(f *FSM, logs []*raft.Log, rng *rand.Rand) []any {
	var answers []any
	for len(logs) > 0 {
		n := 1 + rng.IntN(min(len(logs), 9))
		answers = append(answers, f.ApplyBatch(logs[:n])...)
		logs = logs[n:]
	}
	return answers
}

// taken is a snapshot in memory, and the journal that belongs to it.
type taken struct {
	meta    []byte
	digest  page.Digest
	pages   []page.Page
	journal []byte
}

// sink takes all pages.
type sink struct{ taken }

func (s *sink) Changed(_ page.ID, index uint64) bool { return true }

func (s *sink) Page(p page.Page) error {
	p.Data = bytes.Clone(p.Data)
	s.pages = append(s.pages, p)
	return nil
}

func (s *sink) Finish(digest page.Digest, meta []byte) error {
	s.digest, s.meta = digest, meta
	return nil
}

func persist(t testing.TB, f *FSM) *taken {
	t.Helper()
	m, err := f.PinExact()
	must(t, err)
	defer m.Release()
	var s sink
	must(t, m.Write(&s))
	s.journal = journalOf(t, f, s.meta)
	return &s.taken
}

// journalOf is the journal that belongs to a snapshot with that meta, as other members fetch it.
func journalOf(t testing.TB, f *FSM, meta []byte) []byte {
	t.Helper()
	header, err := decodeSnapshotHeader(meta)
	must(t, err)
	return journalBytes(t, f)[:header.journal.Bytes]
}

// journalBytes is all of the journal.
func journalBytes(t testing.TB, f *FSM) (all []byte) {
	t.Helper()
	for c := (ledger.Chain{}); ; {
		b, err := f.journal.ReadEntries(c.Sequence, 5000)
		must(t, err)
		if len(b) == 0 {
			return all
		}
		all = append(all, b...)
		for len(b) > 0 {
			n, err := c.Verify(b)
			must(t, err)
			b = b[n:]
		}
	}
}

// backfill fills the holes of a journal from another one.
func backfill(f *FSM, from []byte) error {
	for _, hole := range f.JournalHoles() {
		filler, err := f.FillJournal(hole)
		if err != nil {
			return err
		}
		err = filler.Write(from[filler.At().Bytes:hole.Until.Bytes])
		if err == nil {
			err = filler.Commit()
		}
		if err = errors.Join(err, filler.Close()); err != nil {
			return err
		}
	}
	return nil
}

// filled is the portrait of a state machine whose journal's holes are filled from the one that it should be the same as.
func filled(t testing.TB, f *FSM, want portrait) portrait {
	t.Helper()
	must(t, backfill(f, []byte(want.journal)))
	return portraitOf(t, f)
}

// opened is a snapshot as the store opens it.
type opened struct {
	*taken
	io.ReadCloser
}

func (o opened) Meta() []byte { return o.meta }

func (o opened) Walk(yield func(page.Page) error) error {
	for _, p := range o.pages {
		if err := yield(p); err != nil {
			return err
		}
	}
	return nil
}

// restore restores what is on the disk, the journal too.
func restore(f *FSM, s *taken) error { return f.Restore(opened{taken: s}) }

// install receives a snapshot from another member, restores it and fetches the journal.
func install(f *FSM, s *taken) error {
	if err := receive(f, s); err != nil {
		return err
	}
	if err := restore(f, s); err != nil {
		return err
	}
	return backfill(f, s.journal)
}

func receive(f *FSM, s *taken) error {
	r, err := f.Receive(s.meta, s.digest)
	if err != nil {
		return err
	}
	if err = takeIn(r, s.pages); err == nil {
		err = r.Commit(func() error { return nil })
	}
	if err != nil {
		return errors.Join(err, r.Abort())
	}
	return nil
}

// takeIn shares the pages that the receiver has already, and gives it the others.
func takeIn(r *Receiver, pages []page.Page) error {
	for first := 0; first < len(pages); {
		last := first
		for last+1 < len(pages) && pages[last+1].Table == pages[first].Table {
			last++
		}
		from := pages[first]
		if err := r.Reserve(from.Table, from.RecordSize, from.Number, pages[last].Number-from.Number+1); err != nil {
			return err
		}
		first = last + 1
	}
	for _, p := range pages {
		shared, _, err := r.Share(p.ID, p.Index, page.Checksum(p.ID, p.Data), make([]byte, page.Size))
		if err == nil && !shared {
			err = r.Page(p)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// portrait is all that members must have alike.
type portrait struct {
	digest      page.Digest
	pages       map[page.ID]string
	indexes     map[page.ID]uint64
	journal     string
	checkpoints []Checkpoint
	term        uint64
	index       uint64
}

func portraitOf(t testing.TB, f *FSM) portrait {
	t.Helper()
	p := portrait{pages: map[page.ID]string{}, indexes: map[page.ID]uint64{}, checkpoints: f.Checkpoints()}
	p.journal = string(journalBytes(t, f))
	end := f.journal.End()
	f.mu.Lock()
	defer f.mu.Unlock()
	p.index, p.term = f.index, f.term
	if end != f.state.position() {
		t.Fatalf("the journal ends at %+v, the state says %+v", end, f.state.position())
	}
	must(t, f.state.books.CheckBooks())
	p.digest = f.state.space().Digest()
	if again := f.state.space().RecomputeDigest(); again != p.digest {
		t.Fatalf("the digest is %v, recomputed %v", p.digest, again)
	}
	v := f.state.space().View(noLock{})
	defer v.Close()
	must(t, v.Pages(func(q page.Page) error {
		p.pages[q.ID], p.indexes[q.ID] = string(q.Data), q.Index
		return nil
	}))
	return p
}

type noLock struct{}

func (noLock) Lock()   {}
func (noLock) Unlock() {}

func requireSame(t testing.TB, got, want portrait, what string) {
	t.Helper()
	if reflect.DeepEqual(got, want) {
		return
	}
	if got.index != want.index || got.term != want.term || got.digest != want.digest || len(got.journal) != len(want.journal) {
		t.Errorf("%s: index %d of term %d, digest %v, journal of %d bytes; want %d of %d, %v, %d", what,
			got.index, got.term, got.digest, len(got.journal), want.index, want.term, want.digest, len(want.journal))
	}
	for id, data := range want.pages {
		if got.pages[id] != data || got.indexes[id] != want.indexes[id] {
			t.Errorf("%s: page %+v differs (index %d, want %d)", what, id, got.indexes[id], want.indexes[id])
		}
	}
	t.Fatalf("%s: not the same state", what)
}
