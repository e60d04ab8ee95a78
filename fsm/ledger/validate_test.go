package ledger

import (
	"errors"
	"math"
	"strings"
	"testing"
	"unicode/utf8"
)

func validCredit() Operation {
	return Operation{ID: []byte("id"), Attempt: 1, IssuedAt: 1, Kind: KindCredit, Credit: []byte("alice"), Amount: 1}
}

func TestValidate(t *testing.T) {
	long := func(n int) []byte { return []byte(strings.Repeat("x", n)) }
	set := func(change func(op *Operation)) Operation {
		op := validCredit()
		change(&op)
		return op
	}
	as := func(k Kind, change func(op *Operation)) Operation {
		op := Operation{ID: []byte("id"), Attempt: 1, IssuedAt: 1, Kind: k}
		change(&op)
		return op
	}
	account := func(op *Operation) { op.Credit = []byte("alice") }
	hold := func(change func(op *Operation)) Operation {
		op := as(KindHold, func(op *Operation) { op.Debit, op.Amount, op.Timeout = []byte("alice"), 1, 1 })
		change(&op)
		return op
	}
	of := func(k Kind, change func(op *Operation)) Operation {
		op := as(k, func(op *Operation) { op.Hold = []byte("h") })
		change(&op)
		return op
	}
	policy := func(change func(op *Operation)) Operation {
		op := as(KindSetTopUp, func(op *Operation) {
			account(op)
			op.Amount = 20
			op.TopUp = &TopUpFields{Threshold: 1, BackOff: MinBackOff, KeyLifetime: MinKeyLifetime}
		})
		change(&op)
		return op
	}
	topUp := func(k Kind, change func(op *Operation)) Operation {
		op := as(k, func(op *Operation) {
			op.TopUp = &TopUpFields{ID: []byte("t")}
			if k == KindLeaseTopUp {
				op.Timeout = MinLease
			} else {
				op.TopUp.Outcome = OutcomeUnknown
			}
		})
		change(&op)
		return op
	}
	for _, tc := range []struct {
		name, field string // the field at fault, "" for valid
		op          Operation
	}{
		{"policy", "", policy(func(*Operation) {})},
		{"largest policy", "", policy(func(op *Operation) {
			op.Amount, op.Debit, op.Caps = math.MaxInt64, long(64), [MaxCaps]Cap{{MaxCapWindow, math.MaxInt64}, {MaxCapWindow, math.MaxInt64}}
			op.TopUp = &TopUpFields{Threshold: math.MaxInt64, BackOff: MaxBackOff, KeyLifetime: MaxKeyLifetime, Payment: long(64)}
		})},
		{"policy with a target", "", policy(func(op *Operation) { op.Amount, op.TopUp.Target = 0, 1 })},
		{"policy taken away", "", policy(func(op *Operation) { op.Amount, op.TopUp = 0, &TopUpFields{Off: true} })},
		{"policy taken away with an amount", "kind", policy(func(op *Operation) { op.TopUp = &TopUpFields{Off: true} })},
		{"policy taken away with a threshold", "kind", policy(func(op *Operation) { op.Amount, op.TopUp = 0, &TopUpFields{Off: true, Threshold: 1} })},
		{"policy of nobody", "account", policy(func(op *Operation) { op.Credit = nil })},
		{"policy without terms", "threshold", policy(func(op *Operation) { op.TopUp = nil })},
		{"policy with a threshold of 0", "threshold", policy(func(op *Operation) { op.TopUp.Threshold = 0 })},
		{"policy with a threshold below 0", "threshold", policy(func(op *Operation) { op.TopUp.Threshold = -1 })},
		{"policy from the account itself", "source_account", policy(func(op *Operation) { op.Debit = op.Credit })},
		{"policy from a system account", "source_account", policy(func(op *Operation) { op.Debit = []byte("@usd/credits") })},
		{"policy with neither amount nor target", "target", policy(func(op *Operation) { op.Amount = 0 })},
		{"policy with amount and target", "target", policy(func(op *Operation) { op.TopUp.Target = 5 })},
		{"policy with an amount below 0", "target", policy(func(op *Operation) { op.Amount = -1 })},
		{"policy with a target below the threshold", "target", policy(func(op *Operation) { op.Amount, op.TopUp.Target, op.TopUp.Threshold = 0, 5, 6 })},
		{"policy with a short back-off", "back_off", policy(func(op *Operation) { op.TopUp.BackOff-- })},
		{"policy with a long back-off", "back_off", policy(func(op *Operation) { op.TopUp.BackOff = MaxBackOff + 1 })},
		{"policy with a short lifetime", "key_lifetime", policy(func(op *Operation) { op.TopUp.KeyLifetime-- })},
		{"policy with a long lifetime", "key_lifetime", policy(func(op *Operation) { op.TopUp.KeyLifetime = MaxKeyLifetime + 1 })},
		{"policy with a long payment", "payment_reference", policy(func(op *Operation) { op.TopUp.Payment = long(65) })},
		{"policy with a payment not UTF-8", "payment_reference", policy(func(op *Operation) { op.TopUp.Payment = []byte("\xff") })},
		{"policy with a count of 0", "count_cap", policy(func(op *Operation) { op.Caps[0] = Cap{MinCapWindow, 0} })},
		{"policy with a count without a window", "count_cap", policy(func(op *Operation) { op.Caps[0] = Cap{0, 1} })},
		{"policy with a count in a short window", "count_cap", policy(func(op *Operation) { op.Caps[0] = Cap{MinCapWindow - 1, 1} })},
		{"policy with a sum below the amount", "sum_cap", policy(func(op *Operation) { op.Caps[1] = Cap{MinCapWindow, 19} })},
		{"policy with a sum of 0", "sum_cap", policy(func(op *Operation) { op.Amount, op.TopUp.Target, op.Caps[1] = 0, 1, Cap{MinCapWindow, 0} })},
		{"policy with a top-up", "kind", policy(func(op *Operation) { op.TopUp.ID = []byte("t") })},
		{"policy with a timeout", "kind", policy(func(op *Operation) { op.Timeout = 1 })},
		{"policy with a floor", "kind", policy(func(op *Operation) { op.HasFloor = true })},
		{"lease", "", topUp(KindLeaseTopUp, func(*Operation) {})},
		{"lease of nothing", "top_up", topUp(KindLeaseTopUp, func(op *Operation) { op.TopUp = nil })},
		{"lease of a long id", "top_up", topUp(KindLeaseTopUp, func(op *Operation) { op.TopUp.ID = long(65) })},
		{"lease of an id with a line feed", "top_up", topUp(KindLeaseTopUp, func(op *Operation) { op.TopUp.ID = []byte("\n") })},
		{"lease for too short", "timeout", topUp(KindLeaseTopUp, func(op *Operation) { op.Timeout-- })},
		{"lease for too long", "timeout", topUp(KindLeaseTopUp, func(op *Operation) { op.Timeout = MaxLease + 1 })},
		{"lease with an outcome", "kind", topUp(KindLeaseTopUp, func(op *Operation) { op.TopUp.Outcome = OutcomeDeclined })},
		{"lease with an amount", "kind", topUp(KindLeaseTopUp, func(op *Operation) { op.Amount = 1 })},
		{"settle", "", topUp(KindSettleTopUp, func(op *Operation) { op.TopUp.Lease = 7 })},
		{"settle without an outcome", "outcome", topUp(KindSettleTopUp, func(op *Operation) { op.TopUp.Outcome = 0 })},
		{"settle with an outcome of later", "outcome", topUp(KindSettleTopUp, func(op *Operation) { op.TopUp.Outcome = 4 })},
		{"settle with a timeout", "kind", topUp(KindSettleTopUp, func(op *Operation) { op.Timeout = 1 })},
		{"settle with a threshold", "kind", topUp(KindSettleTopUp, func(op *Operation) { op.TopUp.Threshold = 1 })},
		{"settle with caps", "kind", topUp(KindSettleTopUp, func(op *Operation) { op.Caps[0] = Cap{MinCapWindow, 1} })},
		{"credit with a top-up", "kind", set(func(op *Operation) { op.TopUp = &TopUpFields{} })},
		{"plain", "", validCredit()},
		{"largest", "", set(func(op *Operation) {
			op.ID, op.Credit, op.Reference, op.Amount, op.Attempt, op.IssuedAt = long(64), long(64), long(64), math.MaxInt64, math.MaxUint32, math.MaxInt64
		})},
		{"no id", "id", set(func(op *Operation) { op.ID = nil })},
		{"id too long", "id", set(func(op *Operation) { op.ID = long(65) })},
		{"id with a line feed", "id", set(func(op *Operation) { op.ID = []byte("a\nb") })},
		{"id not UTF-8", "id", set(func(op *Operation) { op.ID = []byte("a\xff") })},
		{"attempt 0", "attempt", set(func(op *Operation) { op.Attempt = 0 })},
		{"not stamped", "issued_at", set(func(op *Operation) { op.IssuedAt = 0 })},
		{"stamp below 0", "issued_at", set(func(op *Operation) { op.IssuedAt = -1 })},
		{"reference too long", "reference", set(func(op *Operation) { op.Reference = long(65) })},
		{"kind 0", "kind", set(func(op *Operation) { op.Kind = 0 })},
		{"kind of later", "kind", set(func(op *Operation) { op.Kind = 99 })},
		{"no account", "account", set(func(op *Operation) { op.Credit = nil })},
		{"account too long", "account", set(func(op *Operation) { op.Credit = long(65) })},
		{"system account", "account", set(func(op *Operation) { op.Credit = []byte("@usd/credits") })},
		{"amount 0", "amount", set(func(op *Operation) { op.Amount = 0 })},
		{"amount below 0", "amount", set(func(op *Operation) { op.Amount = -1 })},
		{"credit with a floor", "kind", set(func(op *Operation) { op.HasFloor = true })},
		{"credit with a debit", "kind", set(func(op *Operation) { op.Debit = []byte("bob") })},
		{"debit", "", as(KindDebit, func(op *Operation) { op.Debit, op.Amount = []byte("a"), 1 })},
		{"debit with a credit", "kind", as(KindDebit, func(op *Operation) { op.Debit, op.Credit, op.Amount = []byte("a"), []byte("b"), 1 })},
		{"transfer", "", as(KindTransfer, func(op *Operation) { op.Debit, op.Credit, op.Amount = []byte("a"), []byte("b"), 1 })},
		{"transfer from nowhere", "debit_account", as(KindTransfer, func(op *Operation) { op.Credit, op.Amount = []byte("b"), 1 })},
		{"transfer to nowhere", "credit_account", as(KindTransfer, func(op *Operation) { op.Debit, op.Amount = []byte("b"), 1 })},
		{"transfer to itself", "credit_account", as(KindTransfer, func(op *Operation) { op.Debit, op.Credit, op.Amount = []byte("a"), []byte("a"), 1 })},
		{"ledger", "", as(KindCreateLedger, func(op *Operation) { op.Ledger, op.Asset, op.Scale = []byte("a-z_0.9"), []byte("$ (US)"), 18 })},
		{"ledger in capitals", "ledger", as(KindCreateLedger, func(op *Operation) { op.Ledger, op.Asset = []byte("USD"), []byte("USD") })},
		{"ledger too long", "ledger", as(KindCreateLedger, func(op *Operation) { op.Ledger, op.Asset = long(33), []byte("USD") })},
		{"no asset", "asset", as(KindCreateLedger, func(op *Operation) { op.Ledger = []byte("usd") })},
		{"asset not ASCII", "asset", as(KindCreateLedger, func(op *Operation) { op.Ledger, op.Asset = []byte("eur"), []byte("€") })},
		{"scale 19", "scale", as(KindCreateLedger, func(op *Operation) { op.Ledger, op.Asset, op.Scale = []byte("usd"), []byte("USD"), 19 })},
		{"account without ledger", "ledger", as(KindCreateAccount, account)},
		{"floor above 0", "floor", as(KindSetLimits, func(op *Operation) { account(op); op.HasFloor, op.Floor = true, 1 })},
		{"ceiling below 0", "ceiling", as(KindSetLimits, func(op *Operation) { account(op); op.HasCeiling, op.Ceiling = true, -1 })},
		{"ceiling and none", "ceiling", as(KindSetLimits, func(op *Operation) { account(op); op.HasCeiling, op.NoCeiling = true, true })},
		{"no limit", "floor", as(KindSetLimits, account)},
		{"floor not said to be there", "kind", as(KindSetLimits, func(op *Operation) { account(op); op.NoCeiling, op.Floor = true, -1 })},
		{"thaw", "", as(KindSetFrozen, account)},
		{"credits too without frozen", "credits_too", as(KindSetFrozen, func(op *Operation) { account(op); op.FrozenCredits = true })},
		{"close", "", as(KindCloseAccount, account)},
		{"hold", "", hold(func(*Operation) {})},
		{"hold of nobody", "account", hold(func(op *Operation) { op.Debit = nil })},
		{"hold of a system account", "account", hold(func(op *Operation) { op.Debit = []byte("@usd/debits") })},
		{"hold of nothing", "amount", hold(func(op *Operation) { op.Amount = 0 })},
		{"hold of less", "amount", hold(func(op *Operation) { op.Amount = -1 })},
		{"hold for no time", "timeout", hold(func(op *Operation) { op.Timeout = 0 })},
		{"hold for less", "timeout", hold(func(op *Operation) { op.Timeout = -1 })},
		{"hold for ever", "timeout", hold(func(op *Operation) { op.Timeout = MaxHoldTimeout + 1 })},
		{"hold to an account", "kind", hold(func(op *Operation) { op.Credit = []byte("bob") })},
		{"hold that is a last part", "kind", hold(func(op *Operation) { op.Last = true })},
		{"hold of a hold", "kind", hold(func(op *Operation) { op.Hold = []byte("h") })},
		{"capture of all", "", of(KindCapture, func(*Operation) {})},
		{"capture of a part to an account", "", of(KindCapture, func(op *Operation) { op.Amount, op.Credit, op.Last = 1, []byte("bob"), true })},
		{"capture of less", "amount", of(KindCapture, func(op *Operation) { op.Amount = -1 })},
		{"capture of no hold", "hold", of(KindCapture, func(op *Operation) { op.Hold = nil })},
		{"capture of a long hold", "hold", of(KindCapture, func(op *Operation) { op.Hold = long(65) })},
		{"capture of a hold with a line feed", "hold", of(KindCapture, func(op *Operation) { op.Hold = []byte("a\n") })},
		{"capture of a hold not UTF-8", "hold", of(KindCapture, func(op *Operation) { op.Hold = []byte("\xff") })},
		{"capture to a system account", "credit_account", of(KindCapture, func(op *Operation) { op.Credit = []byte("@usd/debits") })},
		{"capture with a timeout", "kind", of(KindCapture, func(op *Operation) { op.Timeout = 1 })},
		{"capture with a debit", "kind", of(KindCapture, func(op *Operation) { op.Debit = []byte("alice") })},
		{"void", "", of(KindVoid, func(*Operation) {})},
		{"void with an amount", "kind", of(KindVoid, func(op *Operation) { op.Amount = 1 })},
		{"void with parts", "kind", of(KindVoid, func(op *Operation) { op.Parts = true })},
		{"extend", "", of(KindExtend, func(op *Operation) { op.Timeout = 1 })},
		{"extend by nothing", "timeout", of(KindExtend, func(*Operation) {})},
		{"up to", "", as(KindUpTo, func(op *Operation) { op.Debit, op.Amount = []byte("a"), 1 })},
		{"up to an account", "", as(KindUpTo, func(op *Operation) { op.Debit, op.Credit, op.Amount = []byte("a"), []byte("b"), 1 })},
		{"up to from nowhere", "debit_account", as(KindUpTo, func(op *Operation) { op.Credit, op.Amount = []byte("b"), 1 })},
		{"up to itself", "credit_account", as(KindUpTo, func(op *Operation) { op.Debit, op.Credit, op.Amount = []byte("a"), []byte("a"), 1 })},
		{"up to nothing", "amount", as(KindUpTo, func(op *Operation) { op.Debit = []byte("a") })},
		{"reverse all", "", as(KindReverse, func(op *Operation) { op.Entry = 1 })},
		{"reverse a part", "", as(KindReverse, func(op *Operation) { op.Entry, op.Amount, op.Original = math.MaxUint64, 1, Original{Kind: 1} })},
		{"reverse nothing", "entry", as(KindReverse, func(*Operation) {})},
		{"reverse less", "amount", as(KindReverse, func(op *Operation) { op.Entry, op.Amount = 1, -1 })},
		{"reverse with an account", "kind", as(KindReverse, func(op *Operation) { account(op); op.Entry = 1 })},
		{"credit with an entry", "kind", set(func(op *Operation) { op.Entry = 1 })},
		{"credit with an original", "kind", set(func(op *Operation) { op.Original.Amount = 1 })},
		{"credit with caps", "kind", set(func(op *Operation) { op.Caps[0] = Cap{MinCapWindow, 1} })},
		{"credit with a condition", "", set(func(op *Operation) { op.IfVersion = math.MaxUint64 })},
		{"new account with a condition", "if_version", as(KindCreateAccount, func(op *Operation) { account(op); op.Ledger, op.IfVersion = []byte("usd"), 1 })},
		{"new ledger with a condition", "if_version", as(KindCreateLedger, func(op *Operation) { op.Ledger, op.Asset, op.IfVersion = []byte("usd"), []byte("X"), 1 })},
		{"no caps", "", as(KindSetVelocity, account)},
		{"two caps", "", as(KindSetVelocity, func(op *Operation) {
			account(op)
			op.Caps = [MaxCaps]Cap{{MinCapWindow, 0}, {MaxCapWindow, math.MaxInt64}}
		})},
		{"caps of nobody", "account", as(KindSetVelocity, func(op *Operation) { op.Caps[0] = Cap{MinCapWindow, 1} })},
		{"cap of a short window", "caps", as(KindSetVelocity, func(op *Operation) { account(op); op.Caps[0] = Cap{MinCapWindow - 1, 1} })},
		{"cap of a long window", "caps", as(KindSetVelocity, func(op *Operation) { account(op); op.Caps[0] = Cap{MaxCapWindow + 1, 1} })},
		{"cap below 0", "caps", as(KindSetVelocity, func(op *Operation) { account(op); op.Caps[0] = Cap{MinCapWindow, -1} })},
		{"caps of one window", "caps", as(KindSetVelocity, func(op *Operation) { account(op); op.Caps = [MaxCaps]Cap{{MinCapWindow, 1}, {MinCapWindow, 2}} })},
		{"second cap alone", "caps", as(KindSetVelocity, func(op *Operation) { account(op); op.Caps[1] = Cap{MinCapWindow, 1} })},
		{"threshold", "", as(KindSetLowBalance, func(op *Operation) { account(op); op.Amount = math.MaxInt64 })},
		{"no threshold", "", as(KindSetLowBalance, account)},
		{"threshold below 0", "threshold", as(KindSetLowBalance, func(op *Operation) { account(op); op.Amount = -1 })},
		{"threshold of nobody", "account", as(KindSetLowBalance, func(op *Operation) { op.Amount = 1 })},
		{"threshold with a floor", "kind", as(KindSetLowBalance, func(op *Operation) { account(op); op.HasFloor = true })},
		{"threshold with a debit", "kind", as(KindSetLowBalance, func(op *Operation) { account(op); op.Debit = []byte("bob") })},
		{"threshold with flags", "kind", as(KindSetLowBalance, func(op *Operation) { account(op); op.Frozen = true })},
		{"credit with a hold", "kind", set(func(op *Operation) { op.Hold = []byte("h") })},
		{"credit with a timeout", "kind", set(func(op *Operation) { op.Timeout = 1 })},
		{"close with parts", "kind", as(KindCloseAccount, func(op *Operation) { account(op); op.Parts = true })},
		{"close with an amount", "kind", as(KindCloseAccount, func(op *Operation) { account(op); op.Amount = 1 })},
	} {
		err := Validate(&tc.op)
		field := ""
		if e := (*FieldError)(nil); errors.As(err, &e) {
			field = e.Field
		}
		if field != tc.field {
			t.Errorf("%s: %v, want field %q", tc.name, err, tc.field)
		}
	}
}

