package proposal

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"

	"github.com/ballastdb/ballast/fsm/ledger"
)

const (
	sampleTime = int64(1_785_000_000_123_456_789)
	sampleUUID = "0198c1f2-7e4a-7bcd-8123-456789abcdef"
)

// sampleOperations has every field at least once.
func sampleOperations() []ledger.Operation {
	id := func(s string) []byte { return []byte(s) }
	return []ledger.Operation{
		{Kind: ledger.KindCreateLedger, ID: id("ledger-1"), Attempt: 1, IssuedAt: sampleTime, Ledger: id("usd"), Asset: id("USD"), Scale: 6},
		{
			Kind: ledger.KindCreateAccount, ID: id("open-1"), Attempt: 1, IssuedAt: sampleTime, Credit: id("acct-001"), Ledger: id("usd"),
			HasFloor: true, Floor: -100, HasCeiling: true, Ceiling: 5_000_000,
		},
		{Kind: ledger.KindCredit, ID: id(sampleUUID), Attempt: 1, IssuedAt: sampleTime, Credit: id("acct-001"), Amount: 1_000_000, Linked: true},
		{Kind: ledger.KindTransfer, ID: id("0123456789abcdef"), Attempt: 1, IssuedAt: sampleTime, Debit: id("acct-001"), Credit: id("acct-002"), Amount: 25},
		{
			Kind: ledger.KindDebit, ID: id("d"), Attempt: 7, IssuedAt: sampleTime, Debit: id("acct-001"), Amount: 1<<63 - 1,
			EventTime: -1, Code: 1<<32 - 1, Reference: id("invoice 42"),
		},
		{Kind: ledger.KindSetLimits, ID: id("limits"), Attempt: 1, IssuedAt: sampleTime, Credit: id("acct-001"), HasFloor: true, NoCeiling: true},
		{Kind: ledger.KindSetFrozen, ID: id("freeze"), Attempt: 1, IssuedAt: sampleTime, Credit: id("acct-001"), Frozen: true, FrozenCredits: true},
		{Kind: ledger.KindCloseAccount, ID: id("close"), Attempt: 1, IssuedAt: sampleTime, Credit: id("acct-001")},
		{Kind: ledger.KindHold, ID: id("hold-1"), Attempt: 1, IssuedAt: sampleTime, Debit: id("acct-001"), Amount: 40, Timeout: 900_000_000_000, Parts: true},
		{Kind: ledger.KindCapture, ID: id("part-1"), Attempt: 1, IssuedAt: sampleTime, Hold: id("hold-1"), Credit: id("acct-002"), Amount: 30, Last: true},
		{Kind: ledger.KindVoid, ID: id("void"), Attempt: 1, IssuedAt: sampleTime, Hold: id("hold-1")},
		{Kind: ledger.KindExtend, ID: id("extend"), Attempt: 1, IssuedAt: sampleTime, Hold: id(sampleUUID), Timeout: 1},
		{Kind: ledger.KindUpTo, ID: id("upto"), Attempt: 1, IssuedAt: sampleTime, Debit: id("acct-001"), Amount: 9, IfVersion: 300},
		{
			Kind: ledger.KindReverse, ID: id("reverse"), Attempt: 1, IssuedAt: sampleTime, Entry: 1000, Amount: 2,
			Original: ledger.Original{Kind: ledger.EntryTransfer, Debit: 5, Credit: 500, Amount: 25},
		},
		{
			Kind: ledger.KindSetVelocity, ID: id("caps"), Attempt: 1, IssuedAt: sampleTime, Credit: id("acct-001"),
			Caps: [ledger.MaxCaps]ledger.Cap{{Window: 3_600_000_000_000, Limit: 500}, {Window: 86_400_000_000_000, Limit: 2000}},
		},
		{Kind: ledger.KindSetLowBalance, ID: id("low"), Attempt: 1, IssuedAt: sampleTime, Credit: id("acct-001"), Amount: 750},
		{
			Kind: ledger.KindSetTopUp, ID: id("policy"), Attempt: 1, IssuedAt: sampleTime, Credit: id("acct-001"), Debit: id("acct-002"),
			Caps: [ledger.MaxCaps]ledger.Cap{{Window: 3_600_000_000_000, Limit: 3}, {}},
			TopUp: &ledger.TopUpFields{
				Threshold: 500, Target: 2500, BackOff: 900_000_000_000, KeyLifetime: 82_800_000_000_000, Payment: id("card-7"),
			},
		},
		{Kind: ledger.KindSetTopUp, ID: id("no policy"), Attempt: 1, IssuedAt: sampleTime, Credit: id("acct-001"), TopUp: &ledger.TopUpFields{Off: true}},
		{
			Kind: ledger.KindLeaseTopUp, ID: id("lease"), Attempt: 1, IssuedAt: sampleTime, Timeout: 30_000_000_000, Reference: id("worker-1"),
			TopUp: &ledger.TopUpFields{ID: id(sampleUUID)},
		},
		{
			Kind: ledger.KindSettleTopUp, ID: id("settle"), Attempt: 1, IssuedAt: sampleTime, Reference: id("ch_1"),
			TopUp: &ledger.TopUpFields{ID: id(sampleUUID), Outcome: ledger.OutcomeSucceeded, Lease: 300},
		},
	}
}

