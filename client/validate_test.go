package client

import (
	"errors"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/ballastdb/ballast/fsm/ledger"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// What the client lets pass, the servers do too, and the reverse: otherwise one caller's bad field fails a request that
// others share, or a good operation cannot be sent.
func TestValidatesLikeTheServers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		op := drawOperation(t)
		ours := validate(op)
		theirs := ledger.Validate(toLedger(op))
		if (ours == nil) != (theirs == nil) {
			t.Fatalf("client: %v; servers: %v; operation: %v", ours, theirs, op)
		}
		if ours != nil && !errors.Is(ours, ErrInvalid) {
			t.Fatalf("%v is not ErrInvalid", ours)
		}
	})
}

func TestBoundsAreTheServers(t *testing.T) {
	if maxGroup != ledger.MaxGroup || maxOperations != ledger.MaxBatch {
		t.Errorf("groups %d, operations %d; want %d, %d", maxGroup, maxOperations, ledger.MaxGroup, ledger.MaxBatch)
	}
}

func drawText(t *rapid.T, label string, limit int) string {
	return rapid.OneOf(
		rapid.SampledFrom([]string{"", "alice", "@usd/credits", "a\x00b", "\x7f", "a\u0085", "é", "\xff", "a b", "UPPER", "usd-1_x.y", "a\u00adb", "日本"}),
		rapid.Map(rapid.IntRange(limit-1, limit+1), func(n int) string { return strings.Repeat("x", n) }),
	).Draw(t, label)
}

func drawUnits(t *rapid.T, label string) int64 {
	return rapid.SampledFrom([]int64{-1 << 63, -100, -1, 0, 1, 100, 1<<63 - 1}).Draw(t, label)
}

func drawOptionalUnits(t *rapid.T, label string) *int64 {
	if rapid.Bool().Draw(t, label+" present") {
		return proto.Int64(drawUnits(t, label))
	}
	return nil
}

// drawOperation draws one that is right but for at most a few fields near their bounds.
func drawOperation(t *rapid.T) *ballastv1.Operation {
	op := &ballastv1.Operation{Id: "id", IssuedAt: 1}
	if rapid.IntRange(0, 3).Draw(t, "envelope") == 0 {
		op.Id, op.Reference = drawText(t, "id", 64), drawText(t, "reference", 64)
		op.IssuedAt = drawUnits(t, "issued_at")
	}
	account := func(label string) string {
		if rapid.Bool().Draw(t, label+" plain") {
			return label
		}
		return drawText(t, label, 64)
	}
	ledgerName := func() string {
		if rapid.Bool().Draw(t, "ledger plain") {
			return "usd"
		}
		return drawText(t, "ledger", 32)
	}
	amount := func() int64 { return drawUnits(t, "amount") }
	timeout := func() time.Duration { return time.Duration(drawUnits(t, "timeout")) }
	switch rapid.IntRange(0, 16).Draw(t, "kind") {
	case 0:
		op.Kind = NewCredit(account("a"), amount()).Kind
	case 1:
		op.Kind = NewDebit(account("a"), amount()).Kind
	case 2:
		op.Kind = NewTransfer(account("a"), account("b"), amount()).Kind
	case 3:
		op.Kind = NewCreateLedger(ledgerName(), drawText(t, "asset", 16), rapid.Uint32Range(0, 20).Draw(t, "scale")).Kind
	case 4:
		op.Kind = NewCreateAccount(account("a"), ledgerName(), Limits{Floor: drawOptionalUnits(t, "floor"), Ceiling: drawOptionalUnits(t, "ceiling")}).Kind
	case 5:
		op.Kind = NewSetLimits(account("a"), Limits{
			Floor: drawOptionalUnits(t, "floor"), Ceiling: drawOptionalUnits(t, "ceiling"), NoCeiling: rapid.Bool().Draw(t, "no ceiling"),
		}).Kind
	case 6:
		op.Kind = &ballastv1.Operation_SetFrozen{SetFrozen: &ballastv1.SetFrozen{
			Account: account("a"), Frozen: rapid.Bool().Draw(t, "frozen"), CreditsToo: rapid.Bool().Draw(t, "credits too"),
		}}
	case 7:
		op.Kind = NewCloseAccount(account("a")).Kind
	case 12:
		var caps []Cap
		for range rapid.IntRange(0, 2).Draw(t, "caps") { // more do not fit the ledger's operation
			caps = append(caps, Cap{time.Duration(rapid.SampledFrom([]int64{-1, 1, minCapWindow - 1, minCapWindow, maxCapWindow, maxCapWindow + 1}).Draw(t, "window")), drawUnits(t, "limit")})
		}
		op.Kind = NewSetVelocity(account("a"), caps).Kind
	case 13:
		to := ""
		if rapid.Bool().Draw(t, "to an account") {
			to = account("b")
		}
		op.Kind = NewTransferUpTo(account("a"), to, amount()).Kind
	case 16:
		op.Kind = NewSetLowBalance(account("a"), amount()).Kind
	case 14:
		op.Kind = NewReverse(rapid.Uint64Range(0, 2).Draw(t, "sequence"), amount()).Kind
	case 8:
		op.Kind = NewHold(account("a"), rapid.Int64Range(-1, 5).Draw(t, "amount"), HoldTerms{Timeout: timeout(), InParts: rapid.Bool().Draw(t, "parts")}).Kind
	case 9:
		capture := Capture{Amount: rapid.Int64Range(-1, 5).Draw(t, "amount"), Last: rapid.Bool().Draw(t, "last")}
		if rapid.Bool().Draw(t, "to an account") {
			capture.To = account("to")
		}
		op.Kind = NewCaptureHold(account("hold"), capture).Kind
	case 10:
		op.Kind = NewVoidHold(account("hold")).Kind
	case 11:
		op.Kind = NewExtendHold(account("hold"), timeout()).Kind
	}
	if rapid.IntRange(0, 3).Draw(t, "conditional") == 0 {
		op.IfVersion = 7
	}
	return op
}

