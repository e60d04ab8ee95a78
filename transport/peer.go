package transport

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"
	"google.golang.org/grpc"

	raftv1 "github.com/ballastdb/ballast/proto/raft/v1"
)

// peer owns everything that goes to one member at one address: its connections, and a bound on every wait for it.
type peer struct {
	transport   *Transport
	id          raft.ServerID
	address     raft.ServerAddress
	incarnation [16]byte

	// control carries what is small and urgent: heartbeats, votes, confirmations. appends carries entries, installs a
	// snapshot. Each is a connection of its own, so that none waits behind the bytes of another.
	control, appends, installs *lane
}

func newPeer(t *Transport, id raft.ServerID, address raft.ServerAddress) (*peer, error) {
	name, incarnation, err := ParseServerID(id)
	if err != nil {
		return nil, err
	}
	p := &peer{transport: t, id: id, address: address, incarnation: incarnation}
	for _, l := range []**lane{&p.control, &p.appends, &p.installs} {
		if *l, err = newLane(&t.config, name, string(address)); err != nil {
			return nil, errors.Join(fmt.Errorf("peer %s at %s: %w", id, address, err), p.close())
		}
	}
	return p, nil
}

func (p *peer) close() error {
	var errs []error
	for _, l := range []*lane{p.control, p.appends, p.installs} {
		if l != nil {
			errs = append(errs, l.connection.Close())
		}
	}
	return errors.Join(errs...)
}

func (p *peer) envelope() *raftv1.Envelope { return p.transport.config.envelope(p.incarnation) }

// method is one of RaftServiceClient's unary methods.
type method[Q, A any] func(raftv1.RaftServiceClient, context.Context, *Q, ...grpc.CallOption) (*A, error)

// call makes one call with a deadline. It waits, within that deadline, for a peer that cannot be reached: raft doubles its
// pause after every failed call, so failing at once would keep a peer that is back waiting for seconds.
func call[Q, A any](p *peer, l *lane, what string, limit time.Duration, m method[Q, A], request *Q) (*A, error) {
	ctx, cancel := context.WithTimeout(p.transport.calls, limit)
	defer cancel()
	answer, err := m(l.client, ctx, request, grpc.WaitForReady(true))
	if err == nil {
		return answer, nil
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		p.probe(l)
	}
	return nil, p.callError(ctx, what, err)
}

// probe finds out, after a call that was not answered in time, whether the connection is dead or only raft is busy: the
// peer confirms its term without raft. A dead one is closed, and gRPC opens another. After a partition TCP would repeat
// itself ever more slowly, and with it every call that waits for it.
func (p *peer) probe(l *lane) {
	socket := l.socket.get()
	if socket == nil || p.transport.calls.Err() != nil {
		return
	}
	ctx, cancel := context.WithTimeout(p.transport.calls, p.transport.config.Timeouts.Probe)
	defer cancel()
	_, err := l.client.ConfirmTerm(ctx, &raftv1.ConfirmTermRequest{Envelope: p.envelope()})
	if err == nil || !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return
	}
	p.transport.config.Logger.Info("gave up a connection on which the peer is silent", "peer", p.id, "address", p.address)
	_ = socket.Close()
	// What is dead for one is dead for the other; an append has a long deadline and would find out late.
	if other := p.appends.socket.get(); l == p.control && other != nil {
		_ = other.Close()
	}
}
