package client

import (
	"time"

	"google.golang.org/grpc/codes"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// call is one try of one caller's operations at one member. It is used once; a retry makes another one.
type call struct {
	operations []byte // encoded by encodeOperations, never changed
	count      int
	// alone: share the request with nobody.
	alone bool
	// expires is when the caller stops to wait for this try.
	expires time.Time
	// done receives the one answer, if there is one. Room for one, so that the lane never waits for a caller.
	done chan answer
	// state is guarded by the lane's mutex.
	state callState
}

type callState uint8

const (
	callWaiting callState = iota // in the lane's queue
	callSent                     // handed to the stream, or about to be
	callLeft                     // withdrawn before it was sent
	callAnswered
)

// answer is what became of a call: results or a failure.
type answer struct {
	results wireResults
	failure *failure
}

// open reads the results, if there are any.
func (a answer) open(endpoint string) ([]*ballastv1.Result, *failure) {
	if a.failure != nil {
		return nil, a.failure
	}
	results, err := a.results.read()
	if err != nil {
		return nil, &failure{endpoint: endpoint, code: codes.Internal, message: "the answer does not decode", cause: err, maybe: true}
	}
	return results, nil
}

// request is a stream request in flight: some calls, answered together.
type request struct {
	tag   uint64
	calls []*call
	count int
	sent  time.Time
	// expires and latest are the first and the last of its calls' own expires.
	expires, latest time.Time
}

// shared reports whether several callers' operations are in it.
func (r *request) shared() bool { return len(r.calls) > 1 }
