package server

import (
	"encoding/base64"

	"github.com/ballastdb/ballast/fsm"
	"github.com/ballastdb/ballast/fsm/ledger"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

func accountProto(a *ledger.Account) *ballastv1.Account {
	p := &ballastv1.Account{
		Id: a.ID, Ledger: a.Ledger, Scale: uint32(a.Scale), Posted: a.Posted, Held: a.Held, Floor: a.Floor,
		Available: a.Available, Version: a.Version, Frozen: a.Frozen, FrozenCredits: a.FrozenCredits, Closed: a.Closed,
		System: a.System, LastSequence: a.LastSequence, LowBalance: a.LowBalance, Low: a.Low,
	}
	if a.HasCeiling {
		p.Ceiling = &a.Ceiling
	}
	for _, c := range a.Caps {
		if c.Window != 0 {
			p.Caps = append(p.Caps, &ballastv1.CapUse{Cap: capProto(c.Cap), Counted: c.Counted})
		}
	}
	return p
}

func capProto(c ledger.Cap) *ballastv1.VelocityCap {
	return &ballastv1.VelocityCap{Window: c.Window, Limit: c.Limit}
}

func ledgerProto(l *ledger.LedgerInfo) *ballastv1.Ledger {
	return &ballastv1.Ledger{Name: l.Name, Asset: l.Asset, Scale: uint32(l.Scale)}
}

func entryProto(e *fsm.StatementEntry) *ballastv1.Entry {
	p := &ballastv1.Entry{
		Sequence: e.Sequence, LogTime: e.Time, Kind: ballastv1.EntryKind(e.Kind), OperationId: string(e.OperationID),
		DebitAccount: e.DebitAccount, CreditAccount: e.CreditAccount, Amount: e.Amount, DebitPosted: e.DebitPosted,
		CreditPosted: e.CreditPosted, EventTime: e.EventTime, Code: e.Code, Reference: string(e.Reference),
		Asked: e.Asked, ReversedSequence: e.Original, Ledger: e.LedgerName, Scale: uint32(e.LedgerScale), Asset: string(e.Asset),
	}
	switch e.Kind {
	case ledger.EntryAccountCreated, ledger.EntryLimitsSet:
		p.Limits = &ballastv1.LimitsAfter{Floor: e.Floor}
		if e.HasCeiling {
			p.Limits.Ceiling = &e.Ceiling
		}
	case ledger.EntryFrozenSet:
		p.Freeze = &ballastv1.FreezeAfter{Frozen: e.Frozen, FrozenCredits: e.FrozenCredits}
	case ledger.EntryLowBalanceSet, ledger.EntryLowBalance:
		p.LowBalance = &ballastv1.LowBalanceAfter{Threshold: e.Threshold, Available: e.Available}
	}
	for _, c := range e.Caps {
		if c.Window != 0 {
			p.Caps = append(p.Caps, capProto(c))
		}
	}
	if e.TopUp != nil {
		p.TopUp = &ballastv1.TopUpChange{
			Id: e.TopUp.ID, PreviousSequence: e.TopUp.Previous, Amount: e.TopUp.Amount, Lease: e.TopUp.Lease, Until: e.TopUp.Until,
			LookupOnly: e.TopUp.LookupOnly, Ended: e.TopUp.Ended,
		}
	}
	if e.Policy != nil {
		p.TopUpPolicy = policyProto(e.Policy, e.CreditAccount, e.SourceAccount)
	}
	if len(e.Hold) > 0 {
		p.Hold = &ballastv1.HoldChange{
			Id: string(e.Hold), PreviousSequence: e.PrevHold, Remaining: e.Remaining, Released: e.Released, Expires: e.Expires,
			InParts: e.InParts, Ended: e.Ended,
		}
	}
	return p
}

func pastBalanceProto(b *fsm.PastBalance, state *ballastv1.ReadState) *ballastv1.GetPastBalanceResponse {
	return &ballastv1.GetPastBalanceResponse{
		Posted: b.Posted, Ledger: b.Account.Ledger, Scale: uint32(b.Account.Scale), Sequence: b.Sequence, LastSequence: b.LastSequence,
		Final: b.Final, State: state,
	}
}

func holdProto(h *ledger.Hold) *ballastv1.HoldRecord {
	return &ballastv1.HoldRecord{
		Id: h.ID, Account: h.Account, Ledger: h.Ledger, Scale: uint32(h.Scale), State: ballastv1.HoldState(h.State), Amount: h.Amount,
		Captured: h.Captured, Remaining: h.Remaining, InParts: h.InParts, Created: h.Created, Expires: h.Expires, Ended: h.Ended,
		FirstSequence: h.FirstSequence, LastSequence: h.LastSequence,
	}
}

// Page tokens are a version and the id after which the page begins. Callers must not look inside.
const pageTokenVersion = 'a'

func pageToken(after string) string {
	if after == "" {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(append([]byte{pageTokenVersion}, after...))
}

func afterPage(token string) (after string, ok bool) {
	if token == "" {
		return "", true
	}
	if len(token) > base64.RawURLEncoding.EncodedLen(1+ledger.MaxAccountLen) {
		return "", false
	}
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(b) < 2 || b[0] != pageTokenVersion {
		return "", false
	}
	return string(b[1:]), true
}
