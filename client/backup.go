package client

import (
	"context"
	"errors"
	"io"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// Backup is a backup on its way from a member. Read it to its end, which is io.EOF only where all of it came; Close it.
type Backup struct {
	// Index is the log index that it shows, Expected about how many bytes it has.
	Index, Expected uint64

	in   *incoming[ballastv1.BackupResponse]
	rest []byte
}

// Backup asks the member at one endpoint, a client or an operator address, for a backup of its newest snapshot, which must be of
// index least or later, with the journal up to it. fromLeader: also where it leads others, whose callers feel it. ctx bounds all of
// it; a member that sends nothing for a minute ends it, too.
func (o *Operator) Backup(ctx context.Context, endpoint string, least uint64, fromLeader bool) (*Backup, error) {
	in, err := receiveFrom(ctx, o.c, endpoint, func(ctx context.Context, l *link) (func() (*ballastv1.BackupResponse, error), error) {
		stream, err := l.operator.Backup(ctx, &ballastv1.BackupRequest{LeastIndex: least, FromLeader: fromLeader})
		if err != nil {
			return nil, err
		}
		return stream.Recv, nil
	})
	if err != nil {
		return nil, err
	}
	first, err := in.receive()
	if err != nil {
		return nil, in.failed(err)
	}
	return &Backup{Index: first.GetIndex(), Expected: first.GetExpectedBytes(), in: in, rest: first.GetData()}, nil
}

// Read is io.Reader's.
func (b *Backup) Read(p []byte) (int, error) {
	for len(b.rest) == 0 {
		piece, err := b.in.receive()
		if errors.Is(err, io.EOF) {
			return 0, io.EOF
		}
		if err != nil {
			return 0, b.in.failed(err)
		}
		b.rest = piece.GetData()
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

// Close ends the call where it has not ended.
func (b *Backup) Close() { b.in.close() }
