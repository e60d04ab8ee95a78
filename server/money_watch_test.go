package server

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/ballastdb/ballast/fsm/ledger"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// watched is a watch and what it has told.
type watched struct {
	t       *testing.T
	stream  grpc.ServerStreamingClient[ballastv1.WatchResponse]
	end     context.CancelFunc
	entries []*ballastv1.Entry
	last    *ballastv1.WatchResponse
}

func (m *member) watch(t *testing.T, r *ballastv1.WatchRequest) *watched {
	t.Helper()
	ctx, cancel := context.WithCancel(testContext(t))
	t.Cleanup(cancel)
	stream, err := m.money.Watch(ctx, r)
	if err != nil {
		t.Fatal(err)
	}
	return &watched{t: t, stream: stream, end: cancel, last: &ballastv1.WatchResponse{Sequence: r.GetAfterSequence()}}
}

// next receives a message and checks that it goes on from the one before.
func (w *watched) next() *ballastv1.WatchResponse {
	w.t.Helper()
	r, err := w.stream.Recv()
	if err != nil {
		w.t.Fatal(err)
	}
	if r.GetSequence() < w.last.GetSequence() || len(r.GetEntries()) > 0 && r.GetNewestSequence() < r.GetSequence() {
		w.t.Fatalf("position %d of %d after %d", r.GetSequence(), r.GetNewestSequence(), w.last.GetSequence())
	}
	for _, e := range r.GetEntries() {
		if e.GetSequence() > r.GetSequence() || len(w.entries) > 0 && e.GetSequence() <= w.entries[len(w.entries)-1].GetSequence() {
			w.t.Fatalf("entry %d in a message up to %d", e.GetSequence(), r.GetSequence())
		}
		w.entries = append(w.entries, e)
	}
	w.last = r
	return r
}

// upTo receives until everything up to a position was told.
func (w *watched) upTo(sequence uint64) []*ballastv1.Entry {
	w.t.Helper()
	for w.last.GetSequence() < sequence {
		w.next()
	}
	return w.entries
}

// fails is the failure that the watch ends with.
func (w *watched) fails(code codes.Code) *ballastv1.Failure {
	w.t.Helper()
	for {
		if _, err := w.stream.Recv(); err != nil {
			return failureOf(w.t, err, code)
		}
	}
}

// entriesOf are all entries of a member, as a statement of each would show them.
func entriesOf(t *testing.T, m *member) (all []*ballastv1.Entry) {
	t.Helper()
	feed := m.fsm.OpenFeed()
	defer feed.Close()
	newest := m.fsm.Head().Sequence
	for at := uint64(0); at < newest; {
		entries, err := feed.Read(at, newest, 1)
		if err != nil {
			t.Fatal(err)
		}
		for i := range entries {
			all = append(all, entryProto(&entries[i]))
			at++
			if entries[i].Sequence != at {
				t.Fatalf("entry %d follows %d", entries[i].Sequence, at-1)
			}
		}
	}
	return all
}

func requireEntries(t *testing.T, what string, got, want []*ballastv1.Entry) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d entries, want %d", what, len(got), len(want))
	}
	for i := range got {
		if !proto.Equal(got[i], want[i]) {
			t.Fatalf("%s:\n%v\nwant\n%v", what, got[i], want[i])
		}
	}
}

