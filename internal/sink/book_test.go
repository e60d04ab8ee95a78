package sink

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/ballastdb/ballast/client"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// book is a ledger the obvious way, and its feed.
type book struct {
	mu       sync.Mutex
	rng      *rand.Rand
	entries  []*ballastv1.Entry
	accounts map[string]*state
	order    []string
	holds    []*held
	next     int
	// breaks is how many more parts are told before the feed's iteration ends by an error; below 0: for ever.
	breaks int
	// told are parts that were told since the last look.
	told int
}

type state struct {
	posted, held, floor int64
	ceiling, low        *int64
	frozen, closed      bool
	system              bool
	opened, last        uint64
}

type held struct {
	id, account, state          string
	amount, captured, remaining int64
	created, last               uint64
}

func newBook(seed uint64) *book {
	b := &book{rng: rand.New(rand.NewPCG(seed, 1)), accounts: map[string]*state{}, breaks: -1}
	e := b.entry(ballastv1.EntryKind_ENTRY_KIND_LEDGER_CREATED, "", "@usd/credits", 0)
	e.Asset = "USD"
	for _, id := range []string{"@usd/credits", "@usd/debits"} {
		b.accounts[id] = &state{system: true, opened: 1, last: 1}
	}
	for range 3 {
		b.open()
	}
	return b
}

// entry adds an entry, and its amount to balances.
func (b *book) entry(kind ballastv1.EntryKind, debit, credit string, units int64) *ballastv1.Entry {
	e := &ballastv1.Entry{
		Sequence: uint64(len(b.entries) + 1), LogTime: 1_700_000_000_000_000_000 + int64(len(b.entries))*1_000_001, Kind: kind,
		OperationId: fmt.Sprintf("operation-%d", len(b.entries)), DebitAccount: debit, CreditAccount: credit, Amount: units, Ledger: "usd", Scale: 2,
	}
	for _, id := range []string{debit, credit} {
		if a := b.accounts[id]; a != nil {
			a.last = e.Sequence
		}
	}
	if a := b.accounts[debit]; a != nil {
		a.posted -= units
		e.DebitPosted = a.posted
	}
	if a := b.accounts[credit]; a != nil {
		a.posted += units
		e.CreditPosted = a.posted
	}
	b.entries = append(b.entries, e)
	return e
}

func (b *book) open() {
	id := fmt.Sprintf("account %d ü", len(b.order))
	e := b.entry(ballastv1.EntryKind_ENTRY_KIND_ACCOUNT_CREATED, "", id, 0)
	e.Limits = &ballastv1.LimitsAfter{Floor: -100}
	b.order = append(b.order, id)
	b.accounts[id] = &state{floor: -100, opened: e.Sequence, last: e.Sequence}
}

// any is one of the accounts that are not closed; the first three never are.
func (b *book) any() string {
	for {
		if id := b.order[b.rng.IntN(len(b.order))]; !b.accounts[id].closed {
			return id
		}
	}
}

// grow adds n random entries.
func (b *book) grow(n int) *book {
	b.mu.Lock()
	defer b.mu.Unlock()
	for range n {
		units := 1 + b.rng.Int64N(1000)
		id := b.any()
		a := b.accounts[id]
		switch b.rng.IntN(14) {
		case 0:
			b.open()
			if units%4 == 0 {
				newest := b.order[len(b.order)-1]
				b.entry(ballastv1.EntryKind_ENTRY_KIND_ACCOUNT_CLOSED, "", newest, 0)
				b.accounts[newest].closed = true
			}
		case 1, 2, 3:
			e := b.entry(ballastv1.EntryKind_ENTRY_KIND_CREDIT, "@usd/credits", id, units)
			e.Code, e.Reference, e.EventTime = 42, "order 'x'\\", 1_600_000_000_000_000_001
		case 4, 5:
			b.entry(ballastv1.EntryKind_ENTRY_KIND_DEBIT, id, "@usd/debits", units)
		case 6:
			if to := b.any(); to != id {
				b.entry(ballastv1.EntryKind_ENTRY_KIND_UP_TO, id, to, units).Asked = units + 1
			}
		case 7:
			e := b.entry(ballastv1.EntryKind_ENTRY_KIND_LIMITS_SET, "", id, 0)
			a.floor, a.ceiling = -units, nil
			if units%2 == 0 {
				a.ceiling = &units
			}
			e.Limits = &ballastv1.LimitsAfter{Floor: a.floor, Ceiling: a.ceiling}
		case 8:
			e := b.entry(ballastv1.EntryKind_ENTRY_KIND_FROZEN_SET, "", id, 0)
			a.frozen = !a.frozen
			e.Freeze = &ballastv1.FreezeAfter{Frozen: a.frozen}
		case 9:
			e := b.entry(ballastv1.EntryKind_ENTRY_KIND_LOW_BALANCE_SET, "", id, 0)
			if a.low = nil; units%3 > 0 {
				a.low = &units
				e.LowBalance = &ballastv1.LowBalanceAfter{Threshold: units}
			} else {
				e.LowBalance = &ballastv1.LowBalanceAfter{}
			}
		case 10, 11:
			b.makeHold(id, units)
		default:
			b.changeHold()
		}
	}
	return b
}

