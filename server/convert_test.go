package server

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/ballastdb/ballast/fsm"
	"github.com/ballastdb/ballast/fsm/ledger"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// back converts a ledger operation to the wire again, for comparison only.
func back(o *ledger.Operation) *ballastv1.Operation {
	limit := func(has bool, v int64) *int64 {
		if !has {
			return nil
		}
		return &v
	}
	p := op(string(o.ID), kindBack(o, limit))
	p.Attempt, p.IssuedAt, p.EventTime = o.Attempt, o.IssuedAt, o.EventTime
	p.IfVersion = o.IfVersion
	p.Code, p.Reference, p.Linked = o.Code, string(o.Reference), o.Linked
	return p
}

func kindBack(o *ledger.Operation, limit func(bool, int64) *int64) any {
	debit, credit, name := string(o.Debit), string(o.Credit), string(o.Ledger)
	switch o.Kind {
	case ledger.KindCredit:
		return &ballastv1.Credit{Account: credit, Amount: o.Amount}
	case ledger.KindDebit:
		return &ballastv1.Debit{Account: debit, Amount: o.Amount}
	case ledger.KindTransfer:
		return &ballastv1.Transfer{DebitAccount: debit, CreditAccount: credit, Amount: o.Amount}
	case ledger.KindCreateLedger:
		return &ballastv1.CreateLedger{Name: name, Asset: string(o.Asset), Scale: uint32(o.Scale)}
	case ledger.KindCreateAccount:
		return &ballastv1.CreateAccount{Account: credit, Ledger: name, Floor: o.Floor, Ceiling: limit(o.HasCeiling, o.Ceiling)}
	case ledger.KindSetLimits:
		return &ballastv1.SetLimits{
			Account: credit, Floor: limit(o.HasFloor, o.Floor), Ceiling: limit(o.HasCeiling, o.Ceiling), NoCeiling: o.NoCeiling,
		}
	case ledger.KindSetFrozen:
		return &ballastv1.SetFrozen{Account: credit, Frozen: o.Frozen, CreditsToo: o.FrozenCredits}
	case ledger.KindCloseAccount:
		return &ballastv1.CloseAccount{Account: credit}
	case ledger.KindSetVelocity:
		v := &ballastv1.SetVelocity{Account: credit}
		for _, c := range o.Caps {
			if c.Window != 0 {
				v.Caps = append(v.Caps, capProto(c))
			}
		}
		return v
	case ledger.KindSetLowBalance:
		return &ballastv1.SetLowBalance{Account: credit, Threshold: o.Amount}
	case ledger.KindUpTo:
		return &ballastv1.TransferUpTo{DebitAccount: debit, CreditAccount: credit, Amount: o.Amount}
	case ledger.KindReverse:
		return &ballastv1.Reverse{Sequence: o.Entry, Amount: o.Amount}
	case ledger.KindHold:
		return &ballastv1.Hold{Account: debit, Amount: o.Amount, Timeout: o.Timeout, InParts: o.Parts}
	case ledger.KindCapture:
		return &ballastv1.CaptureHold{Hold: string(o.Hold), Amount: o.Amount, CreditAccount: credit, Last: o.Last}
	case ledger.KindVoid:
		return &ballastv1.VoidHold{Hold: string(o.Hold)}
	case ledger.KindExtend:
		return &ballastv1.ExtendHold{Hold: string(o.Hold), Timeout: o.Timeout}
	}
	return topUpKindOf(o)
}

func topUpKindOf(o *ledger.Operation) any {
	f := o.TopUp
	switch o.Kind {
	case ledger.KindSetTopUp:
		p := &ballastv1.SetTopUpPolicy{
			Account: string(o.Credit), SourceAccount: string(o.Debit), Amount: o.Amount, Off: f.Off, Threshold: f.Threshold, Target: f.Target,
			BackOff: f.BackOff, KeyLifetime: f.KeyLifetime, PaymentReference: string(f.Payment),
		}
		if c := o.Caps[0]; c.Window != 0 {
			p.CountCap = &ballastv1.TopUpCount{Window: c.Window, Limit: c.Limit}
		}
		if c := o.Caps[1]; c.Window != 0 {
			p.SumCap = capProto(c)
		}
		return p
	case ledger.KindLeaseTopUp:
		return &ballastv1.LeaseTopUp{TopUp: string(f.ID), Timeout: o.Timeout}
	case ledger.KindSettleTopUp:
		return &ballastv1.SettleTopUp{TopUp: string(f.ID), Outcome: ballastv1.TopUpOutcome(f.Outcome), Lease: f.Lease}
	}
	return nil
}

