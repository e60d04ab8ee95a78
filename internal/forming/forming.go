// Package forming makes clusters out of running members: the first one is bootstrapped, the others join.
package forming

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/ballastdb/ballast/client"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// Operator is what forming a cluster needs of the client library; *client.Operator is one.
type Operator interface {
	// Status asks the member at an endpoint, once.
	Status(ctx context.Context, endpoint string) (*ballastv1.StatusResponse, error)
	// Bootstrap makes the member at an endpoint the first of a new cluster.
	Bootstrap(ctx context.Context, endpoint string) error
	// AddMember adds a non-voter; repeating it is harmless. The result is the change's log index.
	AddMember(ctx context.Context, member *ballastv1.AddMemberRequest) (uint64, error)
	// PromoteMember makes a non-voter a voter, refused while it is not caught up, and without atOnce while it is not stable.
	PromoteMember(ctx context.Context, name string, atOnce bool) (uint64, error)
}

// pollEvery is how often a member is asked whether it is there yet.
const pollEvery = 100 * time.Millisecond

// askTimeout bounds one question to a member that may be silent.
const askTimeout = 5 * time.Second

// Await waits until the member at an operator address answers.
func Await(ctx context.Context, operator Operator, node string) (*ballastv1.StatusResponse, error) {
	status, err := awaitStatus(ctx, operator, node, func(*ballastv1.StatusResponse) bool { return true })
	if err != nil {
		return nil, fmt.Errorf("no answer from %s, which should be a member's operator address: %w", node, err)
	}
	return status, nil
}

// Bootstrap makes the member at an operator address the first of a new cluster, and waits until it leads.
func Bootstrap(ctx context.Context, operator Operator, node string) error {
	if err := operator.Bootstrap(ctx, node); err != nil {
		return err
	}
	_, err := awaitStatus(ctx, operator, node, func(s *ballastv1.StatusResponse) bool {
		return s.GetRaftState() == ballastv1.RaftState_RAFT_STATE_LEADER
	})
	if err != nil {
		return fmt.Errorf("%s was bootstrapped and does not lead yet: %w", node, err)
	}
	return nil
}

// Join adds the member at an operator address to the cluster, and waits until it is caught up; with vote it is a voter
// in the end. It can be repeated after a failure at any point.
func Join(ctx context.Context, operator Operator, node string, vote bool) error {
	self, err := Await(ctx, operator, node)
	if err != nil {
		return err
	}
	request := &ballastv1.AddMemberRequest{
		Id: self.GetId(), ClusterId: self.GetClusterId(), RecoveryEpoch: self.GetRecoveryEpoch(), MemberAddress: self.GetMemberAddress(),
		ClientAddress: self.GetClientAddress(), OperatorAddress: self.GetOperatorAddress(), StayNonVoter: !vote,
	}
	var index uint64
	err = retry(ctx, unavailable, func() (err error) {
		index, err = operator.AddMember(ctx, request)
		return err
	})
	if err != nil {
		return fmt.Errorf("add %s: %w", self.GetName(), err)
	}
	if _, err := awaitStatus(ctx, operator, node, func(s *ballastv1.StatusResponse) bool {
		return roleOf(s) != ballastv1.Role_ROLE_UNSPECIFIED && s.GetCommitIndex() >= index
	}); err != nil {
		return fmt.Errorf("%s was added and is not caught up yet: %w", self.GetName(), err)
	}
	if !vote {
		return nil
	}
	// It is the leader who knows whether a member is caught up: until then it refuses.
	err = retry(ctx, notYet, func() error {
		_, err := operator.PromoteMember(ctx, self.GetName(), true)
		return err
	})
	if err != nil {
		return fmt.Errorf("promote %s, which was added as a non-voter: %w", self.GetName(), err)
	}
	if _, err := awaitStatus(ctx, operator, node, func(s *ballastv1.StatusResponse) bool {
		return roleOf(s) == ballastv1.Role_ROLE_VOTER
	}); err != nil {
		return fmt.Errorf("%s was promoted and has not heard of it yet: %w", self.GetName(), err)
	}
	return nil
}

// roleOf is the answering member's role in its own view.
func roleOf(s *ballastv1.StatusResponse) ballastv1.Role {
	i := slices.IndexFunc(s.GetMembers(), func(m *ballastv1.Member) bool { return m.GetId() == s.GetId() })
	if i < 0 {
		return ballastv1.Role_ROLE_UNSPECIFIED
	}
	return s.GetMembers()[i].GetRole()
}

func unavailable(err error) bool {
	return errors.Is(err, client.ErrUnavailable) && !hasCode(err, codes.FailedPrecondition)
}

func notYet(err error) bool { return errors.Is(err, client.ErrUnavailable) }

func hasCode(err error, code codes.Code) bool {
	var status *client.StatusError
	return errors.As(err, &status) && status.Code == code
}

// awaitStatus asks a member until its answer is as wanted.
func awaitStatus(ctx context.Context, operator Operator, node string, wanted func(*ballastv1.StatusResponse) bool) (*ballastv1.StatusResponse, error) {
	var status *ballastv1.StatusResponse
	err := retry(ctx, func(error) bool { return true }, func() (err error) {
		ctx, cancel := context.WithTimeout(ctx, askTimeout)
		defer cancel()
		status, err = operator.Status(ctx, node)
		if err == nil && !wanted(status) {
			err = fmt.Errorf("%s is %s at log index %d", status.GetName(), status.GetRaftState(), status.GetCommitIndex())
		}
		return err
	})
	return status, err
}

// retry repeats a call while again allows it. When ctx ends, the error is the last one that the call itself had.
func retry(ctx context.Context, again func(error) bool, call func() error) error {
	var last error
	for {
		err := call()
		if err == nil {
			return nil
		}
		if ctx.Err() == nil || last == nil {
			last = err
		}
		if !again(err) {
			return err
		}
		timer := time.NewTimer(pollEvery)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return errors.Join(last, ctx.Err())
		}
	}
}
