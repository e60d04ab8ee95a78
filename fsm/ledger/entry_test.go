package ledger

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/ballastdb/ballast/fsm/page"
)

var updateGolden = flag.Bool("update-golden", false, "write testdata/*.golden; they are bytes on disks, so think twice")

// everyKind is a history with an entry of every kind and every optional part.
func everyKind() []Operation {
	ops := []Operation{
		{ID: []byte("0123456789abcdef"), Kind: KindCreateLedger, Ledger: []byte("usd"), Asset: []byte("USD"), Scale: 6},
		{ID: []byte("a"), Kind: KindCreateAccount, Ledger: []byte("usd"), Credit: []byte("alice"), HasFloor: true, Floor: -5, HasCeiling: true, Ceiling: 900},
		{ID: []byte("b"), Kind: KindCreateAccount, Ledger: []byte("usd"), Credit: []byte("bob")},
		{ID: []byte("c"), Kind: KindCredit, Credit: []byte("alice"), Amount: 500, EventTime: -1, Code: 7, Reference: []byte("invoice")},
		{ID: []byte("5f3c1b1e-0a1b-4c3d-8e9f-001122334455"), Kind: KindDebit, Debit: []byte("alice"), Amount: 3},
		{ID: []byte("0123456789abcdeg"), Kind: KindTransfer, Debit: []byte("alice"), Credit: []byte("bob"), Amount: 20},
		{ID: []byte("d"), Kind: KindSetLimits, Credit: []byte("bob"), HasFloor: true, Floor: -1},
		{ID: []byte("e"), Kind: KindSetFrozen, Credit: []byte("bob"), Frozen: true, FrozenCredits: true},
		{ID: []byte("f"), Kind: KindCreateAccount, Ledger: []byte("usd"), Credit: []byte("carol")},
		{ID: []byte("g"), Kind: KindCloseAccount, Credit: []byte("carol")},
		{ID: []byte("h"), Kind: KindHold, Debit: []byte("alice"), Amount: 40, Timeout: 60 * second, Parts: true, Reference: []byte("trip")},
		{ID: []byte("i"), Kind: KindCapture, Hold: []byte("h"), Amount: 15},
		{ID: []byte("j"), Kind: KindExtend, Hold: []byte("h"), Timeout: 90 * second},
		{ID: []byte("k"), Kind: KindVoid, Hold: []byte("h")},
		{ID: []byte("5f3c1b1e-0a1b-4c3d-8e9f-001122334456"), Kind: KindHold, Debit: []byte("alice"), Amount: 7, Timeout: 1},
		{ID: []byte("l"), Kind: KindUpTo, Debit: []byte("alice"), Amount: 1000},
		{ID: []byte("m"), Kind: KindReverse, Entry: 5, Original: Original{EntryDebit, 2, 1, 3}},
		{ID: []byte("n"), Kind: KindSetVelocity, Credit: []byte("alice"), Caps: [2]Cap{{60 * second, 50}, {3600 * second, 500}}},
		{ID: []byte("o"), Kind: KindSetLowBalance, Credit: []byte("bob"), Amount: 30, Code: 9}, // of which it has 21: told at once
	}
	for i := range ops {
		ops[i].Attempt, ops[i].IssuedAt = 1, storyStart
	}
	return ops
}

func encodeEveryKind(t testing.TB) (*State, []byte) {
	t.Helper()
	s, out, chain := New(), Output{}, Chain{}
	apply := func(ops []Operation) []byte {
		s.Apply(1, storyStart, ops, &out)
		checkHashes(t, &chain, &out)
		for i, r := range out.Results {
			if r.Code != CodeApplied {
				t.Fatalf("operation %s, number %d: %s", ops[i].ID, i, codeNames[r.Code])
			}
		}
		return out.Entries
	}
	entries := bytes.Clone(apply(everyKind()))
	return s, append(entries, everyTopUp(s, apply)...)
}

