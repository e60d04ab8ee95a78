package raftfloor

import (
	"context"
	"errors"
	"sync"

	"github.com/hashicorp/raft"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

const (
	// OperationBytes is what an operation weighs here: about a transfer in a Ballast proposal.
	OperationBytes = 64
	// A proposal is filled up to proposalOperations, 256 KiB, and inFlight of them are unanswered, as in Ballast.
	proposalOperations = 256 << 10 / OperationBytes
	inFlight           = 4
	// queued calls wait to be packed; further callers wait to be queued.
	queued = 1024
)

var errClosed = errors.New("the floor is closed")

// packer puts the operations of waiting callers into common proposals, in order, as any server would.
type packer struct {
	follower // of propose alone
	calls    chan call
	ctx      context.Context
	cancel   context.CancelFunc
	wg       sync.WaitGroup
}

type call struct {
	operations int
	done       chan error
}

type proposed struct {
	future raft.ApplyFuture
	calls  []call
}

func newPacker(members []*raft.Raft, leader *raft.Raft) *packer {
	p := &packer{follower: follower{members: members, leader: leader}, calls: make(chan call, queued)}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	proposals := make(chan proposed, inFlight-1)
	p.wg.Go(func() { p.propose(proposals) })
	p.wg.Go(func() { settle(proposals) })
	return p
}

// close ends the packer; callers that wait learn errClosed.
func (p *packer) close() {
	p.cancel()
	p.wg.Wait()
}

// Submit proposes as many bytes as the operations would weigh, and waits until they are applied.
func (f *Floor) Submit(ctx context.Context, ops []*ballastv1.Operation) (refused int, err error) {
	c := call{operations: len(ops), done: make(chan error, 1)}
	select {
	case f.packer.calls <- c:
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-f.packer.ctx.Done():
		return 0, errClosed
	}
	select {
	case err := <-c.done:
		return 0, err
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-f.packer.ctx.Done():
		return 0, errClosed
	}
}

// propose packs what waits, until the packer is closed.
func (p *packer) propose(proposals chan<- proposed) {
	defer close(proposals)
	for {
		select {
		case <-p.ctx.Done():
			return
		case c := <-p.calls:
			calls, operations := p.gather(c)
			future := p.Apply(make([]byte, operations*OperationBytes), 0)
			proposals <- proposed{future: future, calls: calls}
		}
	}
}

// gather takes what waits behind the first call, up to a proposal.
func (p *packer) gather(first call) (calls []call, operations int) {
	calls, operations = append(calls, first), first.operations
	for operations < proposalOperations {
		select {
		case c := <-p.calls:
			calls, operations = append(calls, c), operations+c.operations
		default:
			return calls, operations
		}
	}
	return calls, operations
}

// settle answers callers in order of their proposals.
func settle(proposals <-chan proposed) {
	for p := range proposals {
		err := p.future.Error()
		for _, c := range p.calls {
			c.done <- err
		}
	}
}
