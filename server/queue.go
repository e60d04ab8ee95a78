package server

import (
	"context"
	"sync"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/ballastdb/ballast/fsm/ledger"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// pending is one admitted request.
type pending struct {
	ctx     context.Context
	encoded []byte
	count   int
	// answer gets exactly one value from whoever owns the request, and is never waited for by the sender.
	answer chan answer
	// admitted is when it was given to the queue.
	admitted time.Time

	// Guarded by the queue's lock. waiting: linked into the queue.
	waiting    bool
	prev, next *pending
}

// answer is what became of a request: applied, or a failure.
type answer struct {
	applied Applied
	failure *Failure
}

// Applied is the answer to a request that was applied.
type Applied struct {
	// Results has one result for each operation, in order.
	Results []ledger.Result
	// LogTime is the log time at which the request was applied, Unix nanoseconds.
	LogTime int64
}

// queue holds requests until the packer takes them, in order of admission.
//
//	0 <= ops <= maxOps, 0 <= bytes <= maxBytes
type queue struct {
	maxOps, maxBytes int
	// ready has a token while the queue may hold requests.
	ready chan struct{}

	mu         sync.Mutex
	closed     bool
	head, tail *pending
	ops, bytes int
}

func newQueue(maxOps, maxBytes int) *queue {
	return &queue{maxOps: maxOps, maxBytes: maxBytes, ready: make(chan struct{}, 1)}
}

// push admits p, or tells why not.
func (q *queue) push(p *pending) *Failure {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return stopping()
	}
	if q.ops+p.count > q.maxOps || q.bytes+len(p.encoded) > q.maxBytes {
		f := notDone(codes.ResourceExhausted, "the queue of operations is full: wait, then retry")
		f.RetryAfter = retrySoon
		return f
	}
	p.waiting, p.prev = true, q.tail
	if q.tail == nil {
		q.head = p
	} else {
		q.tail.next = p
	}
	q.tail = p
	q.ops += p.count
	q.bytes += len(p.encoded)
	q.wake()
	return nil
}

// remove drops p if it still waits, and reports whether it did. After true nobody else will ever see p.
func (q *queue) remove(p *pending) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !p.waiting {
		return false
	}
	q.unlink(p)
	return true
}

// take removes the oldest requests that fit into one proposal of maxOps operations and maxBytes bytes, at least one
// where any waits. Requests whose wait is over are dropped and answered on the way.
func (q *queue) take(maxOps, maxBytes int) []*pending {
	q.mu.Lock()
	defer q.mu.Unlock()
	var batch []*pending
	ops, bytes := 0, 0
	for p := q.head; p != nil; p = q.head {
		if failure := overdue(p.ctx); failure != nil {
			q.unlink(p)
			p.reply(answer{failure: failure})
			continue
		}
		if len(batch) > 0 && (ops+p.count > maxOps || bytes+len(p.encoded) > maxBytes) {
			q.wake()
			break
		}
		q.unlink(p)
		ops += p.count
		bytes += len(p.encoded)
		batch = append(batch, p)
	}
	return batch
}

// close refuses what comes and answers what waits.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	for p := q.head; p != nil; p = q.head {
		q.unlink(p)
		p.reply(answer{failure: stopping()})
	}
}

func (q *queue) empty() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.head == nil
}

func (q *queue) load() (operations, bytes int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.ops, q.bytes
}

func (q *queue) unlink(p *pending) {
	if p.prev == nil {
		q.head = p.next
	} else {
		p.prev.next = p.next
	}
	if p.next == nil {
		q.tail = p.prev
	} else {
		p.next.prev = p.prev
	}
	p.waiting, p.prev, p.next = false, nil, nil
	q.ops -= p.count
	q.bytes -= len(p.encoded)
}

func (q *queue) wake() {
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// overdue tells why a request that was not proposed yet must not be any more. Deadlines are compared here too, because
// a context's own timer may be late on a busy machine.
func overdue(ctx context.Context) *Failure {
	if err := ctx.Err(); err != nil {
		return contextFailure(err, ballastv1.Outcome_OUTCOME_NOT_DONE)
	}
	if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
		return contextFailure(context.DeadlineExceeded, ballastv1.Outcome_OUTCOME_NOT_DONE)
	}
	return nil
}
