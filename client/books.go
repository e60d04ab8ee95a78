package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"

	"google.golang.org/grpc/codes"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// ErrBooksCut: an export ended without its last piece, or rows are missing: what came of it is of no use.
var ErrBooksCut = errors.New("the export was cut short")

// Books are accounts or entries on their way from a member, all as they are at one log index. Close them.
type Books[T any] struct {
	// Head says what they show.
	Head *ballastv1.BooksHead

	next func() (piece[T], error)
	done func()
}

// piece is what came at once.
type piece[T any] struct {
	head *ballastv1.BooksHead
	rows []T
	all  *uint64 // in the last piece: how many rows there were
}

// ExportAccounts asks the member at one endpoint, a client address, for all accounts as they are at one index. ctx bounds all of it;
// a member that sends nothing for a minute ends it, too. It is asked once.
func (c *Client) ExportAccounts(ctx context.Context, endpoint string, request *ballastv1.ExportAccountsRequest) (*Books[*ballastv1.Account], error) {
	in, err := receiveFrom(ctx, c, endpoint, func(ctx context.Context, l *link) (func() (*ballastv1.ExportAccountsResponse, error), error) {
		stream, err := l.books.ExportAccounts(ctx, request)
		if err != nil {
			return nil, err
		}
		return stream.Recv, nil
	})
	if err != nil {
		return nil, err
	}
	return openBooks(in, func(r *ballastv1.ExportAccountsResponse) piece[*ballastv1.Account] {
		return piece[*ballastv1.Account]{r.GetHead(), r.GetAccounts(), r.Rows}
	})
}

// ExportEntries asks the member at one endpoint, a client address, for entries up to the newest at one index, as ExportAccounts does.
func (c *Client) ExportEntries(ctx context.Context, endpoint string, request *ballastv1.ExportEntriesRequest) (*Books[*ballastv1.Entry], error) {
	in, err := receiveFrom(ctx, c, endpoint, func(ctx context.Context, l *link) (func() (*ballastv1.ExportEntriesResponse, error), error) {
		stream, err := l.books.ExportEntries(ctx, request)
		if err != nil {
			return nil, err
		}
		return stream.Recv, nil
	})
	if err != nil {
		return nil, err
	}
	return openBooks(in, func(r *ballastv1.ExportEntriesResponse) piece[*ballastv1.Entry] {
		return piece[*ballastv1.Entry]{r.GetHead(), r.GetEntries(), r.Rows}
	})
}

func openBooks[R, T any](in *incoming[R], read func(*R) piece[T]) (*Books[T], error) {
	next := func() (piece[T], error) {
		r, err := in.receive()
		switch {
		case errors.Is(err, io.EOF):
			return piece[T]{}, in.cut("it ended without its last piece")
		case err != nil:
			return piece[T]{}, in.failed(err)
		}
		return read(r), nil
	}
	first, err := next()
	if err == nil && first.head == nil {
		err = in.cut("it began without saying what it shows")
	}
	if err != nil {
		return nil, err
	}
	return &Books[T]{Head: first.head, next: next, done: in.close}, nil
}

// cut ends the call and says that it gave less than all.
func (in *incoming[T]) cut(how string) error {
	in.close()
	return fmt.Errorf("%w: %w", ErrBooksCut, notSent(in.endpoint, codes.DataLoss, how, nil).asError())
}

// Rows yields all rows, once. It ends after the first error; only where there is none all of them came.
func (b *Books[T]) Rows() iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		defer b.done()
		for rows := uint64(0); ; {
			p, err := b.next()
			if err == nil && p.all != nil && *p.all != rows {
				err = fmt.Errorf("%w: %d rows came of %d", ErrBooksCut, rows, *p.all)
			}
			if err != nil {
				yield(*new(T), err)
				return
			}
			if p.all != nil {
				return
			}
			for _, row := range p.rows {
				if !yield(row, nil) {
					return
				}
			}
			rows += uint64(len(p.rows))
		}
	}
}

// Close ends the call where it has not ended.
func (b *Books[T]) Close() { b.done() }
