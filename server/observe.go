package server

import (
	"time"

	"google.golang.org/grpc/codes"
)

// Observer is told what happens where requests and proposals pass. Its methods are called on those ways, from many
// goroutines: they must not wait, and they must be cheap.
type Observer interface {
	// Call: a call of a client or an operator was answered. A stream is one call, and its time says little.
	Call(method string, code codes.Code, took time.Duration)
	// Refused: a request was not admitted, because the queue was full.
	Refused()
	// Proposed: a proposal of so many operations and bytes goes to raft.
	Proposed(operations, bytes int)
	// Committed: a proposal was committed and applied here, so long after raft got it.
	Committed(took time.Duration)
	// Answered: an admitted request was answered by the state machine, so long after it was admitted.
	Answered(took time.Duration)
}

// unobserved is the Observer of who needs none.
type unobserved struct{}

func (unobserved) Call(string, codes.Code, time.Duration) {}
func (unobserved) Refused()                               {}
func (unobserved) Proposed(int, int)                      {}
func (unobserved) Committed(time.Duration)                {}
func (unobserved) Answered(time.Duration)                 {}
