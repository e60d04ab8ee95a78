package client_test

import (
	"errors"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/ballastdb/ballast/client"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// books are what a fake member gives, and then ends with.
type books struct {
	accounts []*ballastv1.ExportAccountsResponse
	entries  []*ballastv1.ExportEntriesResponse
	err      error
}

func (m *fakeMember) ExportAccounts(_ *ballastv1.ExportAccountsRequest, stream grpc.ServerStreamingServer[ballastv1.ExportAccountsResponse]) error {
	for _, piece := range m.books.accounts {
		if err := stream.Send(piece); err != nil {
			return err
		}
	}
	return m.books.err
}

func (m *fakeMember) ExportEntries(_ *ballastv1.ExportEntriesRequest, stream grpc.ServerStreamingServer[ballastv1.ExportEntriesResponse]) error {
	for _, piece := range m.books.entries {
		if err := stream.Send(piece); err != nil {
			return err
		}
	}
	return m.books.err
}

// TestBooksAreWholeOrAnError: rows come to an end without an error only where all of them came.
func TestBooksAreWholeOrAnError(t *testing.T) {
	c, _, members := startTest(t, 1, 1)
	head := &ballastv1.ExportAccountsResponse{Head: &ballastv1.BooksHead{Index: 9}}
	rows := &ballastv1.ExportAccountsResponse{Accounts: []*ballastv1.Account{{Id: "a"}, {Id: "b"}}}
	last := func(n uint64) *ballastv1.ExportAccountsResponse {
		return &ballastv1.ExportAccountsResponse{Rows: proto.Uint64(n)}
	}
	for name, test := range map[string]struct {
		pieces []*ballastv1.ExportAccountsResponse
		err    error // of the member
		want   error
		rows   int
	}{
		"whole":           {[]*ballastv1.ExportAccountsResponse{head, rows, rows, last(4)}, nil, nil, 4},
		"empty":           {[]*ballastv1.ExportAccountsResponse{head, last(0)}, nil, nil, 0},
		"no head":         {[]*ballastv1.ExportAccountsResponse{rows, last(2)}, nil, client.ErrBooksCut, 0},
		"no last piece":   {[]*ballastv1.ExportAccountsResponse{head, rows}, nil, client.ErrBooksCut, 2},
		"nothing":         {nil, nil, client.ErrBooksCut, 0},
		"rows are lost":   {[]*ballastv1.ExportAccountsResponse{head, rows, last(4)}, nil, client.ErrBooksCut, 2},
		"the member ends": {[]*ballastv1.ExportAccountsResponse{head, rows}, status.Error(codes.Unavailable, "it stops"), client.ErrUnavailable, 2},
	} {
		t.Run(name, func(t *testing.T) {
			members[0].books = books{accounts: test.pieces, err: test.err}
			n := 0
			got, err := c.ExportAccounts(within(t, time.Minute), members[0].address, &ballastv1.ExportAccountsRequest{})
			if err == nil {
				if got.Head.GetIndex() != 9 {
					t.Errorf("head %v", got.Head)
				}
				for row, failed := range got.Rows() {
					if err = failed; err == nil && row.GetId() != "" {
						n++
					}
				}
			}
			if !errors.Is(err, test.want) || test.want == nil && err != nil || n != test.rows {
				t.Errorf("%d rows, %v; want %d, %v", n, err, test.rows, test.want)
			}
		})
	}
	members[0].books = books{entries: []*ballastv1.ExportEntriesResponse{
		{Head: &ballastv1.BooksHead{Sequence: 2}}, {Entries: []*ballastv1.Entry{{Scale: 2}, {Scale: 3}}}, {Rows: proto.Uint64(2)},
	}}
	got, err := c.ExportEntries(within(t, time.Minute), members[0].address, &ballastv1.ExportEntriesRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for row, err := range got.Rows() { // who stops early has ended the call
		if err != nil || row.GetScale() != 2 {
			t.Errorf("%v, %v", row, err)
		}
		break
	}
	got.Close()
}