// everyTopUp lets dora be topped up in all ways, and the last one wait.
func everyTopUp(s *State, apply func([]Operation) []byte) (entries []byte) {
	do := func(ops ...Operation) {
		for i := range ops {
			ops[i].ID, ops[i].Attempt, ops[i].IssuedAt = fmt.Appendf(nil, "top-up-%d-%d", s.Sequence(), i), 1, storyStart
		}
		entries = append(entries, apply(ops)...)
	}
	open := func() []byte {
		p, _, _ := s.TopUpPolicy([]byte("dora"))
		return []byte(p.Open)
	}
	policy := Operation{
		Kind: KindSetTopUp, Credit: []byte("dora"), Amount: 30, Caps: [MaxCaps]Cap{{60 * second, 9}, {3600 * second, 500}},
		TopUp: &TopUpFields{Threshold: 10, BackOff: 60 * second, KeyLifetime: 3600 * second, Payment: []byte("card-7")},
	}
	lease := func(by string) {
		do(Operation{Kind: KindLeaseTopUp, Reference: []byte(by), Timeout: 30 * second, TopUp: &TopUpFields{ID: open()}})
	}
	settle := func(outcome TopUpOutcome, lease uint32) {
		do(Operation{Kind: KindSettleTopUp, TopUp: &TopUpFields{ID: open(), Outcome: outcome, Lease: lease}})
	}
	do(Operation{Kind: KindCreateAccount, Ledger: []byte("usd"), Credit: []byte("dora")}, policy)
	lease("worker")
	settle(OutcomeUnknown, 1)
	settle(OutcomeSucceeded, 1)
	do(Operation{Kind: KindDebit, Debit: []byte("dora"), Amount: 25})
	settle(OutcomeDeclined, 0)
	do(policy)
	do(Operation{Kind: KindSetTopUp, Credit: []byte("dora"), TopUp: &TopUpFields{Off: true}})
	policy.Amount, policy.Debit, policy.TopUp.Target = 0, []byte("alice"), 40
	do(policy)
	lease("")
	return entries
}

// checkHashes: the hashes that Apply tells are those of the chain, which the journal relies on.
func checkHashes(t testing.TB, chain *Chain, out *Output) {
	t.Helper()
	rest := out.Entries
	for i, hash := range out.Hashes {
		n, err := chain.Verify(rest)
		if err != nil || chain.Hash != hash {
			t.Fatalf("entry %d chains to %x, %v; Apply says %x", i, chain.Hash, err, hash)
		}
		rest = rest[n:]
	}
	if len(rest) > 0 {
		t.Fatalf("%d bytes of entries behind the last hash", len(rest))
	}
}

func golden(t *testing.T, file string, got string) {
	t.Helper()
	path := "testdata/" + file
	if *updateGolden {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is\n%s\nand was\n%s\nThis format is on disks: a change needs a new version.", file, got, want)
	}
}

// TestEntryGolden holds the bytes of entries, and through the links the chain's hash, to what is on disks.
func TestEntryGolden(t *testing.T) {
	_, b := encodeEveryKind(t)
	var text strings.Builder
	for len(b) > 0 {
		n, err := EntryLen(b)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&text, hex.EncodeToString(b[:n]))
		b = b[n:]
	}
	golden(t, "entry.golden", text.String())
}

// TestStateGolden holds the bytes of all records to what is on disks.
func TestStateGolden(t *testing.T) {
	s, _ := encodeEveryKind(t)
	var out Output
	s.Apply(2, storyStart+1, []Operation{
		{ID: []byte("0123456789abcdeh"), Attempt: 3, IssuedAt: storyStart, Kind: KindDebit, Debit: []byte("bob"), Amount: 9},
		{ID: []byte("an id that is kept as a digest"), Attempt: 1, IssuedAt: storyStart + 1<<40, Kind: KindCredit, Credit: []byte("bob"), Amount: 9},
	}, &out)
	var text strings.Builder
	for _, p := range pagesOf(t, s) {
		if p.Table == tableCells { // 4,096 times index 1
			continue
		}
		fmt.Fprintf(&text, "table %d page %d index %d\n", p.Table, p.Number, p.Index)
		for b := bytes.TrimRight(p.Data, "\x00"); len(b) > 0; b = b[min(32, len(b)):] {
			fmt.Fprintln(&text, hex.EncodeToString(b[:min(32, len(b))]))
		}
	}
	fmt.Fprintf(&text, "digest %s\n", s.Space().Digest())
	golden(t, "state.golden", text.String())
}