// setEach calls check with copies of m that each have one more field set than m.
func setEach(m proto.Message, check func(field string, with proto.Message)) {
	fields := m.ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		if fd.Message() != nil {
			continue
		}
		with := proto.Clone(m)
		with.ProtoReflect().Set(fd, valueOf(fd))
		check(string(fd.Name()), with)
	}
}

// valueOf is a value that is valid for a field and differs from its default.
func valueOf(fd protoreflect.FieldDescriptor) protoreflect.Value {
	switch fd.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(true)
	case protoreflect.StringKind:
		return protoreflect.ValueOfString("set-" + strings.ReplaceAll(string(fd.Name()), "_", "-")[:1])
	case protoreflect.Uint32Kind:
		return protoreflect.ValueOfUint32(7)
	case protoreflect.Uint64Kind:
		return protoreflect.ValueOfUint64(7)
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(2)
	default:
		switch fd.Name() {
		case "floor":
			return protoreflect.ValueOfInt64(-7)
		case "timeout", "back_off", "key_lifetime":
			return protoreflect.ValueOfInt64(int64(7 * time.Minute))
		}
		return protoreflect.ValueOfInt64(7)
	}
}

// Every field of every kind of operation arrives in the ledger's operation: what comes back is what was sent.
func TestOperationConversionIsComplete(t *testing.T) {
	moved := ledger.Original{Kind: ledger.EntryCredit, Credit: 2, Amount: 9}
	reader := operationReader{original: func(uint64) (ledger.Original, error) { return moved, nil }}
	check := func(name string, p *ballastv1.Operation) {
		t.Helper()
		if strings.HasPrefix(name, "create_") && strings.HasSuffix(name, ".if_version") {
			return // there is no version before it is created
		}
		switch name { // what goes without another field
		case "set_top_up_policy.off":
			p = op("id", &ballastv1.SetTopUpPolicy{Account: "x", Off: true})
		case "set_top_up_policy.target":
			p.GetSetTopUpPolicy().Amount = 0
		}
		o, err := reader.read(p)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		if (o.Kind == ledger.KindReverse) != (o.Original == moved) {
			t.Errorf("%s: the original is %+v", name, o.Original)
		}
		if got := back(o); !proto.Equal(got, p) {
			t.Errorf("%s: sent %v, the ledger has %v", name, p, got)
		}
	}
	kinds := (&ballastv1.Operation{}).ProtoReflect().Descriptor().Oneofs().ByName("kind").Fields()
	valid := map[protoreflect.Name]any{
		"credit": &ballastv1.Credit{Account: "x", Amount: 1}, "debit": &ballastv1.Debit{Account: "x", Amount: 1},
		"transfer":       &ballastv1.Transfer{DebitAccount: "x", CreditAccount: "y", Amount: 1},
		"create_ledger":  &ballastv1.CreateLedger{Name: "x", Asset: "X"},
		"create_account": &ballastv1.CreateAccount{Account: "x", Ledger: "y"},
		"set_limits":     &ballastv1.SetLimits{Account: "x", Floor: new(int64)},
		"set_frozen":     &ballastv1.SetFrozen{Account: "x", Frozen: true},
		"close_account":  &ballastv1.CloseAccount{Account: "x"},
		"set_velocity": &ballastv1.SetVelocity{Account: "x", Caps: []*ballastv1.VelocityCap{
			{Window: ledger.MinCapWindow, Limit: 7}, {Window: ledger.MaxCapWindow},
		}},
		"set_low_balance": &ballastv1.SetLowBalance{Account: "x", Threshold: 1},
		"transfer_up_to":  &ballastv1.TransferUpTo{DebitAccount: "x", Amount: 1},
		"reverse":         &ballastv1.Reverse{Sequence: 5},
		"hold":            &ballastv1.Hold{Account: "x", Amount: 1, Timeout: 1},
		"capture_hold":    &ballastv1.CaptureHold{Hold: "x"},
		"void_hold":       &ballastv1.VoidHold{Hold: "x"},
		"extend_hold":     &ballastv1.ExtendHold{Hold: "x", Timeout: 1},
		"set_top_up_policy": &ballastv1.SetTopUpPolicy{
			Account: "x", Threshold: 1, Amount: 1, BackOff: ledger.MinBackOff, KeyLifetime: ledger.MinKeyLifetime,
			CountCap: &ballastv1.TopUpCount{Window: ledger.MinCapWindow, Limit: 1}, SumCap: &ballastv1.VelocityCap{Window: ledger.MaxCapWindow, Limit: 9},
		},
		"lease_top_up":  &ballastv1.LeaseTopUp{TopUp: "x", Timeout: ledger.MinLease},
		"settle_top_up": &ballastv1.SettleTopUp{TopUp: "x", Outcome: ballastv1.TopUpOutcome_TOP_UP_OUTCOME_DECLINED},
	}
	for i := range kinds.Len() {
		name := kinds.Get(i).Name()
		kind, ok := valid[name]
		if !ok {
			t.Errorf("kind %s is not converted, or not tested", name)
			continue
		}
		p := op("id", kind)
		setEach(p, func(field string, with proto.Message) { check(string(name)+"."+field, with.(*ballastv1.Operation)) })
		setEach(kind.(proto.Message), func(field string, with proto.Message) {
			check(string(name)+"."+field, op("id", with))
		})
	}
}

