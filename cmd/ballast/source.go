package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/ballastdb/ballast/client"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// lookAround asks all members how they are. One that does not answer must not hold up the others for long.
func lookAround(ctx context.Context, c *client.Client) []client.MemberStatus {
	ctx, cancel := context.WithTimeout(ctx, defaultTimeout)
	defer cancel()
	return c.Operator().StatusOfAll(ctx)
}

// chooseSource is the member to copy from: the named one, or a follower, one that does not vote first; a leader only where it is
// alone. The error says what is waited for. ready says why a member cannot be copied from yet.
func chooseSource(answers []client.MemberStatus, from string, ready func(*ballastv1.StatusResponse) error) (found *ballastv1.StatusResponse, endpoint string, err error) {
	err = errors.New("expected a follower to copy from, found none that answers: ballast status; --from NAME takes any member, the leader too")
	if from != "" {
		err = fmt.Errorf("expected member %q to copy from, found none of that name that answers", from)
	}
	best := 0
	for _, m := range answers {
		s := m.Status
		if s == nil || from != "" && s.GetName() != from {
			continue
		}
		rank := sourceRank(s)
		if from == "" && rank == 0 {
			continue
		}
		if err = ready(s); err != nil {
			continue
		}
		if found == nil || rank > best {
			found, endpoint, best = s, m.Endpoint, rank
		}
	}
	if found == nil {
		return nil, "", err
	}
	return found, endpoint, nil
}

// wholeJournal is an error where a member lacks entries.
func wholeJournal(s *ballastv1.StatusResponse) error {
	if s.GetJournal().GetHoles() > 0 {
		return fmt.Errorf("%s still fetches entries of its journal from other members", s.GetName())
	}
	return nil
}

// sourceRank is how good a member is to be copied from; 0: it leads others.
func sourceRank(s *ballastv1.StatusResponse) int {
	if s.GetRaftState() == ballastv1.RaftState_RAFT_STATE_LEADER && len(s.GetMembers()) > 1 {
		return 0
	}
	for _, m := range s.GetMembers() {
		if m.GetName() == s.GetName() && m.GetRole() == ballastv1.Role_ROLE_NON_VOTER {
			return 2
		}
	}
	return 1
}
