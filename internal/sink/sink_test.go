package sink

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/client/amount"
	"github.com/ballastdb/ballast/internal/pgtest"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const cluster = "6f6f5c2e-1f53-4bb6-a3a7-000000000000"

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

// rows are a query's rows as texts.
func rows(t *testing.T, connect, query string) (all []string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), connect)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	found, err := conn.Query(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	all, err = pgx.CollectRows(found, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func money(units int64) string { return amount.Format(units, 2) }

func optional(units *int64) string {
	if units == nil {
		return "-"
	}
	return money(*units)
}

// check compares all tables with the book, row by row.
func (b *book) check(t *testing.T, connect, schema string) {
	t.Helper()
	same := func(what, query string, want []string) {
		t.Helper()
		got := rows(t, connect, strings.ReplaceAll(query, "%s", schema))
		for i := range max(len(got), len(want)) {
			if i >= len(got) || i >= len(want) || got[i] != want[i] {
				t.Fatalf("%s: %d rows, want %d; row %d is %q, want %q", what, len(got), len(want), i, append(got, "none")[min(i, len(got))], append(want, "none")[min(i, len(want))])
			}
		}
	}
	var want []string
	for _, e := range b.entries {
		one := func(is bool, text string) string {
			if !is {
				return "-"
			}
			return text
		}
		want = append(want, fmt.Sprintf("%d %d %s %s %s %s %s %s %s %d %q %s %s %s %s", e.Sequence, e.LogTime,
			strings.ToLower(strings.TrimPrefix(e.Kind.String(), "ENTRY_KIND_")), one(e.DebitAccount != "", e.DebitAccount), e.CreditAccount,
			money(e.Amount), one(e.DebitAccount != "", money(e.DebitPosted)), money(e.CreditPosted), e.OperationId, e.Code, e.Reference,
			one(e.EventTime != 0, fmt.Sprint(e.EventTime)), one(e.Hold != nil, e.Hold.GetId()+" "+money(e.Hold.GetRemaining())+" "+money(e.Hold.GetReleased())),
			one(e.Asked != 0, money(e.Asked)), one(e.Freeze != nil, fmt.Sprint(e.Freeze.GetFrozen()))))
	}
	same("entries", `SELECT concat_ws(' ', sequence, log_time_ns, kind, coalesce(debit_account, '-'), credit_account, amount, coalesce(debit_posted::text, '-'),
		credit_posted, operation_id, code, '"' || replace(reference, '\', '\\') || '"', coalesce(event_time_ns::text, '-'),
		coalesce(hold_id || ' ' || hold_remaining || ' ' || hold_released, '-'), coalesce(asked::text, '-'),
		CASE WHEN kind = 'frozen_set' THEN coalesce(details -> 'freeze' ->> 'frozen', 'false') ELSE '-' END) FROM %s.entries ORDER BY sequence`, want)
	want = nil
	for _, id := range append([]string{"@usd/credits", "@usd/debits"}, b.order...) {
		a := b.accounts[id]
		floor := money(a.floor)
		if a.system {
			floor = "-"
		}
		want = append(want, fmt.Sprintf("%s|%s|%s|%s|%s|%s|%v|%v|%v|%d|%d", id, money(a.posted), money(a.held), floor, optional(a.ceiling), optional(a.low), a.frozen, a.closed, a.system, a.opened, a.last))
	}
	same("accounts", `SELECT concat_ws('|', id, posted, held, coalesce(floor::text, '-'), coalesce(ceiling::text, '-'), coalesce(low_balance::text, '-'),
		frozen::text, closed::text, system::text, opened_sequence, last_sequence) FROM %s.accounts ORDER BY opened_sequence, id`, want)
	want = nil
	for _, h := range b.holds {
		want = append(want, fmt.Sprintf("%d|%s|%s|%s|%s|%s|%s|%d", h.created, h.id, h.account, h.state, money(h.amount), money(h.captured), money(h.remaining), h.last))
	}
	same("holds", `SELECT concat_ws('|', created_sequence, id, account, state, amount, captured, remaining, last_sequence) FROM %s.holds ORDER BY created_sequence`, want)
	newest := b.entries[len(b.entries)-1]
	same("position", `SELECT concat_ws(' ', sequence, link, log_time_ns) FROM %s.position`,
		[]string{fmt.Sprintf("%d %d %d", newest.Sequence, int64(link(newest.Sequence)), newest.LogTime)})
	same("ledgers", `SELECT concat_ws(' ', name, asset, scale, created_sequence) FROM %s.ledgers`, []string{"usd USD 2 1"})
}

func configOf(connect, schema string) Config {
	return Config{Connect: connect, Schema: schema, ClusterID: cluster, Batch: 30, Timeout: time.Minute, Once: true}
}

// TestExactlyOnce: however often a sink is stopped and its session with the database killed, at random points, the tables have each
// entry once.
func TestExactlyOnce(t *testing.T) {
	server := pgtest.Start(t)
	for seed := range uint64(2) {
		connect := server.Database(t, fmt.Sprintf("books%d", seed))
		c := configOf(connect, "ballast")
		if err := Create(t.Context(), &c); err != nil {
			t.Fatal(err)
		}
		b := newBook(seed)
		rng := rand.New(rand.NewPCG(seed, 2))
		for range 6 {
			b.grow(40 + rng.IntN(100))
			disturb(t, b, c, server.Connect("postgres"), rng)
		}
		if err := Run(t.Context(), b, c); err != nil {
			t.Fatal(err)
		}
		b.check(t, connect, "ballast")
	}
}

// disturb runs a sink and, after a random number of parts of the feed, stops it or kills all sessions with its database.
func disturb(t *testing.T, b *book, c Config, admin string, rng *rand.Rand) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c.Once = rng.IntN(2) == 0
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, b, c) }()
	wait := rng.IntN(12)
	for told := 0; told < wait; {
		b.mu.Lock()
		told, b.told = told+b.told, 0
		b.mu.Unlock()
		select {
		case err := <-ended:
			if err != nil {
				t.Fatal(err)
			}
			return
		case <-time.After(time.Millisecond):
		}
	}
	if rng.IntN(2) == 0 {
		pgtest.Do(t, admin, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname LIKE 'books%'")
		for range rng.IntN(5) {
			time.Sleep(time.Duration(rng.IntN(3)) * time.Millisecond) // no condition: any time will do
		}
	}
	cancel()
	if err := <-ended; err != nil && !strings.Contains(err.Error(), "terminating connection") {
		t.Fatal(err)
	}
}