// someOfAll makes an entry of every kind that an operation makes, with codes, in two ledgers.
func (m *member) someOfAll(t *testing.T) {
	t.Helper()
	m.open(t, "alice", "bob", "carol")
	m.submit(t, "APPLIED APPLIED APPLIED", op("eur", &ballastv1.CreateLedger{Name: "eur", Asset: "EUR"}),
		op("open-dora", &ballastv1.CreateAccount{Account: "dora", Ledger: "eur"}), credit("e1", "dora", 7))
	coded := credit("c2", "bob", 9)
	coded.Code, coded.Reference = 77, "invoice 9"
	m.submit(t, strings.TrimSpace(strings.Repeat("APPLIED ", 13)), credit("c1", "alice", 500), coded,
		op("t1", &ballastv1.Transfer{DebitAccount: "alice", CreditAccount: "bob", Amount: 100}),
		op("low", &ballastv1.SetLowBalance{Account: "alice", Threshold: 300}),
		op("h1", &ballastv1.Hold{Account: "alice", Amount: 150, Timeout: int64(time.Hour), InParts: true}), // leaves 250
		op("h2", &ballastv1.CaptureHold{Hold: "h1", Amount: 50}), op("h3", &ballastv1.ExtendHold{Hold: "h1", Timeout: 1}),
		op("h4", &ballastv1.VoidHold{Hold: "h1"}),
		op("u1", &ballastv1.TransferUpTo{DebitAccount: "alice", Amount: 1000}),
		op("l1", &ballastv1.SetLimits{Account: "bob", Ceiling: proto.Int64(9000)}),
		op("f1", &ballastv1.SetFrozen{Account: "bob", Frozen: true}), op("x1", &ballastv1.CloseAccount{Account: "carol"}),
		op("v1", &ballastv1.SetVelocity{Account: "alice", Caps: []*ballastv1.VelocityCap{{Window: int64(time.Hour), Limit: 5}}}))
}

// A watch tells each entry once, in order, from any position, what is there already and what comes; and a filter leaves
// out what does not pass, no more.
func TestWatchTellsEachEntryOnce(t *testing.T) {
	m := newMember(t, nil)
	early := m.watch(t, &ballastv1.WatchRequest{})
	m.someOfAll(t)
	now := m.watch(t, &ballastv1.WatchRequest{FromNow: true})
	if r := now.next(); len(r.GetEntries()) != 0 || r.GetSequence() != m.fsm.Head().Sequence || r.GetLink() != m.fsm.Head().Link {
		t.Errorf("from now begins with %v", r)
	}
	before := now.last.GetSequence()
	m.submit(t, "APPLIED APPLIED", credit("later-1", "alice", 1), credit("later-2", "dora", 1))
	all := entriesOf(t, m)
	newest := uint64(len(all))
	if before+2 != newest {
		t.Fatalf("%d entries, want %d", newest, before+2)
	}
	requireEntries(t, "from the beginning", early.upTo(newest), all)
	requireEntries(t, "from now", now.upTo(newest), all[before:])
	seen := map[ballastv1.EntryKind]int{}
	for after := range newest {
		from := &ballastv1.WatchRequest{AfterSequence: after, AfterLink: linkOf(t, m, after)}
		requireEntries(t, fmt.Sprint("after ", after), m.watch(t, from).upTo(newest), all[after:])
		seen[all[after].GetKind()]++
	}
	for kind := ledger.EntryCredit; kind <= ledger.EntryNewest; kind++ {
		switch kind {
		case ledger.EntryDebit, ledger.EntryReversal, ledger.EntryHoldExpired: // as others
		default:
			if kind < ledger.EntryTopUpPolicySet && seen[ballastv1.EntryKind(kind)] == 0 {
				t.Errorf("no entry of kind %d was tried", kind)
			}
		}
	}
	for _, c := range []struct {
		name   string
		filter *ballastv1.WatchFilter
		want   func(*ballastv1.Entry) bool
	}{
		{"ledger", &ballastv1.WatchFilter{Ledger: "eur"}, func(e *ballastv1.Entry) bool { return e.GetLedger() == "eur" }},
		{"account", &ballastv1.WatchFilter{Accounts: []string{"bob", "nobody"}}, func(e *ballastv1.Entry) bool {
			return e.GetDebitAccount() == "bob" || e.GetCreditAccount() == "bob"
		}},
		{"system account", &ballastv1.WatchFilter{Accounts: []string{"@usd/debits"}}, func(e *ballastv1.Entry) bool { return e.GetCreditAccount() == "@usd/debits" }},
		{
			"kind", &ballastv1.WatchFilter{Kinds: []ballastv1.EntryKind{ballastv1.EntryKind_ENTRY_KIND_LOW_BALANCE, ballastv1.EntryKind_ENTRY_KIND_HOLD_VOIDED}},
			func(e *ballastv1.Entry) bool {
				return e.GetLowBalance() != nil && e.GetOperationId() != "low" || e.GetOperationId() == "h4"
			},
		},
		{"code", &ballastv1.WatchFilter{Codes: []uint32{77, 78}}, func(e *ballastv1.Entry) bool { return e.GetCode() == 77 }},
		{"all of them", &ballastv1.WatchFilter{Ledger: "eur", Accounts: []string{"bob"}}, func(*ballastv1.Entry) bool { return false }},
	} {
		var want []*ballastv1.Entry
		for _, e := range all {
			if c.want(e) {
				want = append(want, e)
			}
		}
		if len(want) == 0 && c.name != "all of them" || len(want) == len(all) {
			t.Errorf("%s: %d of %d entries pass", c.name, len(want), len(all))
		}
		requireEntries(t, c.name, m.watch(t, &ballastv1.WatchRequest{Filter: c.filter, Heartbeat: int64(minHeartbeat)}).upTo(newest), want)
	}
}

