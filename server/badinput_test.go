package server

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/ballastdb/ballast/fsm/ledger"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// What is wrong in a text of each sort, and in a number of each sort.
var (
	badText    = []any{"a\x00b", "a\nb", "a\x7fb", "a\u0085b", "a\xffb", "\xed\xa0\x80"} // control characters; not UTF-8
	badID      = append([]any{"", strings.Repeat("x", ledger.MaxIDLen+1), strings.Repeat("é", ledger.MaxIDLen/2+1)}, badText...)
	badAccount = append([]any{"", strings.Repeat("x", ledger.MaxAccountLen+1), "@usd/credits"}, badText...)
	badLedger  = append([]any{"", strings.Repeat("x", ledger.MaxLedgerLen+1), "USD", "a b", "é"}, badText...)
	badAmount  = []any{int64(0), int64(-1), int64(math.MinInt64)}
	badPart    = []any{int64(-1), int64(math.MinInt64)} // 0: all of it
	badTimeout = []any{int64(0), int64(-1), int64(math.MinInt64), ledger.MaxHoldTimeout + 1, int64(math.MaxInt64)}
	badWindow  = []any{int64(0), int64(-1), ledger.MinCapWindow - 1, ledger.MaxCapWindow + 1, int64(math.MaxInt64)}
	badLease   = []any{int64(0), int64(-1), ledger.MinLease - 1, ledger.MaxLease + 1, int64(math.MaxInt64)}
	// anything: every value of the field's type is good.
	anything []any
)

// optional is what is wrong where the field may be left empty.
func optional(bad []any) []any {
	return slices.DeleteFunc(slices.Clone(bad), func(v any) bool { return v == "" })
}

// badFields has, for each field of an operation and of its kinds, the values that must be refused. A field that is missing here, or one
// here that is no field, fails the test: who adds one says what is wrong with it.
var badFields = map[string][]any{
	"Operation.id":         badID,
	"Operation.attempt":    anything,
	"Operation.issued_at":  {int64(0), int64(-1), int64(math.MinInt64), int64(math.MaxInt64)},
	"Operation.event_time": anything,
	"Operation.code":       anything,
	"Operation.reference":  optional(append([]any{strings.Repeat("x", ledger.MaxReferenceLen+1)}, badText...)),
	"Operation.linked":     {true}, // the group does not end
	"Operation.if_version": anything,

	"Credit.account": badAccount, "Credit.amount": badAmount,
	"Debit.account": badAccount, "Debit.amount": badAmount,
	"Transfer.debit_account": append([]any{"credit-account"}, badAccount...), "Transfer.credit_account": append([]any{"debit-account"}, badAccount...),
	"Transfer.amount":    badAmount,
	"CreateLedger.name":  badLedger,
	"CreateLedger.asset": append([]any{"", strings.Repeat("X", 17), "€"}, badText...), "CreateLedger.scale": {uint32(ledger.MaxScale + 1), uint32(256), uint32(math.MaxUint32)},
	"CreateAccount.account": badAccount, "CreateAccount.ledger": badLedger,
	"CreateAccount.floor": {int64(1), int64(math.MaxInt64)}, "CreateAccount.ceiling": {int64(-1), int64(math.MinInt64)},
	"SetLimits.account": badAccount, "SetLimits.floor": {int64(1), int64(math.MaxInt64)},
	"SetLimits.ceiling": {int64(-1), int64(math.MinInt64)}, "SetLimits.no_ceiling": {true}, // together with one
	"SetFrozen.account": badAccount, "SetFrozen.frozen": {false}, "SetFrozen.credits_too": anything, // thawing, credits too
	"CloseAccount.account": badAccount,
	"SetVelocity.account":  badAccount, "VelocityCap.window": badWindow, "VelocityCap.limit": badPart,
	"TransferUpTo.debit_account": append([]any{"credit-account"}, badAccount...), "TransferUpTo.credit_account": optional(append([]any{"debit-account"}, badAccount...)),
	"TransferUpTo.amount": badAmount,
	"Reverse.sequence":    {uint64(0)}, "Reverse.amount": badPart,
	"Hold.account": badAccount, "Hold.amount": badAmount, "Hold.timeout": badTimeout, "Hold.in_parts": anything,
	"CaptureHold.hold": badID, "CaptureHold.amount": badPart, "CaptureHold.credit_account": optional(badAccount), "CaptureHold.last": anything,
	"SetTopUpPolicy.account": badAccount, "SetTopUpPolicy.source_account": optional(append([]any{"account"}, badAccount...)),
	"SetTopUpPolicy.off":       {true},                                                                                        // together with others
	"SetTopUpPolicy.threshold": badAmount, "SetTopUpPolicy.amount": badAmount, "SetTopUpPolicy.target": {int64(1), int64(-1)}, // together with an amount
	"SetTopUpPolicy.back_off":          {int64(0), int64(-1), ledger.MinBackOff - 1, ledger.MaxBackOff + 1, int64(math.MaxInt64)},
	"SetTopUpPolicy.key_lifetime":      {int64(0), int64(-1), ledger.MinKeyLifetime - 1, ledger.MaxKeyLifetime + 1, int64(math.MaxInt64)},
	"SetTopUpPolicy.payment_reference": optional(append([]any{strings.Repeat("x", ledger.MaxPaymentLen+1)}, badText...)),
	"TopUpCount.window":                badWindow, "TopUpCount.limit": badAmount,
	"SetLowBalance.account": badAccount, "SetLowBalance.threshold": badPart,
	"LeaseTopUp.top_up": badID, "LeaseTopUp.timeout": badLease,
	"SettleTopUp.top_up": badID, "SettleTopUp.outcome": {protoreflect.EnumNumber(0), protoreflect.EnumNumber(4), protoreflect.EnumNumber(99), protoreflect.EnumNumber(-1)},
	"SettleTopUp.lease": anything,
	"VoidHold.hold":     badID,
	"ExtendHold.hold":   badID, "ExtendHold.timeout": badTimeout,
}