func TestEntryRoundTrip(t *testing.T) {
	s, b := encodeEveryKind(t)
	var chain Chain
	for i, op := range everyKind() {
		if _, err := chain.Verify(b); err != nil {
			t.Fatal(err)
		}
		e, n, err := DecodeEntry(b)
		if err != nil {
			t.Fatal(err)
		}
		if e.Sequence != uint64(i+1) || string(e.OperationID) != string(op.ID) || e.Code != op.Code ||
			e.EventTime != op.EventTime || string(e.Reference) != string(op.Reference) {
			t.Errorf("%+v\nof %+v", e, op)
		}
		switch e.Kind {
		case EntryUpTo:
			if e.Asked != op.Amount || e.Amount >= e.Asked {
				t.Errorf("%+v", e)
			}
			op.Amount = e.Amount
		case EntryReversal:
			if e.Original != op.Entry || e.Amount != 3 {
				t.Errorf("%+v", e)
			}
			op.Amount = e.Amount
		case EntryVelocitySet:
			if e.Caps != op.Caps {
				t.Errorf("%+v", e)
			}
		case EntryLowBalanceSet:
			if e.Threshold != op.Amount || e.Available != 21 {
				t.Errorf("%+v", e)
			}
			op.Amount = 0
		}
		if amount := op.Amount; op.Kind != KindHold && e.Amount != amount || op.Kind == KindHold && (e.Amount != 0 || e.Remaining != amount) {
			t.Errorf("%+v\nof %+v", e, op)
		}
		switch e.Kind {
		case EntryHoldCaptured, EntryHoldExtended, EntryHoldVoided:
			if string(e.Hold) != "h" || e.PrevHold+1 != e.Sequence || !e.InParts || e.Ended != (e.Kind == EntryHoldVoided) || (e.Released == 25) != e.Ended {
				t.Errorf("%+v", e)
			}
		case EntryAccountCreated:
			if string(e.Name) != string(op.Credit) || e.Floor != op.Floor || e.Ceiling != op.Ceiling || e.HasCeiling != op.HasCeiling || e.Ledger != 0 {
				t.Errorf("%+v\nof %+v", e, op)
			}
		case EntryLedgerCreated:
			if string(e.Name) != "usd" || string(e.Asset) != "USD" || e.Scale != 6 {
				t.Errorf("%+v", e)
			}
		case EntryFrozenSet:
			if !e.Frozen || !e.FrozenCredits {
				t.Errorf("%+v", e)
			}
		case EntryTransfer:
			if n != 96 {
				t.Errorf("a plain transfer with a 16-byte id takes %d bytes", n)
			}
		}
		b = b[n:]
	}
	kinds := map[EntryKind]int{}
	for len(b) > 0 {
		n, err := chain.Verify(b)
		if err != nil {
			t.Fatal(err)
		}
		e, _, _ := DecodeEntry(b)
		kinds[e.Kind]++
		checkTopUpEntry(t, &e)
		if e.Kind == EntryLowBalance && (string(e.OperationID) != "o" || e.Code != 9 || e.Threshold != 30 || e.Available != 21 || e.CreditPosted != 20 ||
			e.PrevCredit+1 != e.Sequence || e.Amount != 0 || e.HasDebit) {
			t.Errorf("%+v", e)
		}
		b = b[n:]
	}
	for kind := EntryLowBalance; kind <= EntryTopUpCancelled; kind++ {
		if kinds[kind] == 0 {
			t.Errorf("no entry of kind %d", kind)
		}
	}
	if chain.Hash != s.JournalHash() {
		t.Errorf("the chain ends at %s, the state says %s", chain.Hash, s.JournalHash())
	}
}