func linkOf(t *testing.T, m *member, sequence uint64) uint64 {
	t.Helper()
	link, err := m.fsm.LinkAt(sequence)
	if err != nil {
		t.Fatal(err)
	}
	return link
}

// A heartbeat tells how far the watch is and what the newest entry is, though nothing happens.
func TestWatchBeats(t *testing.T) {
	m := newMember(t, nil)
	m.open(t, "alice")
	w := m.watch(t, &ballastv1.WatchRequest{Filter: &ballastv1.WatchFilter{Ledger: "eur"}, Heartbeat: int64(minHeartbeat)})
	w.upTo(2)
	for range 3 {
		r := w.next()
		if head := m.fsm.Head(); len(r.GetEntries()) != 0 || r.GetSequence() != 2 || r.GetNewestSequence() != 2 || r.GetIndex() != head.Index ||
			r.GetLogTime() != head.LogTime || r.GetLink() != head.Link {
			t.Errorf("a heartbeat is %v, the state is at %+v", r, head)
		}
	}
}

// Whoever does not read holds up nobody: all is applied and answered, others are told, and it misses nothing.
func TestAWatchThatIsNotReadHoldsUpNobody(t *testing.T) {
	m := newMember(t, nil)
	m.open(t, "alice")
	idle := m.watch(t, &ballastv1.WatchRequest{})
	other := m.watch(t, &ballastv1.WatchRequest{})
	const batches, each = 20, 200 // several times what the stream lets pass unread
	for i := range batches {
		var operations []*ballastv1.Operation
		for j := range each {
			o := credit(fmt.Sprintf("credit-%d-%d", i, j), "alice", 1)
			o.Reference = strings.Repeat("r", 64)
			operations = append(operations, o)
		}
		m.submit(t, strings.TrimSpace(strings.Repeat("APPLIED ", each)), operations...)
	}
	const all = 2 + batches*each
	if got := len(other.upTo(all)); got != all {
		t.Errorf("a watch beside it is told %d entries, want %d", got, all)
	}
	requireEntries(t, "read at last", idle.upTo(all), other.entries)
}

func TestWatchesAreLimited(t *testing.T) {
	m := newMember(t, func(cfg *MoneyConfig) { cfg.Watches = 2 })
	first := m.watch(t, &ballastv1.WatchRequest{})
	first.next()
	m.watch(t, &ballastv1.WatchRequest{}).next()
	if f := m.watch(t, &ballastv1.WatchRequest{}).fails(codes.ResourceExhausted); f.GetRetryAfter() == nil {
		t.Errorf("one watch too many is refused with %v", f)
	}
	first.end()
	eventually(t, "there is room for another watch", func() bool {
		_, err := m.watch(t, &ballastv1.WatchRequest{}).stream.Recv()
		return err == nil
	})
}

