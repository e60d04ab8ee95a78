package forming

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/ballastdb/ballast/client"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// fakeCluster is a cluster of three, of which node-1 leads, and a member that waits at "o:4".
type fakeCluster struct {
	members []*ballastv1.Member
	leader  string
	nodes   map[string]*ballastv1.StatusResponse // by operator address
	done    []string
	fail    map[string]error // of the next step of that name
}

func place(id, address string, role ballastv1.Role) *ballastv1.Member {
	name, _, _ := strings.Cut(id, "/")
	return &ballastv1.Member{
		Id: id, Name: name, Role: role, MemberAddress: "m:" + address, ClientAddress: "c:" + address, OperatorAddress: "o:" + address,
	}
}

func statusAt(m *ballastv1.Member) *ballastv1.StatusResponse {
	return &ballastv1.StatusResponse{
		Id: m.GetId(), Name: m.GetName(), ClusterId: "c", MemberAddress: m.GetMemberAddress(), ClientAddress: m.GetClientAddress(),
		OperatorAddress: m.GetOperatorAddress(), Phase: ballastv1.Phase_PHASE_SERVING, AppliedIndex: 7,
	}
}

func newCluster(waiting *ballastv1.Member) *fakeCluster {
	c := &fakeCluster{leader: "node-1", nodes: map[string]*ballastv1.StatusResponse{}, fail: map[string]error{}}
	for i := range 3 {
		m := place(fmt.Sprintf("node-%d/x", i+1), fmt.Sprint(i+1), ballastv1.Role_ROLE_VOTER)
		c.members = append(c.members, m)
		c.nodes[m.GetOperatorAddress()] = statusAt(m)
	}
	c.nodes[waiting.GetOperatorAddress()] = statusAt(waiting)
	return c
}

func (c *fakeCluster) step(name string) error {
	if err := c.fail[name]; err != nil {
		delete(c.fail, name)
		return err
	}
	c.done = append(c.done, name)
	return nil
}

func (c *fakeCluster) Status(_ context.Context, address string) (*ballastv1.StatusResponse, error) {
	s := c.nodes[address]
	if s == nil {
		return nil, status(codes.Unavailable)
	}
	s.Members = c.members
	s.RaftState = ballastv1.RaftState_RAFT_STATE_FOLLOWER
	if s.GetName() == c.leader {
		s.RaftState = ballastv1.RaftState_RAFT_STATE_LEADER
	}
	return s, nil
}

func (c *fakeCluster) StatusOfAll(ctx context.Context) (all []client.MemberStatus) {
	for _, m := range c.members {
		s, err := c.Status(ctx, m.GetOperatorAddress())
		all = append(all, client.MemberStatus{Status: s, Err: err})
	}
	return all
}

func (c *fakeCluster) Bootstrap(context.Context, string) error { return nil }

// AddMember promotes at once, as a leader does by itself.
func (c *fakeCluster) AddMember(_ context.Context, r *ballastv1.AddMemberRequest) (uint64, error) {
	name, _, _ := strings.Cut(r.GetId(), "/")
	if err := c.step("add " + r.GetId()); err != nil {
		return 0, err
	}
	for _, m := range c.members {
		if m.GetId() != r.GetId() && (m.GetName() == name || m.GetMemberAddress() == r.GetMemberAddress()) {
			return 0, status(codes.AlreadyExists)
		}
	}
	c.members = slices.DeleteFunc(c.members, func(m *ballastv1.Member) bool { return m.GetId() == r.GetId() })
	role := ballastv1.Role_ROLE_VOTER
	if r.GetStayNonVoter() {
		role = ballastv1.Role_ROLE_NON_VOTER
	}
	c.members = append(c.members, &ballastv1.Member{
		Id: r.GetId(), Name: name, Role: role, StayNonVoter: r.GetStayNonVoter(), MemberAddress: r.GetMemberAddress(),
		ClientAddress: r.GetClientAddress(), OperatorAddress: r.GetOperatorAddress(),
	})
	return 7, nil
}

func (c *fakeCluster) PromoteMember(context.Context, string, bool) (uint64, error) { return 0, nil }

func (c *fakeCluster) RemoveMember(_ context.Context, name string, _ bool) (uint64, error) {
	if name == c.leader {
		return 0, status(codes.FailedPrecondition)
	}
	if err := c.step("remove " + name); err != nil {
		return 0, err
	}
	c.members = slices.DeleteFunc(c.members, func(m *ballastv1.Member) bool { return m.GetName() == name })
	return 8, nil
}

func (c *fakeCluster) TransferLeadership(context.Context, string) (string, error) {
	c.leader = "node-3"
	return c.leader, c.step("transfer")
}