func TestValidateGroup(t *testing.T) {
	group := func(n int) []Operation {
		ops := make([]Operation, n)
		for i := range ops {
			ops[i] = validCredit()
			ops[i].ID = []byte{byte('a' + i%26), byte('a' + i/26%26), byte('a' + i/676)}
			ops[i].Linked = i < n-1
		}
		return ops
	}
	if _, err := ValidateGroup(group(MaxGroup)); err != nil {
		t.Errorf("the largest group: %v", err)
	}
	if i, err := ValidateGroup(group(MaxGroup + 1)); err == nil || i != MaxGroup {
		t.Errorf("one more than the largest group: member %d, %v", i, err)
	}
	twice := group(30)
	twice[29].ID = twice[3].ID
	if i, err := ValidateGroup(twice); err == nil || i != 29 {
		t.Errorf("an id twice: member %d, %v", i, err)
	}
	open := group(3)
	open[2].Linked = true
	if i, err := ValidateGroup(open); err == nil || i != 2 {
		t.Errorf("linked to nothing: member %d, %v", i, err)
	}
}

// FuzzText compares with the standard library's idea of UTF-8 and Unicode's list of control characters.
func FuzzText(f *testing.F) {
	for _, s := range []string{"", "a b", "é", "\u0085", "\x7f", "\xc3", "日本", "\ufffd"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		want := utf8.Valid(b)
		for _, r := range string(b) {
			want = want && r >= 0x20 && (r < 0x7f || r > 0x9f)
		}
		if got := isText(b); got != want {
			t.Errorf("%q: %v, want %v", b, got, want)
		}
	})
}

