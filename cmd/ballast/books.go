package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"github.com/ballastdb/ballast/client"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// booksSource is where whole books are taken from.
type booksSource struct {
	from  string
	stale bool
}

func (s *booksSource) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&s.from, "from", "", "the member to take them from by its `name`, the leader too (default: a follower)")
	flags.BoolVar(&s.stale, "stale", false, "take what the member has, also without a majority")
}

// booksRequest is what every request for books says.
type booksRequest struct {
	endpoint   string
	least      uint64
	fromLeader bool
}

// openBooks finds a member that gives books, and asks it: for what it has, or for all that was acknowledged before.
func openBooks[T any](
	ctx context.Context, a *app, c *client.Client, from booksSource, open func(context.Context, booksRequest) (*client.Books[T], error),
) (*client.Books[T], error) {
	wait, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	least := uint64(0)
	if !from.stale {
		if _, err := c.Ledgers(wait, client.OnState(func(s *ballastv1.ReadState) { least = s.GetIndex() })); err != nil {
			return nil, err
		}
	}
	refused := map[string]error{} // by members' names, of this round
	for {
		status, endpoint, err := chooseSource(lookAround(wait, c), from.from, func(s *ballastv1.StatusResponse) error { return refused[s.GetName()] })
		if err == nil {
			books, err := open(ctx, booksRequest{endpoint: endpoint, least: least, fromLeader: from.from != ""})
			if err == nil || !errors.Is(err, client.ErrUnavailable) || ctx.Err() != nil {
				return books, err
			}
			refused[status.GetName()] = err
			continue
		}
		clear(refused)
		select {
		case <-wait.Done():
			return nil, codeError{code: exitUnavailable, err: err}
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// ticker tells a person now and then how far something is.
type ticker struct {
	a    *app
	said time.Time
}

const tickEvery = 2 * time.Second

func (a *app) newTicker() *ticker { return &ticker{a: a, said: time.Now()} }

func (t *ticker) at(rows, expected uint64) {
	if rows%1024 == 0 && time.Since(t.said) >= tickEvery {
		t.said = time.Now()
		t.a.note("%d of about %d rows", rows, expected)
	}
}

// brokeOff says that what came of books is of no use.
func brokeOff(err error, rows uint64) error {
	return fmt.Errorf("it broke off after %d rows, which are of no use: run it again: %w", rows, err)
}
