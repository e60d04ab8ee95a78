package ledger

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// This file reads and writes the words of stories, see story_test.go.

// options splits name=value words from the rest.
func options(words []string) (plain []string, opt map[string]string) {
	opt = map[string]string{}
	for _, w := range words {
		if name, value, ok := strings.Cut(w, "="); ok {
			opt[name] = value
		} else {
			plain = append(plain, w)
		}
	}
	return plain, opt
}

func (st *story) number(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		st.t.Fatal(err)
	}
	return n
}

func (st *story) duration(s string) int64 {
	d, err := time.ParseDuration(s)
	if err != nil {
		st.t.Fatal(err)
	}
	return int64(d)
}

func (st *story) since(at int64) string {
	if at == 0 {
		return "none"
	}
	return time.Duration(at - storyStart).String()
}

// original is what the entry of this number moved, as who proposes a reversal looks it up in the journal.
func (st *story) original(sequence uint64) Original {
	for b := st.journal; len(b) > 0; {
		e, n, err := DecodeEntry(b)
		if err != nil {
			st.t.Fatal(err)
		}
		if e.Sequence == sequence {
			return OriginalOf(&e)
		}
		b = b[n:]
	}
	return Original{}
}

// operation reads one operation's line.
func (st *story) operation(words []string) Operation {
	w, opt := options(words)
	op := Operation{ID: []byte(opt["id"]), Attempt: 1, Reference: []byte(opt["ref"])}
	if issued, ok := opt["issued"]; ok {
		op.IssuedAt = storyStart + st.duration(issued)
	} else if known, ok := st.issued[opt["id"]]; ok {
		op.IssuedAt = known
	} else {
		op.IssuedAt = st.now
		st.issued[opt["id"]] = st.now
	}
	if a, ok := opt["attempt"]; ok {
		op.Attempt = uint32(st.number(a))
	}
	if c, ok := opt["code"]; ok {
		op.Code = uint32(st.number(c))
	}
	if e, ok := opt["event"]; ok {
		op.EventTime = storyStart + st.duration(e)
	}
	if f, ok := opt["floor"]; ok {
		op.HasFloor, op.Floor = true, st.number(f)
	}
	if c, ok := opt["ceiling"]; ok {
		op.HasCeiling, op.Ceiling = true, st.number(c)
	}
	if v, ok := opt["if-version"]; ok {
		op.IfVersion = uint64(st.number(v))
	}
	if !st.topUpKind(&op, w, opt) {
		st.kind(&op, w)
	}
	return op
}