// TestUUIDs: every digit at every place is read and written, and nothing else is taken for one.
func TestUUIDs(t *testing.T) {
	const text = "5f3c1b1e-0a1b-4c3d-8e9f-001122334455"
	for at := range len(text) {
		for c := range 256 {
			b := []byte(text)
			b[at] = byte(c)
			u, ok := ParseUUID(b)
			dash := at == firstDash || at == secondDash || at == thirdDash || at == fourthDash
			if want := dash && c == '-' || !dash && (c >= '0' && c <= '9' || c >= 'a' && c <= 'f'); ok != want {
				t.Fatalf("%q: %v, want %v", b, ok, want)
			}
			if ok && string(AppendUUID([]byte("id "), u[:])) != "id "+string(b) {
				t.Fatalf("%q comes back as %q", b, AppendUUID(nil, u[:]))
			}
		}
	}
	if u, ok := ParseUUID([]byte(text)); !ok || u != [16]byte{0x5f, 0x3c, 0x1b, 0x1e, 0x0a, 0x1b, 0x4c, 0x3d, 0x8e, 0x9f, 0, 0x11, 0x22, 0x33, 0x44, 0x55} {
		t.Errorf("%s is read as %x", text, u)
	}
}

// FuzzUUID: only the usual text of a UUID is taken for one, and it comes back as it was.
func FuzzUUID(f *testing.F) {
	f.Add([]byte("5f3c1b1e-0a1b-4c3d-8e9f-001122334455"))
	f.Add([]byte("5F3C1B1E-0a1b-4c3d-8e9f-001122334455"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if u, ok := ParseUUID(b); ok && string(AppendUUID(nil, u[:])) != string(b) {
			t.Errorf("%q comes back as %q", b, AppendUUID(nil, u[:]))
		}
	})
}