// toLedger flattens an operation as the servers do.
func toLedger(op *ballastv1.Operation) *ledger.Operation {
	flat := &ledger.Operation{
		ID: []byte(op.GetId()), Attempt: max(op.GetAttempt(), 1), IssuedAt: op.GetIssuedAt(), EventTime: op.GetEventTime(),
		Code: op.GetCode(), Reference: []byte(op.GetReference()), Linked: op.GetLinked(), IfVersion: op.GetIfVersion(),
	}
	switch k := op.GetKind().(type) {
	case *ballastv1.Operation_Credit:
		flat.Kind, flat.Credit, flat.Amount = ledger.KindCredit, []byte(k.Credit.GetAccount()), k.Credit.GetAmount()
	case *ballastv1.Operation_Debit:
		flat.Kind, flat.Debit, flat.Amount = ledger.KindDebit, []byte(k.Debit.GetAccount()), k.Debit.GetAmount()
	case *ballastv1.Operation_Transfer:
		flat.Kind, flat.Amount = ledger.KindTransfer, k.Transfer.GetAmount()
		flat.Debit, flat.Credit = []byte(k.Transfer.GetDebitAccount()), []byte(k.Transfer.GetCreditAccount())
	case *ballastv1.Operation_CreateLedger:
		flat.Kind, flat.Ledger, flat.Asset = ledger.KindCreateLedger, []byte(k.CreateLedger.GetName()), []byte(k.CreateLedger.GetAsset())
		flat.Scale = uint8(k.CreateLedger.GetScale())
	case *ballastv1.Operation_CreateAccount:
		flat.Kind, flat.Credit, flat.Ledger = ledger.KindCreateAccount, []byte(k.CreateAccount.GetAccount()), []byte(k.CreateAccount.GetLedger())
		flat.HasFloor, flat.Floor = true, k.CreateAccount.GetFloor()
		flat.HasCeiling, flat.Ceiling = k.CreateAccount.Ceiling != nil, k.CreateAccount.GetCeiling()
	case *ballastv1.Operation_SetLimits:
		flat.Kind, flat.Credit = ledger.KindSetLimits, []byte(k.SetLimits.GetAccount())
		flat.HasFloor, flat.Floor = k.SetLimits.Floor != nil, k.SetLimits.GetFloor()
		flat.HasCeiling, flat.Ceiling = k.SetLimits.Ceiling != nil, k.SetLimits.GetCeiling()
		flat.NoCeiling = k.SetLimits.GetNoCeiling()
	case *ballastv1.Operation_SetFrozen:
		flat.Kind, flat.Credit = ledger.KindSetFrozen, []byte(k.SetFrozen.GetAccount())
		flat.Frozen, flat.FrozenCredits = k.SetFrozen.GetFrozen(), k.SetFrozen.GetCreditsToo()
	case *ballastv1.Operation_CloseAccount:
		flat.Kind, flat.Credit = ledger.KindCloseAccount, []byte(k.CloseAccount.GetAccount())
	case *ballastv1.Operation_SetVelocity:
		flat.Kind, flat.Credit = ledger.KindSetVelocity, []byte(k.SetVelocity.GetAccount())
		for i, c := range k.SetVelocity.GetCaps() {
			flat.Caps[i] = ledger.Cap{Window: c.GetWindow(), Limit: c.GetLimit()}
		}
	case *ballastv1.Operation_SetLowBalance:
		flat.Kind, flat.Credit, flat.Amount = ledger.KindSetLowBalance, []byte(k.SetLowBalance.GetAccount()), k.SetLowBalance.GetThreshold()
	case *ballastv1.Operation_TransferUpTo:
		flat.Kind, flat.Amount = ledger.KindUpTo, k.TransferUpTo.GetAmount()
		flat.Debit, flat.Credit = []byte(k.TransferUpTo.GetDebitAccount()), []byte(k.TransferUpTo.GetCreditAccount())
	case *ballastv1.Operation_Reverse:
		flat.Kind, flat.Entry, flat.Amount = ledger.KindReverse, k.Reverse.GetSequence(), k.Reverse.GetAmount()
	case *ballastv1.Operation_Hold:
		flat.Kind, flat.Debit, flat.Amount = ledger.KindHold, []byte(k.Hold.GetAccount()), k.Hold.GetAmount()
		flat.Timeout, flat.Parts = k.Hold.GetTimeout(), k.Hold.GetInParts()
	case *ballastv1.Operation_CaptureHold:
		flat.Kind, flat.Hold, flat.Amount = ledger.KindCapture, []byte(k.CaptureHold.GetHold()), k.CaptureHold.GetAmount()
		flat.Credit, flat.Last = []byte(k.CaptureHold.GetCreditAccount()), k.CaptureHold.GetLast()
	case *ballastv1.Operation_VoidHold:
		flat.Kind, flat.Hold = ledger.KindVoid, []byte(k.VoidHold.GetHold())
	case *ballastv1.Operation_ExtendHold:
		flat.Kind, flat.Hold, flat.Timeout = ledger.KindExtend, []byte(k.ExtendHold.GetHold()), k.ExtendHold.GetTimeout()
	}
	return flat
}

func TestPrepareKeepsCallsApart(t *testing.T) {
	c, err := New([]string{"127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	open := Group(NewCredit("a", 1), NewCredit("b", 1))
	open[1].Linked = true
	twice := []*ballastv1.Operation{NewCredit("a", 1, WithID(NewID())), NewCredit("b", 1)}
	twice[1].Id = twice[0].Id
	var long []*ballastv1.Operation
	for range maxGroup + 1 {
		long = append(long, NewCredit("a", 1))
	}
	for name, bad := range map[string][]*ballastv1.Operation{
		"none":                 nil,
		"nil":                  {nil},
		"group left open":      open,
		"one linked":           {{Id: NewID(), Linked: true, Kind: NewCredit("a", 1).Kind}},
		"id twice":             twice,
		"group too long":       Group(long...),
		"id that has no time":  {NewCredit("a", 1, WithID("order-17"))},
		"second one is broken": {NewCredit("a", 1), NewCredit("a", 0)},
	} {
		if err := c.prepare(bad); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: got %v, want invalid", name, err)
		}
	}
	if err := c.prepare(append(Group(NewCredit("a", 1), NewCredit("b", 1)), NewDebit("c", 1))); err != nil {
		t.Error(err)
	}
}