// fill gives every field of a struct a value that differs from zero.
func fill(v reflect.Value) {
	for i := range v.NumField() {
		switch f := v.Field(i); f.Kind() {
		case reflect.Struct:
			fill(f)
		case reflect.Array:
			for j := range f.Len() {
				fill(f.Index(j))
			}
		case reflect.Bool:
			f.SetBool(true)
		case reflect.String:
			f.SetString("text")
		case reflect.Int64:
			f.SetInt(int64(i + 1))
		case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
			f.SetUint(uint64(i + 1))
		case reflect.Slice:
			f.SetBytes([]byte("text"))
		case reflect.Pointer:
			f.Set(reflect.New(f.Type().Elem()))
			fill(f.Elem())
		}
	}
}

// Every field on the wire gets a value where the ledger's struct has them all.
func TestAnswersAreFilledCompletely(t *testing.T) {
	var (
		result  ledger.Result
		account ledger.Account
		info    ledger.LedgerInfo
		entry   fsm.StatementEntry
		hold    ledger.Hold
		topUp   ledger.TopUp
		policy  ledger.TopUpPolicy
	)
	for _, v := range []any{&result, &account, &info, &entry, &hold, &topUp, &policy} {
		fill(reflect.ValueOf(v).Elem())
	}
	result.Side = ledger.SideCredit
	entry.Policy.On, policy.On = false, false // an off that is set
	entries := &ballastv1.Entry{}             // what only entries of one kind have, of all kinds
	for entry.Kind = 1; entry.Kind <= ledger.EntryNewest; entry.Kind++ {
		proto.Merge(entries, entryProto(&entry))
	}
	told := policyResponse(&policy)
	told.State = &ballastv1.ReadState{}
	answer := submitResponse(Applied{Results: []ledger.Result{result}, LogTime: 1}, []*ballastv1.Operation{credit("c", "x", 1)}, nil)
	for _, m := range []proto.Message{
		answer, answer.GetResults()[0], accountProto(&account), ledgerProto(&info), entries, entries.GetHold(), entries.GetLimits(), entries.GetFreeze(), entries.GetLowBalance(),
		holdProto(&hold), capProto(entry.Caps[0]), entries.GetTopUp(), entries.GetTopUpPolicy(), topUpProto(&topUp), told, told.GetPolicy(),
	} {
		fields := m.ProtoReflect().Descriptor().Fields()
		for i := range fields.Len() {
			if !m.ProtoReflect().Has(fields.Get(i)) {
				t.Errorf("%s is left empty", fields.Get(i).FullName())
			}
		}
	}
}

