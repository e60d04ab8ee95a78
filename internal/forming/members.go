package forming

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/ballastdb/ballast/client"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// Membership is what changing the members of a running cluster needs; *client.Operator is one.
type Membership interface {
	Operator
	// StatusOfAll asks every member.
	StatusOfAll(ctx context.Context) []client.MemberStatus
	// RemoveMember removes a member, with force also where too few healthy voters would remain.
	RemoveMember(ctx context.Context, name string, force bool) (uint64, error)
	// TransferLeadership hands leadership over, to whom it suits best where name is empty.
	TransferLeadership(ctx context.Context, name string) (string, error)
}

// Say tells a person how far a wait is. It is called often, mostly with what it was called with before.
type Say func(text string)

// Add adds the member at an operator address and waits: until it is caught up where it stays a non-voter, else until the
// leader has promoted it by itself, which it does once the member has kept up for a while. It can be repeated after an
// interruption at any point. It returns the member's name.
func Add(ctx context.Context, o Membership, node string, stay bool, say Say) (string, error) {
	say("asking " + node + " who it is")
	self, err := Await(ctx, o, node)
	if err != nil {
		return "", err
	}
	return self.GetName(), addAndWait(ctx, o, node, self, stay, say)
}

func addAndWait(ctx context.Context, o Membership, node string, self *ballastv1.StatusResponse, stay bool, say Say) error {
	say("adding " + self.GetName() + " as a non-voter")
	request := &ballastv1.AddMemberRequest{
		Id: self.GetId(), ClusterId: self.GetClusterId(), RecoveryEpoch: self.GetRecoveryEpoch(), MemberAddress: self.GetMemberAddress(),
		ClientAddress: self.GetClientAddress(), OperatorAddress: self.GetOperatorAddress(), StayNonVoter: stay,
	}
	var index uint64
	err := retry(ctx, unavailable, func() (err error) {
		index, err = o.AddMember(ctx, request)
		return err
	})
	if err != nil {
		return fmt.Errorf("add %s: %w", self.GetName(), err)
	}
	wanted := func(s *ballastv1.StatusResponse) bool {
		say(progressOf(s, stay))
		if stay {
			return roleOf(s) != ballastv1.Role_ROLE_UNSPECIFIED && s.GetAppliedIndex() >= index && s.GetPhase() == ballastv1.Phase_PHASE_SERVING
		}
		return roleOf(s) == ballastv1.Role_ROLE_VOTER
	}
	if _, err := awaitStatus(ctx, o, node, wanted); err != nil {
		return fmt.Errorf("%s was added and is not there yet; it goes on by itself, look with ballast members list: %w", self.GetName(), err)
	}
	return nil
}

// progressOf is how far a member is that was added.
func progressOf(s *ballastv1.StatusResponse, stay bool) string {
	pages := s.GetCatchUp().GetPages()
	switch role := roleOf(s); {
	case role == ballastv1.Role_ROLE_VOTER:
		return s.GetName() + " votes"
	case pages != nil:
		return fmt.Sprintf("%s takes in a snapshot: %d of %d pages", s.GetName(), pages.GetDone(), pages.GetTotal())
	case role == ballastv1.Role_ROLE_UNSPECIFIED:
		return s.GetName() + " has not heard from the cluster yet"
	case s.GetCommitIndex() > s.GetAppliedIndex():
		return fmt.Sprintf("%s has applied %d of %d log entries", s.GetName(), s.GetAppliedIndex(), s.GetCommitIndex())
	case stay:
		return s.GetName() + " is caught up"
	}
	return s.GetName() + " is caught up; the leader promotes it once it has kept up for a while"
}