// makeHold makes a hold, sometimes of an id that one had before.
func (b *book) makeHold(account string, units int64) {
	h := &held{id: fmt.Sprintf("hold %d", b.next), account: account, state: holdOpen, amount: units, remaining: units}
	b.next++
	for _, o := range b.holds {
		if o.state != holdOpen && b.rng.IntN(2) == 0 && !slices.ContainsFunc(b.holds, func(x *held) bool { return x.id == o.id && x.state == holdOpen }) {
			h.id = o.id
		}
	}
	e := b.entry(ballastv1.EntryKind_ENTRY_KIND_HOLD_CREATED, "", account, 0)
	h.created, h.last = e.Sequence, e.Sequence
	b.accounts[account].held += units
	e.Hold = &ballastv1.HoldChange{Id: h.id, Remaining: units, InParts: true, Expires: e.LogTime + 5}
	b.holds = append(b.holds, h)
}

func (b *book) changeHold() {
	for _, h := range b.holds {
		if h.state != holdOpen || b.rng.IntN(3) > 0 {
			continue
		}
		change := &ballastv1.HoldChange{Id: h.id, PreviousSequence: h.last, InParts: true, Expires: 1_800_000_000_000_000_000}
		var e *ballastv1.Entry
		taken := int64(0)
		switch b.rng.IntN(4) {
		case 0:
			e = b.entry(ballastv1.EntryKind_ENTRY_KIND_HOLD_VOIDED, "", h.account, 0)
			h.state = holdVoided
		case 1:
			e = b.entry(ballastv1.EntryKind_ENTRY_KIND_HOLD_EXPIRED, "", h.account, 0)
			h.state = holdExpired
		case 2:
			e = b.entry(ballastv1.EntryKind_ENTRY_KIND_HOLD_EXTENDED, "", h.account, 0)
		default:
			taken = 1 + b.rng.Int64N(h.remaining)
			e = b.entry(ballastv1.EntryKind_ENTRY_KIND_HOLD_CAPTURED, h.account, "@usd/debits", taken)
			if taken == h.remaining || b.rng.IntN(2) == 0 {
				h.state = holdCaptured
			}
		}
		h.captured, h.remaining, h.last = h.captured+taken, h.remaining-taken, e.Sequence
		if h.state != holdOpen {
			change.Released, change.Ended, h.remaining = h.remaining, true, 0
		}
		change.Remaining = h.remaining
		b.accounts[h.account].held -= taken + change.Released
		e.Hold = change
		return
	}
}

// link is the check value of a position.
func link(sequence uint64) uint64 { return sequence * 0x9e3779b97f4a7c15 }

// Watch is Feed's: parts of random lengths, and then a heartbeat for each that is asked for.
func (b *book) Watch(ctx context.Context, from client.Position) iter.Seq2[*ballastv1.WatchResponse, error] {
	return func(yield func(*ballastv1.WatchResponse, error) bool) {
		if from.Sequence > 0 && from.Link != 0 && from.Link != link(from.Sequence) {
			yield(nil, &client.StatusError{Code: codes.OutOfRange, Reason: ballastv1.Reason_REASON_OTHER_HISTORY, Message: "another history"})
			return
		}
		for at := from.Sequence; ctx.Err() == nil; {
			part, err := b.part(at)
			if err == nil {
				at = part.GetSequence()
			}
			if !yield(part, err) || err != nil {
				return
			}
			if part.GetSequence() == part.GetNewestSequence() {
				select {
				case <-time.After(time.Millisecond):
				case <-ctx.Done():
				}
			}
		}
		yield(nil, ctx.Err())
	}
}

func (b *book) part(at uint64) (*ballastv1.WatchResponse, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.told++
	if b.breaks--; b.breaks == 0 {
		return nil, &client.StatusError{Code: codes.OutOfRange, Message: "the oldest entry that is kept is 7"}
	}
	newest := uint64(len(b.entries))
	to := min(newest, at+b.rng.Uint64N(40))
	return &ballastv1.WatchResponse{Entries: b.entries[at:to], Sequence: to, Link: link(to), NewestSequence: newest}, nil
}
