package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/ballastdb/ballast/internal/exporter"
	"github.com/ballastdb/ballast/internal/timetext"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// entryInWords is what an entry says, for people.
func entryInWords(e *ballastv1.Entry) string {
	d := denomination{ledger: e.GetLedger(), scale: e.GetScale()}
	text := e.GetLedger() + ": " + changeInWords(e, d)
	if e.GetCode() != 0 {
		text += fmt.Sprintf(", code %d", e.GetCode())
	}
	if e.GetReference() != "" {
		text += fmt.Sprintf(", reference %q", e.GetReference())
	}
	return text + ", operation " + shellWord(e.GetOperationId())
}

func changeInWords(e *ballastv1.Entry, d denomination) string {
	account := shellWord(e.GetCreditAccount())
	switch e.GetKind() {
	case ballastv1.EntryKind_ENTRY_KIND_LEDGER_CREATED:
		return fmt.Sprintf("ledger made, counts %s in steps of %s", e.GetAsset(), d.format(1))
	case ballastv1.EntryKind_ENTRY_KIND_ACCOUNT_CREATED:
		return "account " + account + " opened" + limitsInWords(e.GetLimits(), d)
	case ballastv1.EntryKind_ENTRY_KIND_LIMITS_SET:
		return "account " + account + " has limits now" + limitsInWords(e.GetLimits(), d)
	case ballastv1.EntryKind_ENTRY_KIND_FROZEN_SET:
		switch f := e.GetFreeze(); {
		case f.GetFrozenCredits():
			return "account " + account + " is frozen, for credits too"
		case f.GetFrozen():
			return "account " + account + " is frozen"
		}
		return "account " + account + " is thawed"
	case ballastv1.EntryKind_ENTRY_KIND_ACCOUNT_CLOSED:
		return "account " + account + " is closed"
	case ballastv1.EntryKind_ENTRY_KIND_VELOCITY_SET:
		var caps []string
		for _, c := range e.GetCaps() {
			caps = append(caps, d.format(c.GetLimit())+"/"+time.Duration(c.GetWindow()).String())
		}
		if caps == nil {
			return "account " + account + " has no caps any more"
		}
		return "account " + account + " has caps of " + strings.Join(caps, " and ")
	case ballastv1.EntryKind_ENTRY_KIND_LOW_BALANCE_SET:
		if e.GetLowBalance().GetThreshold() == 0 {
			return "account " + account + " has no low-balance threshold any more"
		}
		return "account " + account + " has a low-balance threshold of " + d.format(e.GetLowBalance().GetThreshold())
	case ballastv1.EntryKind_ENTRY_KIND_LOW_BALANCE:
		return fmt.Sprintf("LOW BALANCE: account %s has %s available, below %s", account,
			d.format(e.GetLowBalance().GetAvailable()), d.format(e.GetLowBalance().GetThreshold()))
	}
	if e.GetHold() != nil {
		return holdInWords(e, d)
	}
	if e.GetTopUp() != nil || e.GetTopUpPolicy() != nil {
		return topUpInWords(e, d)
	}
	return movementInWords(e, d)
}

func limitsInWords(l *ballastv1.LimitsAfter, d denomination) string {
	text := ", floor " + d.format(l.GetFloor())
	if l != nil && l.Ceiling != nil {
		text += ", ceiling " + d.format(l.GetCeiling())
	}
	return text
}

// movementInWords tells both sides with their balances after, where an entry has two.
func movementInWords(e *ballastv1.Entry, d denomination) string {
	text := exporter.KindName(e.GetKind())
	switch {
	case e.GetReversedSequence() != 0:
		text += fmt.Sprintf(" of #%d", e.GetReversedSequence())
	case e.GetAsked() != 0:
		text += " " + d.format(e.GetAsked()) + ":"
	}
	if e.GetDebitAccount() == "" {
		return text + " " + shellWord(e.GetCreditAccount())
	}
	return fmt.Sprintf("%s %s from %s (now %s) to %s (now %s)", text, d.format(e.GetAmount()),
		shellWord(e.GetDebitAccount()), d.format(e.GetDebitPosted()), shellWord(e.GetCreditAccount()), d.format(e.GetCreditPosted()))
}