// Promote makes a non-voter a voter, as soon as the leader finds that it is caught up and stable.
func Promote(ctx context.Context, o Membership, name string, say Say) error {
	err := retry(ctx, notYet, func() error {
		_, err := o.PromoteMember(ctx, name, false)
		if err != nil && notYet(err) {
			say(name + " waits: " + reason(err))
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("promote %s: %w", name, err)
	}
	return nil
}

// Replace puts the member at an operator address in the place of another one: it is added, and when it votes the old one is
// removed. One that has the old one's name or an address of its can only come after it is gone, so then the old one goes
// first. Each step is left out where it was done before, so that the same command goes on after an interruption; but where the member at
// the address is there for good, beside the old one, only a person can tell a wrong address from a replacement that lacks its end.
func Replace(ctx context.Context, o Membership, old, node string, force bool, say Say) (string, error) {
	say("asking " + node + " who it is")
	self, err := Await(ctx, o, node)
	if err != nil {
		return "", fmt.Errorf("%w; a member with a new disk under the name %s ends by itself while the old one is listed: "+
			"then run ballast members remove %s, start it again, and ballast members add %s", err, old, old, node)
	}
	members, err := membersOf(ctx, o)
	if err != nil {
		return "", err
	}
	gone, stay := (*ballastv1.Member)(nil), false
	added, settled := false, false
	for _, m := range members {
		switch {
		case m.GetId() == self.GetId():
			added, settled = true, m.GetRole() == ballastv1.Role_ROLE_VOTER || m.GetStayNonVoter()
			stay = stay || m.GetStayNonVoter()
		case m.GetName() == old:
			gone = m
			stay = stay || m.GetStayNonVoter() && m.GetRole() != ballastv1.Role_ROLE_VOTER
		}
	}
	if gone == nil && !added && self.GetName() != old {
		return "", fmt.Errorf("there is no member %q, and %s is none either: nothing to replace; ballast members add %s adds it",
			old, self.GetName(), node)
	}
	if gone != nil && settled {
		return "", fmt.Errorf("%s at %s is a member already: expected one that is not, to take the place of %s; nothing was done; "+
			"if it has taken that place, and %s is what is left to remove: ballast members remove %s", self.GetName(), node, old, old, old)
	}
	if gone != nil && inTheWay(gone, self) {
		if err := remove(ctx, o, gone, force, say); err != nil {
			return "", err
		}
		gone = nil
	}
	if err := addAndWait(ctx, o, node, self, stay, say); err != nil {
		return "", err
	}
	if gone != nil {
		if err := remove(ctx, o, gone, force, say); err != nil {
			return "", fmt.Errorf("%s is in, %s is not out yet: ballast members remove %s: %w", self.GetName(), old, old, err)
		}
	}
	return self.GetName(), nil
}

// inTheWay tells whether two members cannot be listed together.
func inTheWay(old *ballastv1.Member, s *ballastv1.StatusResponse) bool {
	return old.GetName() == s.GetName() || old.GetMemberAddress() == s.GetMemberAddress() ||
		old.GetClientAddress() == s.GetClientAddress() || old.GetOperatorAddress() == s.GetOperatorAddress()
}

// remove removes a member, which hands leadership over before where it leads.
func remove(ctx context.Context, o Membership, m *ballastv1.Member, force bool, say Say) error {
	return retry(ctx, unavailable, func() error {
		say("removing " + m.GetName())
		_, err := o.RemoveMember(ctx, m.GetName(), force)
		if !hasCode(err, codes.FailedPrecondition) || !leads(ctx, o, m.GetName()) {
			return err
		}
		say(m.GetName() + " leads: handing leadership over")
		if _, err := o.TransferLeadership(ctx, ""); err != nil {
			return fmt.Errorf("%s leads, and leadership was not handed over: %w", m.GetName(), err)
		}
		_, err = o.RemoveMember(ctx, m.GetName(), force)
		return err
	})
}

// Remove removes the member of that name.
func Remove(ctx context.Context, o Membership, name string, force bool, say Say) error {
	return remove(ctx, o, &ballastv1.Member{Name: name}, force, say)
}

// leads tells whether a member says that it leads.
func leads(ctx context.Context, o Membership, name string) bool {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	for _, a := range o.StatusOfAll(ctx) {
		if a.Status.GetName() == name && a.Status.GetRaftState() == ballastv1.RaftState_RAFT_STATE_LEADER {
			return true
		}
	}
	return false
}

// membersOf are the members as the member that has seen the most lists them.
func membersOf(ctx context.Context, o Membership) ([]*ballastv1.Member, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	var newest *ballastv1.StatusResponse
	var last error
	for _, a := range o.StatusOfAll(ctx) {
		switch {
		case a.Err != nil:
			last = a.Err
		case newest == nil || a.Status.GetTerm() > newest.GetTerm() || a.Status.GetTerm() == newest.GetTerm() && a.Status.GetAppliedIndex() > newest.GetAppliedIndex():
			if len(a.Status.GetMembers()) > 0 {
				newest = a.Status
			}
		}
	}
	if newest == nil {
		return nil, fmt.Errorf("no member tells who the members are: %w", errors.Join(last, errors.New("is this a formed cluster?")))
	}
	return newest.GetMembers(), nil
}

// reason is what the cluster said, without codes.
func reason(err error) string {
	var status *client.StatusError
	if errors.As(err, &status) {
		return status.Message
	}
	return err.Error()
}

// Slowly returns a Say that passes on what is new: at once, but at most once in a while where only numbers have changed.
func Slowly(say Say, every time.Duration) Say {
	withoutNumbers := func(text string) string {
		return strings.Map(func(r rune) rune {
			if r >= '0' && r <= '9' {
				return -1
			}
			return r
		}, text)
	}
	var last string
	var at time.Time
	return func(text string) {
		if text == last || withoutNumbers(text) == withoutNumbers(last) && time.Since(at) < every {
			return
		}
		say(text)
		last, at = text, time.Now()
	}
}