// Codes and kinds of entries have the same numbers on both sides.
func TestCodesAreThoseOfTheWire(t *testing.T) {
	for code := ledger.CodeApplied; code <= ledger.CodeNewest; code++ {
		if _, ok := ballastv1.ResultCode_name[int32(code)]; !ok {
			t.Errorf("result code %d is not on the wire", code)
		}
	}
	if most := slices.Max(slices.Collect(maps.Keys(ballastv1.ResultCode_name))); most != int32(ledger.CodeNewest) {
		t.Errorf("the wire has codes up to %d, the ledger up to %d", most, ledger.CodeNewest)
	}
	if most := slices.Max(slices.Collect(maps.Keys(ballastv1.EntryKind_name))); most != int32(ledger.EntryNewest) {
		t.Errorf("the wire has kinds of entries up to %d, the ledger up to %d", most, ledger.EntryNewest)
	}
}

func TestAccountOfEachSide(t *testing.T) {
	move := op("t", &ballastv1.Transfer{DebitAccount: "from", CreditAccount: "to", Amount: 1})
	for _, c := range []struct {
		p    *ballastv1.Operation
		side ledger.Side
		want string
	}{
		{move, ledger.SideDebit, "from"},
		{move, ledger.SideCredit, "to"},
		{move, ledger.SideNone, ""},
		{debit("d", "x", 1), ledger.SideDebit, "x"},
		{credit("c", "x", 1), ledger.SideCredit, "x"},
		{op("o", &ballastv1.CreateAccount{Account: "x"}), ledger.SideCredit, "x"},
		{op("o", &ballastv1.SetLimits{Account: "x"}), ledger.SideCredit, "x"},
		{op("o", &ballastv1.SetFrozen{Account: "x"}), ledger.SideCredit, "x"},
		{op("o", &ballastv1.CloseAccount{Account: "x"}), ledger.SideCredit, "x"},
		{op("o", &ballastv1.Hold{Account: "x"}), ledger.SideDebit, "x"},
		{op("o", &ballastv1.CaptureHold{CreditAccount: "x"}), ledger.SideCredit, "x"},
		{op("o", &ballastv1.CaptureHold{CreditAccount: "x"}), ledger.SideDebit, ""},
	} {
		if got := accountOn(c.p, c.side); got != c.want {
			t.Errorf("side %d of %v is %q, want %q", c.side, c.p, got, c.want)
		}
	}
}

func TestPageTokensComeBack(t *testing.T) {
	for _, c := range []ledger.HoldCursor{{}, {Before: 1}, {Before: 1 << 60, Slot: 1<<32 - 2}} {
		if got, ok := holdCursor(holdToken(c)); !ok || got != c {
			t.Errorf("token of %+v reads as %+v, %v", c, got, ok)
		}
	}
	for _, token := range []string{"x", pageToken("a"), strings.Repeat("A", 18), strings.Repeat("A", 1000)} {
		if got, ok := holdCursor(token); ok {
			t.Errorf("token %q reads as %+v", token, got)
		}
	}
	for _, place := range []uint64{0, 1, 1 << 40} {
		if got, ok := topUpPlace(topUpToken(place)); !ok || got != place {
			t.Errorf("token of %d reads as %d, %v", place, got, ok)
		}
	}
	for _, token := range []string{"x", pageToken("a"), strings.Repeat("A", 12), strings.Repeat("*", 12)} {
		if got, ok := topUpPlace(token); ok {
			t.Errorf("token %q reads as %d", token, got)
		}
	}
	for _, id := range []string{"a", strings.Repeat("ü", 32)} {
		if got, ok := afterPage(pageToken(id)); !ok || got != id {
			t.Errorf("token of %q reads as %q, %v", id, got, ok)
		}
	}
	for _, token := range []string{"x", "Yg", "****", strings.Repeat("A", 1000), pageToken("a") + "="} {
		if got, ok := afterPage(token); ok {
			t.Errorf("token %q reads as %q", token, got)
		}
	}
}