func holdInWords(e *ballastv1.Entry, d denomination) string {
	h, account := e.GetHold(), shellWord(e.GetCreditAccount())
	hold := "hold " + shellWord(h.GetId())
	released := ""
	if h.GetReleased() != 0 {
		released = ", " + d.format(h.GetReleased()) + " available again"
	}
	switch e.GetKind() {
	case ballastv1.EntryKind_ENTRY_KIND_HOLD_CREATED:
		return fmt.Sprintf("%s: %s of %s until %s", hold, d.format(h.GetRemaining()), account, timetext.Format(h.GetExpires()))
	case ballastv1.EntryKind_ENTRY_KIND_HOLD_EXTENDED:
		return fmt.Sprintf("%s of %s extended until %s", hold, account, timetext.Format(h.GetExpires()))
	case ballastv1.EntryKind_ENTRY_KIND_HOLD_CAPTURED:
		left := ""
		if !h.GetEnded() {
			left = ", " + d.format(h.GetRemaining()) + " still held"
		}
		return fmt.Sprintf("%s: captured %s from %s (now %s) to %s (now %s)%s%s", hold, d.format(e.GetAmount()),
			shellWord(e.GetDebitAccount()), d.format(e.GetDebitPosted()), account, d.format(e.GetCreditPosted()), left, released)
	case ballastv1.EntryKind_ENTRY_KIND_HOLD_VOIDED:
		return hold + " of " + account + " voided" + released
	case ballastv1.EntryKind_ENTRY_KIND_HOLD_EXPIRED:
		return hold + " of " + account + " expired" + released
	}
	return exporter.KindName(e.GetKind()) + ": " + hold + " of " + account
}

func topUpInWords(e *ballastv1.Entry, d denomination) string {
	account, u := shellWord(e.GetCreditAccount()), e.GetTopUp()
	if p := e.GetTopUpPolicy(); p.GetOff() {
		return "account " + account + " is not topped up any more"
	} else if p != nil {
		much := "by " + d.format(p.GetAmount())
		if p.GetTarget() != 0 {
			much = "up to " + d.format(p.GetTarget())
		}
		return fmt.Sprintf("account %s is topped up %s below %s", account, much, d.format(p.GetThreshold()))
	}
	topUp := "top-up " + u.GetId() + " of " + d.format(u.GetAmount()) + " for " + account
	switch e.GetKind() {
	case ballastv1.EntryKind_ENTRY_KIND_TOP_UP_OPENED:
		return topUp + " is due"
	case ballastv1.EntryKind_ENTRY_KIND_TOP_UP_LEASED:
		if u.GetLookupOnly() {
			return fmt.Sprintf("%s leased to be looked up until %s, lease %d", topUp, timetext.Format(u.GetUntil()), u.GetLease())
		}
		return fmt.Sprintf("%s leased until %s, lease %d", topUp, timetext.Format(u.GetUntil()), u.GetLease())
	case ballastv1.EntryKind_ENTRY_KIND_TOP_UP_SUCCEEDED:
		return fmt.Sprintf("%s succeeded: from %s (now %s), now %s", topUp, shellWord(e.GetDebitAccount()), d.format(e.GetDebitPosted()), d.format(e.GetCreditPosted()))
	case ballastv1.EntryKind_ENTRY_KIND_TOP_UP_DECLINED:
		return topUp + " declined, rests until " + timetext.Format(u.GetUntil())
	case ballastv1.EntryKind_ENTRY_KIND_TOP_UP_UNKNOWN:
		return topUp + ": nobody knows what became of the charge; it stays open"
	case ballastv1.EntryKind_ENTRY_KIND_TOP_UP_CANCELLED:
		return topUp + " taken back before it was leased"
	}
	return exporter.KindName(e.GetKind()) + ": " + topUp
}
