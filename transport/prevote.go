package transport

import (
	"fmt"

	"github.com/hashicorp/raft"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ballastdb/ballast/internal/guard"
)

// silent is the leader that raft believes in and nobody hears any more; empty: there is none. Raft refuses votes while it believes in a
// leader, up to three election timeouts after it last heard of it, for it looks only when a timer fires; whoever noticed earlier
// asked in vain, and waits for another one to two timeouts. So what asks for a vote is made to look as raft lets it
// pass: in the name of that leader, or, a vote, in a transfer of leadership. Both flags do nothing else in raft v1.7.3.
func (s *service) silent() raft.ServerAddress {
	if !guard.On("silent-leader") {
		return ""
	}
	return s.transport.config.Silent()
}

// preVoteError makes the raft library understand a peer that knows no pre-vote: one whose service lacks the method says
// UNIMPLEMENTED in gRPC's words, one whose raft lacks it says UNIMPLEMENTED in raft's.
func preVoteError(err error) error {
	if guard.On("prevote") && err != nil && status.Code(err) == codes.Unimplemented {
		return fmt.Errorf("%s: %w", unexpectedCommand, err)
	}
	return err
}