// A member that is being stopped, or whose state is not to be trusted, ends its watches: they go on elsewhere.
func TestWatchesEndWithTheGate(t *testing.T) {
	for name, shut := range map[string]func(*Gate){"closed": (*Gate).Close, "condemned": func(g *Gate) { g.Condemn("it is wrong") }} {
		t.Run(name, func(t *testing.T) {
			m := newMember(t, nil)
			w := m.watch(t, &ballastv1.WatchRequest{Heartbeat: int64(maxHeartbeat)})
			w.next()
			shut(m.gate)
			w.fails(codes.Unavailable)
			m.watch(t, &ballastv1.WatchRequest{}).fails(codes.Unavailable)
		})
	}
}

// A position that this cluster never told is refused; one that a follower does not have yet is waited for.
func TestWatchKnowsItsHistory(t *testing.T) {
	m := newMember(t, nil)
	m.open(t, "alice")
	wrong := &ballastv1.WatchRequest{AfterSequence: 1, AfterLink: linkOf(t, m, 1) + 1}
	if f := m.watch(t, wrong).fails(codes.OutOfRange); f.GetReason() != ballastv1.Reason_REASON_OTHER_HISTORY {
		t.Errorf("another link is refused with %v", f)
	}
	ahead := &ballastv1.WatchRequest{AfterSequence: 4, Heartbeat: int64(minHeartbeat)}
	if f := m.watch(t, ahead).fails(codes.OutOfRange); f.GetReason() != ballastv1.Reason_REASON_OTHER_HISTORY {
		t.Errorf("a position ahead of all is refused with %v", f)
	}
	m.raft.with(func(r *fakeRaft) { r.state = raft.Follower })
	w := m.watch(t, ahead)
	if r := w.next(); r.GetSequence() != 4 || r.GetNewestSequence() != 2 || len(r.GetEntries()) != 0 {
		t.Errorf("a follower that is behind says %v", r)
	}
	m.raft.with(func(r *fakeRaft) { r.state = raft.Leader })
	m.submit(t, "APPLIED", credit("c1", "alice", 1))
	m.submit(t, "APPLIED APPLIED", credit("c2", "alice", 1), credit("c3", "alice", 1))
	if got := w.upTo(5); len(got) != 1 || got[0].GetOperationId() != "c3" {
		t.Errorf("told are %v, want c3 alone", got)
	}
}

func TestWatchNamesTheFieldAtFault(t *testing.T) {
	m := newMember(t, nil)
	long := strings.Repeat("x", 65)
	for field, r := range map[string]*ballastv1.WatchRequest{
		"from_now":           {FromNow: true, AfterSequence: 1},
		"heartbeat":          {Heartbeat: int64(minHeartbeat) - 1},
		"heartbeat: want":    {Heartbeat: int64(maxHeartbeat) + 1},
		"heartbeat: want 1":  {Heartbeat: -1},
		"filter.ledger":      {Filter: &ballastv1.WatchFilter{Ledger: "USD"}},
		"filter.accounts[1]": {Filter: &ballastv1.WatchFilter{Accounts: []string{"a", long}}},
		"filter.accounts[0]": {Filter: &ballastv1.WatchFilter{Accounts: []string{""}}},
		"filter.accounts":    {Filter: &ballastv1.WatchFilter{Accounts: make([]string, 101)}},
		"filter.kinds[0]":    {Filter: &ballastv1.WatchFilter{Kinds: []ballastv1.EntryKind{0}}},
		"filter.kinds[1]":    {Filter: &ballastv1.WatchFilter{Kinds: []ballastv1.EntryKind{1, ballastv1.EntryKind(ledger.EntryNewest) + 1}}},
		"filter.codes":       {Filter: &ballastv1.WatchFilter{Codes: make([]uint32, 101)}},
	} {
		_, err := m.watch(t, r).stream.Recv()
		failureOf(t, err, codes.InvalidArgument)
		if !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v", field, err)
		}
	}
}
