package reconcile

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// Postgres is another book in a PostgreSQL database: a query's rows. Both queries run in one read-only transaction, and see
// the database as it is at one moment.
type Postgres struct {
	// Connect is a connection string or URL, with the server's usual environment variables (PGHOST, PGPASSWORD, ...) below it.
	Connect string
	// Query answers two columns: accounts and balances, of any types whose text is an id and a decimal.
	Query string
	// AsOf, where it is not empty, is a query that answers one number: the sequence number of our newest entry that the rows show.
	AsOf string
	// Timeout bounds connecting.
	Timeout time.Duration

	sequence uint64
}

// Sequence is Theirs'.
func (p *Postgres) Sequence() uint64 { return p.sequence }

// Rows is Theirs'.
func (p *Postgres) Rows(ctx context.Context) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		if err := p.each(ctx, func(r Row) bool { return yield(r, nil) }); err != nil {
			yield(Row{}, err)
		}
	}
}

func (p *Postgres) each(ctx context.Context, yield func(Row) bool) (err error) {
	wait, cancel := context.WithTimeout(ctx, p.Timeout)
	conn, err := pgconn.Connect(wait, p.Connect)
	cancel()
	if err != nil {
		return err
	}
	defer func() {
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.Timeout)
		defer cancel()
		_ = conn.Close(bounded) // nothing was changed
	}()
	if err := conn.Exec(ctx, "begin isolation level repeatable read read only").Close(); err != nil {
		return err
	}
	if p.AsOf != "" {
		if err := p.asOf(ctx, conn); err != nil {
			return err
		}
	}
	return eachRow(ctx, conn, p.Query, 2, func(n int, cells [][]byte) error {
		if !yield(Row{Account: string(cells[0]), Balance: string(cells[1]), Place: fmt.Sprintf("row %d", n)}) {
			return errEnough
		}
		return nil
	})
}

// errEnough: nobody wants more rows.
var errEnough = errors.New("enough")

func (p *Postgres) asOf(ctx context.Context, conn *pgconn.PgConn) error {
	rows := 0
	err := eachRow(ctx, conn, p.AsOf, 1, func(n int, cells [][]byte) (err error) {
		rows = n
		if p.sequence, err = strconv.ParseUint(string(cells[0]), 10, 64); err != nil || p.sequence == 0 {
			return fmt.Errorf("the query for the position answers %q, expected a sequence number from 1", cells[0])
		}
		return nil
	})
	if err == nil && rows != 1 {
		err = fmt.Errorf("the query for the position answers %d rows, expected 1", rows)
	}
	return err
}

// eachRow runs one query, and yields the texts of its rows, numbered from 1, as the server writes them: a number of any type
// comes with all of its digits.
func eachRow(ctx context.Context, conn *pgconn.PgConn, query string, columns int, yield func(n int, cells [][]byte) error) error {
	results := conn.Exec(ctx, query)
	err := nextResult(results, columns, yield)
	closed := results.Close()
	switch {
	case errors.Is(err, errEnough):
		return nil
	case err != nil:
		return err
	}
	return closed
}

func nextResult(results *pgconn.MultiResultReader, columns int, yield func(n int, cells [][]byte) error) error {
	if !results.NextResult() {
		return nil // Close tells why, or there is no query
	}
	r := results.ResultReader()
	if n := len(r.FieldDescriptions()); n != columns {
		return fmt.Errorf("the query answers %d columns, expected %d", n, columns)
	}
	for n := 1; r.NextRow(); n++ {
		for i, cell := range r.Values() {
			if cell == nil {
				return fmt.Errorf("row %d: column %d is null", n, i+1)
			}
		}
		if err := yield(n, r.Values()); err != nil {
			return err
		}
	}
	if _, err := r.Close(); err != nil {
		return err
	}
	if results.NextResult() {
		return errors.New("the text has more than one query, expected one")
	}
	return nil
}
