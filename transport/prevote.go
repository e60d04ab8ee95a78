package transport

import (
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ballastdb/ballast/internal/guard"
)

// preVoteError makes the raft library understand a peer that knows no pre-vote: one whose service lacks the method says
// UNIMPLEMENTED in gRPC's words, one whose raft lacks it says UNIMPLEMENTED in raft's.
func preVoteError(err error) error {
	if guard.On("prevote") && err != nil && status.Code(err) == codes.Unimplemented {
		return fmt.Errorf("%s: %w", unexpectedCommand, err)
	}
	return err
}
