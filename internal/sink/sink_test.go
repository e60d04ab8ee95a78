package sink

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/ballastdb/ballast/client/amount"
	"github.com/ballastdb/ballast/internal/pgtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const cluster = "6f6f5c2e-1f53-4bb6-a3a7-000000000000"

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
