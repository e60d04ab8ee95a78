package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// backupIdle is how long a member may send nothing of a backup.
const backupIdle = time.Minute

// errBackupIdle: a member sends nothing of the backup that it gives.
var errBackupIdle = fmt.Errorf("nothing of the backup came for %v", backupIdle)

// Backup is a backup on its way from a member. Read it to its end, which is io.EOF only where all of it came; Close it.
type Backup struct {
	// Index is the log index that it shows, Expected about how many bytes it has.
	Index, Expected uint64

	endpoint string
	next     func() (*ballastv1.BackupResponse, error)
	end      context.CancelCauseFunc
	ctx      context.Context // of the call, which Close ends
	idle     *time.Timer
	rest     []byte
}

// Backup asks the member at one endpoint, a client or an operator address, for a backup of its newest snapshot, which must be of
// index least or later, with the journal up to it. fromLeader: also where it leads others, whose callers feel it. ctx bounds all of
// it; a member that sends nothing for a minute ends it, too.
func (o *Operator) Backup(ctx context.Context, endpoint string, least uint64, fromLeader bool) (*Backup, error) {
	l, err := o.c.links.get(endpoint)
	if err != nil {
		return nil, failureHere(endpoint, err).asError()
	}
	b := &Backup{endpoint: endpoint}
	b.ctx, b.end = context.WithCancelCause(ctx)
	b.idle = time.AfterFunc(backupIdle, func() { b.end(errBackupIdle) })
	stream, err := l.operator.Backup(b.ctx, &ballastv1.BackupRequest{LeastIndex: least, FromLeader: fromLeader})
	if err != nil {
		return nil, b.failed(err)
	}
	b.next = stream.Recv
	first, err := b.receive()
	if err != nil {
		return nil, b.failed(err)
	}
	b.Index, b.Expected, b.rest = first.GetIndex(), first.GetExpectedBytes(), first.GetData()
	return b, nil
}

// Read is io.Reader's.
func (b *Backup) Read(p []byte) (int, error) {
	for len(b.rest) == 0 {
		piece, err := b.receive()
		if errors.Is(err, io.EOF) {
			return 0, io.EOF
		}
		if err != nil {
			return 0, b.failed(err)
		}
		b.rest = piece.GetData()
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

// Close ends the call where it has not ended.
func (b *Backup) Close() {
	b.idle.Stop()
	b.end(nil)
}

// receive waits for a piece. What is done with it is not the member's time.
func (b *Backup) receive() (*ballastv1.BackupResponse, error) {
	b.idle.Reset(backupIdle)
	piece, err := b.next()
	b.idle.Stop()
	return piece, err
}

// failed ends the call and tells why.
func (b *Backup) failed(err error) error {
	cause := context.Cause(b.ctx)
	b.Close()
	if errors.Is(cause, errBackupIdle) {
		return failureHere(b.endpoint, cause).asError()
	}
	return failureOf(b.endpoint, err).asError()
}
