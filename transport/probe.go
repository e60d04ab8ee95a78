package transport

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/raft"

	raftv1 "github.com/ballastdb/ballast/proto/raft/v1"
)

// Probe finds out whether a member can be reached now by who is not connected to it yet: by a connection that is made for this, as
// the member's others are, and closed afterwards. It returns what the member's clock showed. ctx must have a deadline.
func (t *Transport) Probe(ctx context.Context, id raft.ServerID, address raft.ServerAddress) (clock time.Time, err error) {
	if t.calls.Err() != nil {
		return time.Time{}, raft.ErrTransportShutdown
	}
	name, incarnation, err := ParseServerID(id)
	if err != nil {
		return time.Time{}, err
	}
	l, err := newLane(&t.config, name, string(address))
	if err != nil {
		return time.Time{}, fmt.Errorf("connect to %s: %w", address, err)
	}
	defer func() { _ = l.connection.Close() }() // fails only when closed twice
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(t.calls, cancel)()
	answer, err := l.client.ConfirmTerm(ctx, &raftv1.ConfirmTermRequest{Envelope: t.config.envelope(incarnation)})
	if err != nil || answer.GetClock() == 0 {
		return time.Time{}, err
	}
	return time.Unix(0, answer.GetClock()), nil
}
