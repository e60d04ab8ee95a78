package exporter

import (
	"strings"

	"github.com/ballastdb/ballast/client/amount"
	"github.com/ballastdb/ballast/internal/timetext"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// accountColumns are the columns of accounts; docs/books.md lists them.
var accountColumns = []column[*ballastv1.Account]{
	{"account", func(a *ballastv1.Account) cell { return text(a.GetId()) }},
	{"ledger", func(a *ballastv1.Account) cell { return text(a.GetLedger()) }},
	{"posted", func(a *ballastv1.Account) cell { return money(a.GetPosted(), a.GetScale()) }},
	{"held", func(a *ballastv1.Account) cell { return money(a.GetHeld(), a.GetScale()) }},
	{"floor", func(a *ballastv1.Account) cell { return limited(a, a.GetFloor()) }},
	{"ceiling", ceiling},
	{"available", func(a *ballastv1.Account) cell { return limited(a, a.GetAvailable()) }},
	{"version", func(a *ballastv1.Account) cell { return number(a.GetVersion()) }},
	{"last_sequence", func(a *ballastv1.Account) cell { return number(a.GetLastSequence()) }},
	{"flags", func(a *ballastv1.Account) cell { return text(strings.Join(Flags(a), " ")) }},
}

// entryColumns are the columns of entries; docs/books.md lists them.
var entryColumns = []column[*ballastv1.Entry]{
	{"sequence", func(e *ballastv1.Entry) cell { return number(e.GetSequence()) }},
	{"log_time", func(e *ballastv1.Entry) cell { return text(timetext.FormatFixed(e.GetLogTime())) }},
	{"kind", func(e *ballastv1.Entry) cell { return text(KindName(e.GetKind())) }},
	{"ledger", func(e *ballastv1.Entry) cell { return text(e.GetLedger()) }},
	{"debit_account", func(e *ballastv1.Entry) cell { return text(e.GetDebitAccount()) }},
	{"credit_account", func(e *ballastv1.Entry) cell { return text(e.GetCreditAccount()) }},
	{"amount", func(e *ballastv1.Entry) cell { return money(e.GetAmount(), e.GetScale()) }},
	{"debit_posted", func(e *ballastv1.Entry) cell {
		return after(e, e.GetDebitAccount(), e.GetDebitPosted())
	}},
	{"credit_posted", func(e *ballastv1.Entry) cell {
		return after(e, e.GetCreditAccount(), e.GetCreditPosted())
	}},
	{"operation", func(e *ballastv1.Entry) cell { return text(e.GetOperationId()) }},
	{"event_time", func(e *ballastv1.Entry) cell { return text(timetext.Format(e.GetEventTime())) }},
	{"code", func(e *ballastv1.Entry) cell { return number(uint64(e.GetCode())) }},
	{"reference", func(e *ballastv1.Entry) cell { return text(e.GetReference()) }},
	{"hold", func(e *ballastv1.Entry) cell { return text(e.GetHold().GetId()) }},
	{"hold_remaining", func(e *ballastv1.Entry) cell { return ofHold(e, e.GetHold().GetRemaining()) }},
	{"hold_released", func(e *ballastv1.Entry) cell { return ofHold(e, e.GetHold().GetReleased()) }},
	{"hold_expires", func(e *ballastv1.Entry) cell { return text(timetext.Format(e.GetHold().GetExpires())) }},
	{"asked", func(e *ballastv1.Entry) cell {
		if e.GetAsked() == 0 {
			return text("")
		}
		return money(e.GetAsked(), e.GetScale())
	}},
	{"reversed_sequence", func(e *ballastv1.Entry) cell { return number(e.GetReversedSequence()) }},
	{"details", details},
}

func money(units int64, scale uint32) cell { return text(amount.Format(units, scale)) }

// limited is empty for a system account, which has no limits.
func limited(a *ballastv1.Account, units int64) cell {
	if a.GetSystem() {
		return text("")
	}
	return money(units, a.GetScale())
}

func ceiling(a *ballastv1.Account) cell {
	if a.Ceiling == nil {
		return text("")
	}
	return money(a.GetCeiling(), a.GetScale())
}

// after is the balance of one side, where the entry has that side.
func after(e *ballastv1.Entry, account string, units int64) cell {
	if account == "" {
		return text("")
	}
	return money(units, e.GetScale())
}

func ofHold(e *ballastv1.Entry, units int64) cell {
	if e.GetHold() == nil {
		return text("")
	}
	return money(units, e.GetScale())
}

// details is empty where there are none. It cannot fail: the wire's messages are all there is in it.
func details(e *ballastv1.Entry) cell {
	object, _ := Details(e)
	return cell{text: object, object: object != ""}
}

// Flags are the names of what is set on an account.
func Flags(a *ballastv1.Account) (set []string) {
	for _, flag := range []struct {
		set  bool
		name string
	}{{a.GetFrozen(), "frozen"}, {a.GetFrozenCredits(), "frozen_credits"}, {a.GetClosed(), "closed"}, {a.GetSystem(), "system"}} {
		if flag.set {
			set = append(set, flag.name)
		}
	}
	return set
}

// KindName is the kind of an entry as outputs name it, such as "hold_captured".
func KindName(kind ballastv1.EntryKind) string {
	return strings.ToLower(strings.TrimPrefix(kind.String(), "ENTRY_KIND_"))
}