// goodFields are values that make an operation good where badFields need others beside them, and where a field's name does not say it.
var goodFields = map[string]any{
	"Operation.id": "id", "Operation.issued_at": time.Unix(1_800_000_000, 0).UnixNano(),
	"CreateLedger.name": "usd", "CreateLedger.asset": "USD", "CreateAccount.ledger": "usd",
	"SetLimits.ceiling": int64(7), "SetFrozen.frozen": true, "SetFrozen.credits_too": true,
	"SetTopUpPolicy.threshold": int64(10), "SetTopUpPolicy.back_off": int64(time.Hour), "SetTopUpPolicy.key_lifetime": int64(time.Hour),
	"TopUpCount.window": int64(time.Hour), "TopUpCount.limit": int64(3), "LeaseTopUp.timeout": int64(time.Minute), "SettleTopUp.outcome": protoreflect.EnumNumber(1),
	"VelocityCap.window": int64(time.Hour), "VelocityCap.limit": int64(7), "Reverse.sequence": uint64(1), "Hold.timeout": int64(time.Hour), "ExtendHold.timeout": int64(time.Hour),
}

func keyOf(fd protoreflect.FieldDescriptor) string {
	return string(fd.ContainingMessage().Name()) + "." + string(fd.Name())
}

// fillGood sets what an operation of this kind needs.
func fillGood(m protoreflect.Message) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		good, ok := goodFields[keyOf(fd)]
		switch name := string(fd.Name()); {
		case ok:
		case fd.IsList() && fd.Message() != nil:
			fillGood(m.Mutable(fd).List().AppendMutable().Message())
			continue
		case fd.Message() != nil && fd.ContainingOneof() == nil:
			fillGood(m.Mutable(fd).Message())
			continue
		case fd.Kind() == protoreflect.StringKind && fd.ContainingMessage().Name() != "Operation":
			good = strings.ReplaceAll(name, "_", "-")
		case name == "amount":
			good = int64(5)
		default:
			continue
		}
		m.Set(fd, protoreflect.ValueOf(good))
	}
}

// eachOperation calls do with a good operation of each kind.
func eachOperation(t *testing.T, do func(kind string, o *ballastv1.Operation)) {
	t.Helper()
	kinds := (&ballastv1.Operation{}).ProtoReflect().Descriptor().Oneofs().ByName("kind").Fields()
	for i := range kinds.Len() {
		o := &ballastv1.Operation{}
		fillGood(o.ProtoReflect())
		fillGood(o.ProtoReflect().Mutable(kinds.Get(i)).Message())
		if failure := refusedRequest(o); failure != nil {
			t.Fatalf("the good operation %s is refused: %v", kinds.Get(i).Name(), failure)
		}
		do(string(kinds.Get(i).Name()), o)
	}
}

// refusedRequest is why a request of these operations is refused; nil: it is proposed.
func refusedRequest(operations ...*ballastv1.Operation) *Failure {
	latest := time.Unix(1_800_000_000, 0).Add(time.Hour).UnixNano()
	_, failure := encodeRequest(operations, admission{
		latest: latest, later: func() int64 { return latest },
		original: func(uint64) (ledger.Original, error) {
			return ledger.Original{Kind: ledger.EntryCredit, Amount: 5}, nil
		},
	})
	return failure
}

// eachField calls do with each field of a message and of what it contains, as it lies in m.
func eachField(m protoreflect.Message, do func(m protoreflect.Message, fd protoreflect.FieldDescriptor)) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		switch fd := fields.Get(i); {
		case fd.IsList() && fd.Message() != nil:
			for j := range m.Get(fd).List().Len() {
				eachField(m.Get(fd).List().Get(j).Message(), do)
			}
		case fd.Message() != nil:
			if m.Has(fd) {
				eachField(m.Get(fd).Message(), do)
			}
		default:
			do(m, fd)
		}
	}
}

