package sink

import (
	"math/big"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/internal/exporter"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// batch is what one transaction writes: entries in order, and what they make of ledgers, accounts and holds.
type batch struct {
	to      client.Position
	logTime int64
	entries [][]any // rows of the table
	ledgers []*ballastv1.Entry
	opened  []openedAccount
	// Changes of accounts and holds, each once, in order of their first entry.
	accounts []*accountChange
	holds    []*holdChange
	byID     map[string]*accountChange
	byHold   map[string]*holdChange
}

type openedAccount struct {
	id, ledger string
	system     bool
	sequence   uint64
	scale      uint32
}

// accountChange is what a batch makes of an account. What is not valid, or not set, stays as it is.
type accountChange struct {
	id     string
	scale  uint32
	posted pgtype.Numeric
	held   int64 // added
	limits *ballastv1.LimitsAfter
	freeze *ballastv1.FreezeAfter
	low    *ballastv1.LowBalanceAfter
	closed bool
	last   uint64
}

// holdChange is what a batch makes of a hold.
type holdChange struct {
	id, account string
	scale       uint32
	created     uint64 // sequence; 0: before the batch
	amount      int64  // of one that the batch made
	captured    int64  // added
	remaining   int64
	inParts     bool
	state       string
	expires     time.Time
	last        uint64
}

// Names of the states of holds.
const (
	holdOpen     = "open"
	holdCaptured = "captured"
	holdVoided   = "voided"
	holdExpired  = "expired"
)

func newBatch(from client.Position) *batch {
	return &batch{to: from, byID: map[string]*accountChange{}, byHold: map[string]*holdChange{}}
}

// full tells whether the entry must go into another batch: a hold of an id that has ended in this one.
func (b *batch) full(e *ballastv1.Entry) bool {
	h := b.byHold[e.GetHold().GetId()]
	return h != nil && h.state != holdOpen
}

// add takes in the next entry.
func (b *batch) add(e *ballastv1.Entry) error {
	row, err := entryRow(e)
	if err != nil {
		return err
	}
	b.entries, b.logTime = append(b.entries, row), e.GetLogTime()
	switch e.GetKind() {
	case ballastv1.EntryKind_ENTRY_KIND_LEDGER_CREATED:
		b.ledgers = append(b.ledgers, e)
		for _, side := range []string{"credits", "debits"} {
			b.open(e, "@"+e.GetLedger()+"/"+side, true)
		}
	case ballastv1.EntryKind_ENTRY_KIND_ACCOUNT_CREATED:
		b.open(e, e.GetCreditAccount(), false)
	}
	if account := e.GetDebitAccount(); account != "" {
		b.change(e, account).posted = numeric(e.GetDebitPosted(), e.GetScale())
	}
	if account := e.GetCreditAccount(); account != "" {
		c := b.change(e, account)
		c.posted = numeric(e.GetCreditPosted(), e.GetScale())
		c.about(e)
	}
	if e.GetHold() != nil {
		b.hold(e)
	}
	return nil
}

func (b *batch) open(e *ballastv1.Entry, id string, system bool) {
	b.opened = append(b.opened, openedAccount{id: id, ledger: e.GetLedger(), system: system, sequence: e.GetSequence(), scale: e.GetScale()})
}

func (b *batch) change(e *ballastv1.Entry, id string) *accountChange {
	c := b.byID[id]
	if c == nil {
		c = &accountChange{id: id, scale: e.GetScale()}
		b.byID[id] = c
		b.accounts = append(b.accounts, c)
	}
	c.last = e.GetSequence()
	return c
}

// about takes in what an entry says of the account that it is about.
func (c *accountChange) about(e *ballastv1.Entry) {
	if l := e.GetLimits(); l != nil {
		c.limits = l
	}
	if f := e.GetFreeze(); f != nil {
		c.freeze = f
	}
	if l := e.GetLowBalance(); l != nil {
		c.low = l
	}
	c.closed = c.closed || e.GetKind() == ballastv1.EntryKind_ENTRY_KIND_ACCOUNT_CLOSED
}

// hold takes in what an entry says of a hold, and of what its account has held.
func (b *batch) hold(e *ballastv1.Entry) {
	said := e.GetHold()
	account := e.GetDebitAccount() // of a capture, which moves money; else the entry is about the account
	if account == "" {
		account = e.GetCreditAccount()
	}
	h := b.byHold[said.GetId()]
	if h == nil {
		h = &holdChange{id: said.GetId(), account: account, scale: e.GetScale(), state: holdOpen}
		b.byHold[h.id] = h
		b.holds = append(b.holds, h)
	}
	added := -e.GetAmount() - said.GetReleased()
	if e.GetKind() == ballastv1.EntryKind_ENTRY_KIND_HOLD_CREATED {
		added = said.GetRemaining()
		h.created, h.amount, h.inParts = e.GetSequence(), said.GetRemaining(), said.GetInParts()
	}
	b.change(e, account).held += added
	if e.GetKind() == ballastv1.EntryKind_ENTRY_KIND_HOLD_CAPTURED {
		h.captured += e.GetAmount()
	}
	h.remaining, h.expires, h.last = said.GetRemaining(), time.Unix(0, said.GetExpires()).UTC(), e.GetSequence()
	if said.GetEnded() {
		h.state = ending(e.GetKind())
	}
}

func ending(kind ballastv1.EntryKind) string {
	switch kind {
	case ballastv1.EntryKind_ENTRY_KIND_HOLD_VOIDED:
		return holdVoided
	case ballastv1.EntryKind_ENTRY_KIND_HOLD_EXPIRED:
		return holdExpired
	}
	return holdCaptured
}

// entryColumns are the columns of a row of entries, in the order of entryRow.
var entryColumns = []string{
	"sequence", "log_time", "log_time_ns", "kind", "ledger", "debit_account", "credit_account", "amount", "debit_posted", "credit_posted",
	"operation_id", "event_time", "event_time_ns", "code", "reference", "hold_id", "hold_remaining", "hold_released", "asked",
	"reversed_sequence", "details",
}

func entryRow(e *ballastv1.Entry) ([]any, error) {
	details, err := exporter.Details(e)
	if err != nil {
		return nil, err
	}
	scale := e.GetScale()
	row := []any{
		int64(e.GetSequence()), time.Unix(0, e.GetLogTime()).UTC(), e.GetLogTime(), exporter.KindName(e.GetKind()), orNull(e.GetLedger()),
		orNull(e.GetDebitAccount()), orNull(e.GetCreditAccount()), numeric(e.GetAmount(), scale), nil, nil,
		e.GetOperationId(), nil, nil, int64(e.GetCode()), e.GetReference(), nil, nil, nil, nil, nil, orNull(details),
	}
	set := func(column int, is bool, value any) {
		if is {
			row[column] = value
		}
	}
	set(8, e.GetDebitAccount() != "", numeric(e.GetDebitPosted(), scale))
	set(9, e.GetCreditAccount() != "", numeric(e.GetCreditPosted(), scale))
	set(11, e.GetEventTime() != 0, time.Unix(0, e.GetEventTime()).UTC())
	set(12, e.GetEventTime() != 0, e.GetEventTime())
	set(15, e.GetHold() != nil, e.GetHold().GetId())
	set(16, e.GetHold() != nil, numeric(e.GetHold().GetRemaining(), scale))
	set(17, e.GetHold() != nil, numeric(e.GetHold().GetReleased(), scale))
	set(18, e.GetAsked() != 0, numeric(e.GetAsked(), scale))
	set(19, e.GetReversedSequence() != 0, int64(e.GetReversedSequence()))
	return row, nil
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// numeric is an amount as PostgreSQL has it, with all decimal places of its scale.
func numeric(units int64, scale uint32) pgtype.Numeric {
	return pgtype.Numeric{Int: big.NewInt(units), Exp: -int32(scale), Valid: true} //nolint:gosec // a scale is 18 at most
}