func (c *fakeCluster) replace(t *testing.T, old, node string) error {
	t.Helper()
	_, err := Replace(bounded(t, 5*time.Second), c, old, node, false, func(string) {})
	return err
}

// A new member comes before the old one goes, where they can be listed together; else after it. The leader hands over before it goes.
func TestReplace(t *testing.T) {
	for name, row := range map[string]struct {
		waiting *ballastv1.Member
		old     string
		want    string
	}{
		"another host":            {place("node-4/y", "4", 0), "node-2", "add node-4/y, remove node-2"},
		"the leader":              {place("node-4/y", "4", 0), "node-1", "add node-4/y, transfer, remove node-1"},
		"its name, another host":  {place("node-2/y", "4", 0), "node-2", "remove node-2, add node-2/y"},
		"its name and addresses":  {place("node-2/y", "2", 0), "node-2", "remove node-2, add node-2/y"},
		"another name, its place": {place("node-4/y", "2", 0), "node-2", "remove node-2, add node-4/y"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(row.waiting)
			// The same again does nothing that was done, but to add what is there.
			for range 2 {
				if err := c.replace(t, row.old, row.waiting.GetOperatorAddress()); err != nil {
					t.Fatal(err)
				}
			}
			want := row.want + ", add " + row.waiting.GetId()
			if got := strings.Join(c.done, ", "); got != want {
				t.Errorf("did %s, want %s", got, want)
			}
		})
	}
}

// Interrupted while the new one is not there for good, the same command goes on.
func TestReplaceGoesOn(t *testing.T) {
	for name, interrupt := range map[string]func(c *fakeCluster){
		"before it was added": func(c *fakeCluster) { c.fail["add node-4/y"] = status(codes.InvalidArgument) }, // whatever ends it
		"before it voted": func(c *fakeCluster) {
			c.members = append(c.members, place("node-4/y", "4", ballastv1.Role_ROLE_NON_VOTER))
			c.fail["add node-4/y"] = status(codes.InvalidArgument)
		},
	} {
		c := newCluster(place("node-4/y", "4", 0))
		interrupt(c)
		if err := c.replace(t, "node-2", "o:4"); err == nil {
			t.Fatalf("%s: it failed, and nobody was told", name)
		}
		if err := c.replace(t, "node-2", "o:4"); err != nil || c.done[len(c.done)-1] != "remove node-2" || len(c.members) != 3 {
			t.Errorf("%s: %v, did %v", name, err, c.done)
		}
	}
}

// The address of a member takes nobody's place, and nobody is removed for it: a wrong address looks just like what is left of a replacement
// that was interrupted before its end. Which of them it is a person says, with the command that is named.
func TestReplaceByAMember(t *testing.T) {
	c := newCluster(place("node-4/y", "4", 0))
	if err := c.replace(t, "node-2", "o:3"); err == nil || !strings.Contains(err.Error(), "node-3 at o:3 is a member already") || len(c.done) > 0 || len(c.members) != 3 {
		t.Errorf("got %v, did %v", err, c.done)
	}
	c.members[2].Role, c.members[2].StayNonVoter = ballastv1.Role_ROLE_NON_VOTER, true
	if err := c.replace(t, "node-2", "o:3"); err == nil || len(c.done) > 0 {
		t.Errorf("by a non-voter that stays one: %v, did %v", err, c.done)
	}
	c = newCluster(place("node-4/y", "4", 0))
	c.fail["remove node-2"] = status(codes.InvalidArgument)
	for range 2 {
		if err := c.replace(t, "node-2", "o:4"); err == nil || !strings.Contains(err.Error(), "ballast members remove node-2") || len(c.members) != 4 {
			t.Errorf("with node-2 left to remove: %v, did %v", err, c.done)
		}
	}
}

// One in the place of a non-voter that was to stay one stays one.
func TestReplaceKeepsTheRole(t *testing.T) {
	c := newCluster(place("node-4/y", "4", 0))
	c.members[1].Role, c.members[1].StayNonVoter = ballastv1.Role_ROLE_NON_VOTER, true
	if err := c.replace(t, "node-2", "o:4"); err != nil {
		t.Fatal(err)
	}
	if m := c.members[len(c.members)-1]; m.GetId() != "node-4/y" || m.GetRole() != ballastv1.Role_ROLE_NON_VOTER {
		t.Errorf("it is %v", m)
	}
}

// Nobody's place cannot be taken, and nothing is done about it.
func TestReplaceNobody(t *testing.T) {
	c := newCluster(place("node-4/y", "4", 0))
	if err := c.replace(t, "nobody", "o:4"); err == nil || !strings.Contains(err.Error(), `no member "nobody"`) || len(c.done) > 0 {
		t.Errorf("got %v, did %v", err, c.done)
	}
}
