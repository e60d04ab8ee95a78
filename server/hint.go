package server

import (
	"google.golang.org/grpc/codes"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// withLeader returns err as a Failure that says where the leader is, where that is of use. It never changes err, which
// many callers may share. A member that neither leads nor knows who does is unavailable, not merely the wrong one.
func withLeader(err error, leader func() *ballastv1.LeaderHint) *Failure {
	failure := *asFailure(err)
	notLeader := failure.Reason == ballastv1.Reason_REASON_NOT_LEADER
	if failure.Leader != nil || !notLeader && failure.Code != codes.Unavailable {
		return &failure
	}
	failure.Leader = leader()
	if failure.Leader == nil && notLeader {
		failure.Code = codes.Unavailable
		failure.Message = "there is no leader that this member knows of: try again, or another member"
		failure.RetryAfter = retrySoon
	}
	return &failure
}