// TestBadInputOfEveryField: each bad value of each field of each kind of operation is refused before anything is proposed, and the
// field is named.
func TestBadInputOfEveryField(t *testing.T) {
	met := map[string]bool{}
	eachOperation(t, func(kind string, good *ballastv1.Operation) {
		eachField(good.ProtoReflect(), func(_ protoreflect.Message, fd protoreflect.FieldDescriptor) {
			key := keyOf(fd)
			met[key] = true
			bad, listed := badFields[key]
			if !listed {
				t.Errorf("%s has no row in badFields: say which values of it must be refused", key)
			}
			for _, value := range bad {
				o := proto.Clone(good).(*ballastv1.Operation)
				eachField(o.ProtoReflect(), func(m protoreflect.Message, of protoreflect.FieldDescriptor) {
					if keyOf(of) == key {
						m.Set(of, protoreflect.ValueOf(value))
					}
				})
				wantNamed(t, fmt.Sprintf("%s: %s %q", kind, key, fmt.Sprint(value)), refusedRequest(o), key)
			}
		})
	})
	for key := range badFields {
		if !met[key] {
			t.Errorf("%s is in badFields, and no operation has it", key)
		}
	}
}

// wantNamed wants a failure that did nothing and names the field, or the one that belongs to it.
func wantNamed(t *testing.T, what string, failure *Failure, key string) {
	t.Helper()
	if failure == nil {
		t.Errorf("%s is taken", what)
		return
	}
	name := key[strings.Index(key, ".")+1:]
	names := map[string]string{
		"Transfer.debit_account": "_account", "TransferUpTo.debit_account": "_account", // either is named where both are one
		"SetLimits.no_ceiling": "ceiling", "SetFrozen.frozen": "credits_too", "VelocityCap.window": "cap", "VelocityCap.limit": "cap",
		"TopUpCount.window": "count_cap", "TopUpCount.limit": "count_cap", "SetTopUpPolicy.amount": "", "SetTopUpPolicy.off": "",
		"Reverse.sequence": "entry", "CreateLedger.name": "ledger",
	}
	if other, ok := names[key]; ok {
		name = other
	}
	if failure.Code != codes.InvalidArgument || failure.Outcome != ballastv1.Outcome_OUTCOME_NOT_DONE || !strings.Contains(failure.Message, "operations[0]") || !strings.Contains(failure.Message, name) {
		t.Errorf("%s: %v (%v), want one that names %s", what, failure, failure.Code, name)
	}
}

// TestBadRequests: what is wrong with a request as a whole.
func TestBadRequests(t *testing.T) {
	many := func(n int) (list []*ballastv1.Operation) {
		for i := range n {
			list = append(list, credit(fmt.Sprint("id", i), "alice", 1))
		}
		return list
	}
	linked := func(list []*ballastv1.Operation) []*ballastv1.Operation {
		for _, o := range list[:len(list)-1] {
			o.Linked = true
		}
		return list
	}
	twice := many(100)
	twice[99].Id = twice[7].Id
	of := func(kind any) []*ballastv1.Operation { return []*ballastv1.Operation{op("x", kind)} }
	day := &ballastv1.VelocityCap{Window: int64(24 * time.Hour)}
	for _, c := range []struct {
		what string
		ops  []*ballastv1.Operation
		says string
	}{
		{"none", nil, "operations: want 1 to 8000, found 0"},
		{"one too many", many(ledger.MaxBatch + 1), "operations: want 1 to 8000, found 8001"},
		{"ten thousand too many", many(ledger.MaxBatch + 10_000), "operations: want 1 to 8000, found 18000"},
		{"an id twice", twice, `operations[99].id`},
		{"a group too long", linked(many(ledger.MaxGroup + 1)), "at most 1000 operations in a group"},
		{"a group that does not end", func() []*ballastv1.Operation { l := many(3); l[2].Linked = true; return l }(), "the group does not end"},
		{"no operation", []*ballastv1.Operation{nil}, "operations[0]"},
		{"no kind", []*ballastv1.Operation{{Id: "x", IssuedAt: 1}}, "operations[0].kind"},
		{"an empty kind", []*ballastv1.Operation{{Id: "x", IssuedAt: 1, Kind: &ballastv1.Operation_Credit{}}}, "operations[0].account"},
		{"no limits", of(&ballastv1.SetLimits{Account: "a"}), "operations[0].floor"},
		{"a version of what is created", func() []*ballastv1.Operation {
			l := of(&ballastv1.CreateAccount{Account: "a", Ledger: "usd"})
			l[0].IfVersion = 1
			return l
		}(), "operations[0].if_version"},
		{"three caps", of(&ballastv1.SetVelocity{Account: "a", Caps: []*ballastv1.VelocityCap{day, day, day}}), "operations[0].caps"},
		{"two caps of a window", of(&ballastv1.SetVelocity{Account: "a", Caps: []*ballastv1.VelocityCap{day, day}}), "operations[0].caps"},
		{"a cap that is none", of(&ballastv1.SetVelocity{Account: "a", Caps: []*ballastv1.VelocityCap{nil}}), "operations[0].caps"},
	} {
		failure := refusedRequest(c.ops...)
		if failure == nil || failure.Code != codes.InvalidArgument || !strings.Contains(failure.Message, c.says) {
			t.Errorf("%s: %v, want %q", c.what, failure, c.says)
		}
	}
}