func (st *story) kind(op *Operation, w []string) {
	switch w[0] {
	case "credit":
		op.Kind, op.Credit, op.Amount = KindCredit, []byte(w[1]), st.number(w[2])
	case "debit":
		op.Kind, op.Debit, op.Amount = KindDebit, []byte(w[1]), st.number(w[2])
	case "transfer":
		op.Kind, op.Debit, op.Credit, op.Amount = KindTransfer, []byte(w[1]), []byte(w[2]), st.number(w[3])
	case "create-ledger":
		op.Kind, op.Ledger, op.Asset, op.Scale = KindCreateLedger, []byte(w[1]), []byte(w[2]), uint8(st.number(w[3]))
	case "create-account":
		op.Kind, op.Credit, op.Ledger = KindCreateAccount, []byte(w[1]), []byte(w[2])
	case "set-limits":
		op.Kind, op.Credit, op.NoCeiling = KindSetLimits, []byte(w[1]), slices.Contains(w, "no-ceiling")
	case "freeze":
		op.Kind, op.Credit, op.Frozen, op.FrozenCredits = KindSetFrozen, []byte(w[1]), true, slices.Contains(w, "credits-too")
	case "thaw":
		op.Kind, op.Credit = KindSetFrozen, []byte(w[1])
	case "up-to":
		op.Kind, op.Debit, op.Amount = KindUpTo, []byte(w[1]), st.number(w[len(w)-1])
		if len(w) > 3 {
			op.Credit = []byte(w[2])
		}
	case "reverse":
		op.Kind, op.Entry = KindReverse, uint64(st.number(w[1]))
		op.Original = st.original(op.Entry)
		if len(w) > 2 {
			op.Amount = st.number(w[2])
		}
	case "caps":
		op.Kind, op.Credit = KindSetVelocity, []byte(w[1])
		for i := range (len(w) - 2) / 2 {
			op.Caps[i] = Cap{Limit: st.number(w[2+2*i]), Window: st.duration(w[3+2*i])}
		}
	case "low":
		op.Kind, op.Credit, op.Amount = KindSetLowBalance, []byte(w[1]), st.number(w[2])
	case "hold":
		op.Kind, op.Debit, op.Amount, op.Timeout = KindHold, []byte(w[1]), st.number(w[2]), st.duration(w[3])
		op.Parts = slices.Contains(w, "in-parts")
	case "capture":
		op.Kind, op.Hold, op.Last = KindCapture, []byte(w[1]), slices.Contains(w, "last")
		if len(w) > 2 && w[2] != "all" {
			op.Amount = st.number(w[2])
		}
		if i := slices.Index(w, "to"); i > 0 {
			op.Credit = []byte(w[i+1])
		}
	case "void":
		op.Kind, op.Hold = KindVoid, []byte(w[1])
	case "extend":
		op.Kind, op.Hold, op.Timeout = KindExtend, []byte(w[1]), st.duration(w[2])
	case "close":
		op.Kind, op.Credit = KindCloseAccount, []byte(w[1])
	default:
		st.t.Fatalf("unknown command %q", w[0])
	}
}

var codeNames = [...]string{
	"NONE", "APPLIED", "INVALID", "CONFLICT", "SUPERSEDED", "TOO_OLD", "TOO_EARLY", "GROUP_REFUSED", "UNKNOWN_LEDGER", "UNKNOWN_ACCOUNT",
	"LEDGER_EXISTS", "ACCOUNT_EXISTS", "LEDGER_MISMATCH", "ACCOUNT_CLOSED", "ACCOUNT_FROZEN", "INSUFFICIENT_FUNDS", "CEILING_EXCEEDED",
	"OVERFLOW", "NOT_EMPTY", "LIMIT_REACHED", "UNKNOWN_HOLD", "HOLD_EXISTS", "HOLD_CAPTURED", "HOLD_VOIDED", "HOLD_EXPIRED", "EXCEEDS_HOLD",
	"SAME_ACCOUNT", "VERSION_MISMATCH", "VELOCITY_EXCEEDED", "UNKNOWN_ENTRY", "NOT_REVERSIBLE", "ALREADY_REVERSED", "EXCEEDS_ENTRY",
	"UNKNOWN_TOP_UP", "TOP_UP_ENDED", "TOP_UP_LEASED", "TOP_UP_OPEN",
}

func formatResult(r *Result) string {
	s := codeNames[r.Code]
	if r.Code == CodeApplied {
		s += fmt.Sprintf(" #%d debit %d credit %d available %d", r.Sequence, r.DebitPosted, r.CreditPosted, r.Available)
	}
	if r.Amount != 0 {
		s += fmt.Sprintf(" amount %d", r.Amount)
	}
	if r.Version != 0 {
		s += fmt.Sprintf(" version %d", r.Version)
	}
	if r.Side != SideNone {
		s += [...]string{"", " debit side", " credit side"}[r.Side]
	}
	if r.Asked != 0 || r.Code == CodeInsufficientFunds || r.Code == CodeCeilingExceeded || r.Code == CodeExceedsHold || r.Code == CodeVelocityExceeded {
		s += fmt.Sprintf(" asked %d available %d", r.Asked, r.Available)
	}
	if r.Code == CodeGroupRefused {
		s += fmt.Sprintf(" by member %d", r.FailedMember)
	}
	if r.Attempt != 1 {
		s += fmt.Sprintf(" attempt %d", r.Attempt)
	}
	if r.Replayed {
		s += " again"
	}
	return s
}