// checkTopUpEntry: what everyTopUp did.
func checkTopUpEntry(t *testing.T, e *Entry) {
	t.Helper()
	const hour = 3600 * second
	switch e.Kind {
	case EntryTopUpPolicySet:
		if !e.Policy.On {
			if *e.Policy != (TopUpTerms{}) {
				t.Errorf("%+v", e.Policy)
			}
			return
		}
		want := TopUpTerms{
			On: true, Threshold: 10, Amount: 30, BackOff: 60 * second, KeyLifetime: hour, CountCap: Cap{60 * second, 9}, SumCap: Cap{hour, 500}, Payment: "card-7",
		}
		if e.Policy.Target != 0 {
			want.Amount, want.Target, want.Source = 0, 40, 2
		}
		if *e.Policy != want {
			t.Errorf("%+v, want %+v", *e.Policy, want)
		}
	case EntryTopUpOpened, EntryTopUpLeased, EntryTopUpSucceeded, EntryTopUpDeclined, EntryTopUpUnknown, EntryTopUpCancelled:
		ended := e.Kind == EntryTopUpSucceeded || e.Kind == EntryTopUpDeclined || e.Kind == EntryTopUpCancelled
		until := map[EntryKind]int64{EntryTopUpLeased: storyStart + 30*second, EntryTopUpUnknown: storyStart + 30*second, EntryTopUpDeclined: storyStart + 60*second}[e.Kind]
		c := e.TopUp
		if _, ok := ParseUUID([]byte(c.ID)); !ok || c.Ended != ended || c.LookupOnly || c.Until != until || c.Amount <= 0 ||
			(c.Previous == 0) != (e.Kind == EntryTopUpOpened) || (e.Kind == EntryTopUpSucceeded) != (e.Amount == 30) {
			t.Errorf("kind %d: %+v of %+v", e.Kind, c, e)
		}
	}
}

// TestChainSeesEveryBit flips each bit of a journal of ten entries: following the chain must stop, decoding or not.
func TestChainSeesEveryBit(t *testing.T) {
	_, journal := encodeEveryKind(t)
	for bit := range len(journal) * 8 {
		journal[bit/8] ^= 1 << (bit % 8)
		for name, follow := range map[string]func(*Chain, []byte) (int, error){"Verify": (*Chain).Verify, "Step": (*Chain).Step} {
			var c Chain
			b, err := journal, error(nil)
			for n := 0; len(b) > 0 && err == nil; b = b[n:] {
				n, err = follow(&c, b)
			}
			if !errors.Is(err, ErrEntryCorrupt) && !errors.Is(err, ErrEntryShort) {
				t.Fatalf("%s with bit %d flipped: %v", name, bit, err)
			}
		}
		journal[bit/8] ^= 1 << (bit % 8)
	}
	if _, err := new(Chain).Step(journal[:10]); !errors.Is(err, ErrEntryShort) {
		t.Errorf("10 bytes of an entry: %v", err)
	}
	n, err := EntryLen(journal)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := new(Chain).Step(journal[n:]); !errors.Is(err, ErrEntryCorrupt) {
		t.Errorf("the first entry left out: %v", err)
	}
}

// FuzzDecodeEntry: whatever the bytes, decoding stays within them and within its bounds, and depends on nothing behind
// the entry.
func FuzzDecodeEntry(f *testing.F) {
	_, b := encodeEveryKind(f)
	for len(b) > 0 {
		n, _ := EntryLen(b)
		f.Add(b[:n])
		b = b[n:]
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e, n, err := DecodeEntry(b)
		if err != nil {
			if !errors.Is(err, ErrEntryCorrupt) && !errors.Is(err, ErrEntryShort) {
				t.Fatal(err)
			}
			return
		}
		if n > len(b) || n > MaxEntryBytes || len(e.OperationID) == 0 || len(e.OperationID) > MaxIDLen || len(e.Reference) > MaxReferenceLen {
			t.Fatalf("%d bytes of %d: %+v", n, len(b), e)
		}
		again, m, err := DecodeEntry(append(bytes.Clone(b[:n]), 0xff))
		if err != nil || m != n || !reflect.DeepEqual(e, again) {
			t.Fatalf("%+v\n%+v %v", e, again, err)
		}
	})
}

// FuzzRebuild: damaged pages are refused or read, never a panic.
func FuzzRebuild(f *testing.F) {
	s, _ := encodeEveryKind(f)
	pages := pagesOf(f, s)
	f.Add(uint16(0), uint16(8), byte(2))
	f.Add(uint16(3), uint16(127), byte(255))
	f.Fuzz(func(t *testing.T, n, at uint16, b byte) {
		fresh := New()
		for i, p := range pages {
			if i == int(n)%len(pages) {
				p.Data = bytes.Clone(p.Data)
				p.Data[int(at)%page.Size] = b
			}
			if fresh.Space().Load(p) != nil {
				return
			}
		}
		if fresh.Space().Loaded(nil) != nil {
			return
		}
		if err := fresh.Rebuild(nil); err != nil && !errors.Is(err, ErrState) {
			t.Fatal(err)
		}
	})
}
