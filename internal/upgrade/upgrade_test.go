package upgrade

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/ballastdb/ballast/client"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// fakeCluster is members whose operator does what the upgrade says, one look late.
type fakeCluster struct {
	members []*ballastv1.StatusResponse
	leader  string
	version uint32
	// down counts, by name, the looks at which a member does not answer yet.
	down map[string]int
	// refuse is what the raise answers.
	refuse error
	log    []string
}

func newFake() *fakeCluster {
	c := &fakeCluster{leader: "node-1", version: 1, down: map[string]int{}}
	for i := range 4 {
		c.members = append(c.members, &ballastv1.StatusResponse{
			Id: fmt.Sprintf("node-%d/x", i+1), Name: fmt.Sprintf("node-%d", i+1), Version: "0.1.0+abc", Term: 3, AppliedIndex: 9, ClusterVersion: 1,
			Phase: ballastv1.Phase_PHASE_SERVING,
		})
	}
	return c
}

func (c *fakeCluster) named(name string) *ballastv1.StatusResponse {
	return c.members[slices.IndexFunc(c.members, func(m *ballastv1.StatusResponse) bool { return m.GetName() == name })]
}

func (c *fakeCluster) StatusOfAll(context.Context) (answers []client.MemberStatus) {
	var list []*ballastv1.Member
	for i, m := range c.members {
		role := ballastv1.Role_ROLE_VOTER
		if i == 2 {
			role = ballastv1.Role_ROLE_NON_VOTER
		}
		list = append(list, &ballastv1.Member{Id: m.GetId(), Name: m.GetName(), Role: role, OperatorAddress: fmt.Sprintf("10.0.0.%d:7421", i+1)})
	}
	for _, m := range c.members {
		if c.down[m.GetName()] > 0 {
			c.down[m.GetName()]--
			answers = append(answers, client.MemberStatus{Endpoint: m.GetName(), Err: errors.New("no connection")})
			continue
		}
		m.Members, m.Leader = list, c.leader
		answers = append(answers, client.MemberStatus{Endpoint: m.GetName(), Status: m})
	}
	return answers
}

func (c *fakeCluster) TransferLeadership(context.Context, string) (string, error) {
	c.log = append(c.log, "transfer")
	c.leader = "node-2"
	return c.leader, nil
}

func (c *fakeCluster) RaiseClusterVersion(context.Context, uint32) (before, after uint32, err error) {
	c.log = append(c.log, "raise")
	if c.refuse != nil {
		return 0, 0, c.refuse
	}
	before, c.version = c.version, 2
	return before, c.version, nil
}

// obey does what is said: the member goes down for some looks and comes back with the new program.
func (c *fakeCluster) obey(text string) {
	name, rest, ok := strings.Cut(text, ", which runs ")
	if !ok || !strings.Contains(rest, "install it") {
		return
	}
	c.log = append(c.log, "install on "+name)
	c.named(name).Version = "0.2.0+def (tags nextversion)"
	c.down[name] = 3
	if c.leader == name {
		c.leader = "node-2"
	}
}

func run(t *testing.T, c *fakeCluster, change func(*Options)) (result Result, said []string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()

	o := Options{To: "0.2.0", Command: "install it", Every: time.Millisecond, Say: func(text string) {
		said = append(said, text)
		c.obey(text)
	}}
	if change != nil {
		change(&o)
	}
	result, err = Run(ctx, c, o)
	return result, said, err
}

// The whole way: non-voters and followers first, the leader last and after a hand-over, then the cluster version.
func TestUpgrade(t *testing.T) {
	c := newFake()
	result, said, err := run(t, c, nil)
	want := "install on node-3, install on node-2, install on node-4, transfer, install on node-1, raise"
	if got := strings.Join(c.log, ", "); err != nil || got != want || result != (Result{1, 2}) {
		t.Fatalf("%v, %v: %s; want %s", result, err, got, want)
	}
	if i := slices.IndexFunc(said, func(s string) bool { return strings.Contains(s, "10.0.0.3") && strings.Contains(s, "node-3") }); i < 0 {
		t.Errorf("no host was named: %q", said)
	}
}

// While anything is wrong with another member nobody is told to take one down.
func TestNothingGoesDownWhileSomethingIsWrong(t *testing.T) {
	for name, wrong := range map[string]func(*fakeCluster){
		"another is down":    func(c *fakeCluster) { c.named("node-4").Version, c.down["node-4"] = "0.2.0", 1<<30 },
		"another catches up": func(c *fakeCluster) { c.named("node-4").Phase = ballastv1.Phase_PHASE_CATCHING_UP_FROM_LOG },
		"no leader":          func(c *fakeCluster) { c.leader = "" },
		"another was outvoted": func(c *fakeCluster) {
			c.named("node-4").DigestVerdict = ballastv1.DigestVerdict_DIGEST_VERDICT_OUTVOTED
		},
		"the next is not right": func(c *fakeCluster) { c.named("node-3").Phase = ballastv1.Phase_PHASE_DIVERGED },
	} {
		c := newFake()
		wrong(c)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		_, err := Run(ctx, c, Options{To: "0.2.0", Command: "install it", Every: time.Millisecond, Say: c.obey})
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) || len(c.log) > 0 {
			t.Errorf("%s: %v after %v", name, err, c.log)
		}
	}
}

// Interrupted anywhere, the same command goes on where it was: also while a member is down.
func TestUpgradeGoesOn(t *testing.T) {
	c := newFake()
	ctx, cancel := context.WithCancel(t.Context())
	_, err := Run(ctx, c, Options{To: "0.2.0", Command: "install it", Every: time.Millisecond, Say: func(text string) {
		c.obey(text)
		if len(c.log) == 2 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) || len(c.log) != 2 {
		t.Fatalf("%v after %v", err, c.log)
	}
	result, _, err := run(t, c, nil)
	want := "install on node-3, install on node-2, install on node-4, transfer, install on node-1, raise"
	if got := strings.Join(c.log, ", "); err != nil || got != want || result != (Result{1, 2}) {
		t.Fatalf("%v, %v: %s; want %s", result, err, got, want)
	}
}

func TestKeepClusterVersion(t *testing.T) {
	c := newFake()
	result, _, err := run(t, c, func(o *Options) { o.KeepClusterVersion = true })
	if err != nil || result != (Result{1, 1}) || slices.Contains(c.log, "raise") {
		t.Fatalf("%v, %v after %v", result, err, c.log)
	}
}

// Who may not raise the version is told so at once.
func TestRaiseIsNotTriedForEver(t *testing.T) {
	c := newFake()
	c.refuse = &client.StatusError{Code: codes.PermissionDenied, Message: "want an operator"}
	_, _, err := run(t, c, nil)
	var status *client.StatusError
	if !errors.As(err, &status) {
		t.Fatalf("got %v", err)
	}
}

func TestIs(t *testing.T) {
	for version, want := range map[string]bool{
		"0.2.0": true, "0.2.0+abcdef012345": true, "0.2.0 (tags nextversion)": true, "0.2.0~lab1": false, "0.2.01": false, "0.1.0": false, "": false,
	} {
		if got := is(version, "0.2.0"); got != want {
			t.Errorf("%q is 0.2.0: %v", version, got)
		}
	}
}
