package reconcile

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ballastdb/ballast/internal/pgtest"
)

// TestPostgres: numbers of every type come with all of their digits, both queries see one moment, and what is wrong is said.
func TestPostgres(t *testing.T) {
	connect := pgtest.Start(t).Database(t, "billing")
	pgtest.Do(t, connect,
		`CREATE TABLE accounts (id text, balance numeric(20, 2), cents bigint)`,
		`INSERT INTO accounts VALUES ('a', 12.50, 1250), ('ü b', -92233720368547758.08, -9223372036854775808), ('none', NULL, 0)`,
		`CREATE TABLE position (sequence bigint)`, `INSERT INTO position VALUES (17)`,
	)
	for name, c := range map[string]struct{ query, position, want string }{
		"numeric":             {"SELECT id, balance FROM accounts WHERE balance IS NOT NULL ORDER BY cents DESC", "", "a=12.50 ü b=-92233720368547758.08 | 0"},
		"computed":            {"SELECT id, cents / 100.00 FROM accounts WHERE id = 'a'", "SELECT sequence FROM position", "a=12.5000000000000000 | 17"},
		"bigint":              {"SELECT id, cents FROM accounts ORDER BY id LIMIT 1;", "", "a=1250 | 0"},
		"no rows":             {"SELECT id, balance FROM accounts WHERE false", "", "| 0"},
		"null":                {"SELECT id, balance FROM accounts WHERE id = 'none'", "", "row 1: column 2 is null"},
		"one column":          {"SELECT id FROM accounts", "", "1 columns, expected 2"},
		"an error":            {"SELECT nothing FROM nowhere", "", `relation "nowhere" does not exist`},
		"an error in the end": {"SELECT id, 1 / (cents - 1250) FROM accounts ORDER BY cents", "", "division by zero"},
		"two queries":         {"SELECT id, cents FROM accounts LIMIT 1; SELECT 1", "", "more than one query"},
		"a change":            {"DELETE FROM accounts RETURNING id, cents", "", "read-only transaction"},
		"no position":         {"SELECT id, cents FROM accounts", "SELECT sequence FROM position WHERE false", "answers 0 rows"},
		"a position of none":  {"SELECT id, cents FROM accounts", "SELECT 0", "expected a sequence number"},
	} {
		t.Run(name, func(t *testing.T) {
			book := &Postgres{Connect: connect, Query: c.query, AsOf: c.position, Timeout: time.Minute}
			got := ""
			for row, err := range book.Rows(t.Context()) {
				if err != nil {
					got = err.Error()
					break
				}
				got += row.Account + "=" + row.Balance + " "
			}
			got += fmt.Sprintf("| %d", book.Sequence())
			if !strings.Contains(got, c.want) {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
	book := &Postgres{Connect: connect, Query: "SELECT id, cents FROM accounts", Timeout: time.Minute}
	for _, err := range book.Rows(t.Context()) { // who has enough leaves nothing behind
		if err != nil {
			t.Error(err)
		}
		break
	}
	nowhere := &Postgres{Connect: "host=/nonexistent dbname=x", Query: "SELECT 1, 2", Timeout: time.Minute}
	for _, err := range nowhere.Rows(t.Context()) {
		if err == nil {
			t.Error("rows from a server that is not there")
		}
	}
}