// TestRefusals: what needs a person is said, and nothing is written.
func TestRefusals(t *testing.T) {
	server := pgtest.Start(t)
	connect := server.Database(t, "books")
	b := newBook(1).grow(50)
	c := configOf(connect, "ballast")
	want := func(what string, err, kind error, says string) {
		t.Helper()
		if err == nil || kind != nil && !errors.Is(err, kind) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %v that says %q", what, err, kind, says)
		}
	}
	want("no tables", Run(t.Context(), b, c), ErrNoSchema, "--create")
	if err := Create(t.Context(), &c); err != nil {
		t.Fatal(err)
	}
	want("made twice", Create(t.Context(), &c), ErrExists, "leave --create out")
	if err := Run(t.Context(), b, c); err != nil {
		t.Fatal(err)
	}
	b.check(t, connect, "ballast")

	other := c
	other.ClusterID = "6f6f5c2e-1f53-4bb6-a3a7-000000000001"
	want("another cluster", Run(t.Context(), b, other), ErrOtherCluster, "is of cluster "+cluster)

	short := c
	short.Timeout = 300 * time.Millisecond
	holder, err := open(t.Context(), &c)
	if err != nil {
		t.Fatal(err)
	}
	want("another sink", Run(t.Context(), b, short), ErrOtherSink, "one is enough")
	if err := holder.close(time.Minute); err != nil {
		t.Fatal(err)
	}

	b.breaks = 1
	want("expired", Run(t.Context(), b, c), nil, "the oldest entry that is kept is 7")
	pgtest.Do(t, connect, "UPDATE ballast.position SET link = link + 1")
	want("another history", Run(t.Context(), b, c), ErrOtherCluster, "make the tables anew")
	pgtest.Do(t, connect, "UPDATE ballast.position SET link = link - 1, schema_version = 2")
	want("another version", Run(t.Context(), b, c), ErrOtherVersion, "expected 1")
	pgtest.Do(t, connect, "UPDATE ballast.position SET schema_version = 1", "DELETE FROM ballast.holds", "DELETE FROM ballast.accounts WHERE NOT system")
	b.grow(50)
	want("somebody else's change", Run(t.Context(), b, c), ErrRows, "make them anew")
	checkWhole(t, connect)

	nowhere := configOf("host=/nonexistent dbname=x", "ballast")
	if err := Run(t.Context(), b, nowhere); err == nil {
		t.Error("a database that is not there is no error")
	}
}

// checkWhole: nothing was written with the failed batch.
func checkWhole(t *testing.T, connect string) {
	t.Helper()
	position := rows(t, connect, "SELECT sequence::text FROM ballast.position")
	newest := rows(t, connect, "SELECT max(sequence)::text FROM ballast.entries")
	if position[0] != newest[0] {
		t.Errorf("the position is %s, the newest entry %s", position[0], newest[0])
	}
}

func TestSchema(t *testing.T) {
	for _, bad := range []string{"", "Ballast", "a-b", "1a", "pg_x", "a;b", strings.Repeat("a", 64)} {
		if CheckSchema(bad) == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	if err := CheckSchema("books_2"); err != nil {
		t.Error(err)
	}
	made := DDL("books_2")
	if strings.Contains(made, "ballast.") || strings.Contains(made, "SCHEMA ballast") || strings.Count(made, "books_2.") < 10 {
		t.Error(made)
	}
}