func encodeOperations(t interface{ Fatal(...any) }, ops []ledger.Operation) []byte {
	b := NewBuilder(1)
	for i := range ops {
		if err := b.Add(AppendOperation(nil, &ops[i]), 1); err != nil {
			t.Fatal(err)
		}
	}
	return b.Finish(sampleTime)
}

// samples is one proposal of each kind, by the name of its golden file.
func samples(t *testing.T) map[string][]byte {
	must := func(b []byte, err error) []byte {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	member := Member{
		ID: "berlin/" + sampleUUID, MemberAddress: "127.0.0.1:7411", ClientAddress: "127.0.0.1:7401", OperatorAddress: "127.0.0.1:7421",
		StayNonVoter: true, NewestVersion: 2,
	}
	return map[string][]byte{
		"operations":    encodeOperations(t, sampleOperations()),
		"marker":        EncodeMarker(sampleTime, 1, 9),
		"checkpoint":    EncodeCheckpoint(sampleTime, 1),
		"settings":      must(EncodeSettings(sampleTime, 1, "operator anna", []Setting{{SettingIDWindow, 3_600_000_000_000}, {SettingCheckpointInterval, 500}})),
		"announce":      must(EncodeAnnounce(sampleTime, 1, member)),
		"forget":        must(EncodeForget(sampleTime, 1, member.ID)),
		"mark":          EncodeMark(sampleTime, 1),
		"tick":          EncodeTick(sampleTime, 1),
		"raise-version": EncodeRaiseVersion(sampleTime, 1, 2),
	}
}

// encodeAgain is the encoding of a decoded proposal.
func encodeAgain(t interface{ Fatal(...any) }, p Proposal) []byte {
	must := func(b []byte, err error) []byte {
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	switch p.Kind {
	case KindOperations:
		b := NewBuilder(p.ClusterVersion)
		for i := range p.Operations {
			must(nil, b.Add(AppendOperation(nil, &p.Operations[i]), 1))
		}
		return b.Finish(p.Time)
	case KindMarker:
		return EncodeMarker(p.Time, p.ClusterVersion, p.Term)
	case KindCheckpoint:
		return EncodeCheckpoint(p.Time, p.ClusterVersion)
	case KindSettings:
		return must(EncodeSettings(p.Time, p.ClusterVersion, p.By, p.Settings))
	case KindAnnounce:
		return must(EncodeAnnounce(p.Time, p.ClusterVersion, p.Member))
	case KindForget:
		return must(EncodeForget(p.Time, p.ClusterVersion, p.Member.ID))
	case KindMark:
		return EncodeMark(p.Time, p.ClusterVersion)
	case KindTick:
		return EncodeTick(p.Time, p.ClusterVersion)
	case KindRaiseVersion:
		return EncodeRaiseVersion(p.Time, p.ClusterVersion, p.Version)
	}
	t.Fatal("no encoder for kind", p.Kind)
	return nil
}

func sameOperation(a, b *ledger.Operation) bool {
	x, y := *a, *b
	for _, f := range []struct{ a, b *[]byte }{
		{&x.ID, &y.ID},
		{&x.Debit, &y.Debit},
		{&x.Credit, &y.Credit},
		{&x.Reference, &y.Reference},
		{&x.Ledger, &y.Ledger},
		{&x.Asset, &y.Asset},
		{&x.Hold, &y.Hold},
	} {
		if !bytes.Equal(*f.a, *f.b) {
			return false
		}
		*f.a, *f.b = nil, nil
	}
	if (x.TopUp == nil) != (y.TopUp == nil) || x.TopUp != nil && !sameTopUp(*x.TopUp, *y.TopUp) {
		return false
	}
	return x.ID == nil && y.ID == nil && equalFlat(x, y)
}

func sameTopUp(x, y ledger.TopUpFields) bool {
	return bytes.Equal(x.ID, y.ID) && bytes.Equal(x.Payment, y.Payment) && x.Off == y.Off && x.Threshold == y.Threshold && x.Target == y.Target &&
		x.BackOff == y.BackOff && x.KeyLifetime == y.KeyLifetime && x.Outcome == y.Outcome && x.Lease == y.Lease
}

// equalFlat compares operations whose slices are nil.
func equalFlat(x, y ledger.Operation) bool {
	return x.Attempt == y.Attempt && x.Kind == y.Kind && x.Linked == y.Linked && x.IssuedAt == y.IssuedAt && x.EventTime == y.EventTime &&
		x.Code == y.Code && x.Amount == y.Amount && x.Scale == y.Scale && x.HasFloor == y.HasFloor && x.HasCeiling == y.HasCeiling &&
		x.NoCeiling == y.NoCeiling && x.Floor == y.Floor && x.Ceiling == y.Ceiling && x.Frozen == y.Frozen && x.FrozenCredits == y.FrozenCredits &&
		x.IfVersion == y.IfVersion && x.Entry == y.Entry && x.Original == y.Original && x.Caps == y.Caps &&
		x.Timeout == y.Timeout && x.Parts == y.Parts && x.Last == y.Last
}

// drawOperation draws any operation that the format carries, sensible or not.
func drawOperation(t *rapid.T) ledger.Operation {
	text := func(name string) []byte {
		return rapid.OneOf(
			rapid.SliceOfN(rapid.Byte(), 0, 20),
			rapid.SliceOfN(rapid.Byte(), 0, MaxText),
			rapid.Just([]byte(sampleUUID)),
			rapid.Just([]byte("0198C1F2-7e4a-7bcd-8123-456789abcdef")),
			rapid.Just([]byte("0198c1f2-7e4a-7bcd-8123-456789abcde-")),
		).Draw(t, name)
	}
	op := ledger.Operation{
		Kind: rapid.SampledFrom([]ledger.Kind{
			ledger.KindCredit, ledger.KindDebit, ledger.KindTransfer, ledger.KindCreateLedger, ledger.KindCreateAccount,
			ledger.KindSetLimits, ledger.KindSetFrozen, ledger.KindCloseAccount,
			ledger.KindHold, ledger.KindCapture, ledger.KindVoid, ledger.KindExtend, ledger.KindUpTo, ledger.KindReverse, ledger.KindSetVelocity,
			ledger.KindSetLowBalance, ledger.KindSetTopUp, ledger.KindLeaseTopUp, ledger.KindSettleTopUp,
		}).Draw(t, "kind"),
		ID: text("id"), Attempt: rapid.Uint32().Draw(t, "attempt"), Linked: rapid.Bool().Draw(t, "linked"),
		IssuedAt: rapid.Int64().Draw(t, "issued"), EventTime: rapid.Int64().Draw(t, "event"), Code: rapid.Uint32().Draw(t, "code"),
		Reference: text("reference"), Debit: text("debit"), Credit: text("credit"), Amount: rapid.Int64().Draw(t, "amount"),
		Ledger: text("ledger"), Asset: text("asset"), Scale: rapid.Byte().Draw(t, "scale"),
		HasFloor: rapid.Bool().Draw(t, "has floor"), HasCeiling: rapid.Bool().Draw(t, "has ceiling"), NoCeiling: rapid.Bool().Draw(t, "no ceiling"),
		Frozen: rapid.Bool().Draw(t, "frozen"), FrozenCredits: rapid.Bool().Draw(t, "credits too"),
		Hold: text("hold"), Timeout: rapid.Int64().Draw(t, "timeout"), Parts: rapid.Bool().Draw(t, "parts"), Last: rapid.Bool().Draw(t, "last"),
		IfVersion: rapid.Uint64().Draw(t, "version"), Entry: rapid.Uint64().Draw(t, "entry"),
	}
	if rapid.Bool().Draw(t, "with an original") {
		op.Original = ledger.Original{
			Kind: ledger.EntryKind(rapid.Byte().Draw(t, "of kind")), Debit: rapid.Uint32().Draw(t, "slot"), Amount: rapid.Int64().Draw(t, "moved"),
		}
	}
	if rapid.Bool().Draw(t, "with caps") {
		op.Caps[1] = ledger.Cap{Window: rapid.Int64().Draw(t, "window"), Limit: rapid.Int64().Draw(t, "limit")}
	}
	if rapid.Bool().Draw(t, "with a top-up") {
		op.TopUp = &ledger.TopUpFields{
			Off: rapid.Bool().Draw(t, "off"), Threshold: rapid.Int64().Draw(t, "threshold"), Target: 1, BackOff: rapid.Int64().Draw(t, "back-off"),
			KeyLifetime: rapid.Int64().Draw(t, "lifetime"), Payment: text("payment"), ID: text("top-up"),
			Outcome: ledger.TopUpOutcome(rapid.Byte().Draw(t, "outcome")), Lease: rapid.Uint32().Draw(t, "lease"),
		}
	}
	if op.HasFloor {
		op.Floor = rapid.Int64().Draw(t, "floor")
	}
	if op.HasCeiling {
		op.Ceiling = rapid.Int64().Draw(t, "ceiling")
	}
	return op
}
