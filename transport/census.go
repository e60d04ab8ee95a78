package transport

import (
	"context"
	"errors"
	"fmt"

	"github.com/hashicorp/raft"

	raftv1 "github.com/ballastdb/ballast/proto/raft/v1"
)

// maxCensusMembers bounds what is taken of an answer: there are at most 128 members.
const maxCensusMembers = 128

// errNoCensus is the answer of a member that is not asked how it sees others.
var errNoCensus = errors.New("this member takes no census")

// Census tells the member at an address what this one says of itself, and returns how that one sees it. Whoever is there is asked, as
// long as it proves to be a member of the cluster. One that cannot be reached is not waited for.
func (t *Transport) Census(ctx context.Context, address raft.ServerAddress, said *raftv1.CensusRequest) (_ *raftv1.CensusResponse, err error) {
	if t.calls.Err() != nil {
		return nil, raft.ErrTransportShutdown
	}
	l, err := newLane(&t.config, "", string(address))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, l.connection.Close()) }()
	ctx, cancel := context.WithTimeout(ctx, t.config.Timeouts.Confirm)
	defer cancel()
	defer context.AfterFunc(t.calls, cancel)()
	answer, err := l.client.Census(ctx, said)
	if err != nil {
		return nil, fmt.Errorf("census at %s: %w", address, err)
	}
	if len(answer.GetMembers()) > maxCensusMembers {
		return nil, fmt.Errorf("census at %s: expected up to %d members, found %d", address, maxCensusMembers, len(answer.GetMembers()))
	}
	return answer, nil
}

// Census implements raftv1.RaftServiceServer.
func (s *service) Census(ctx context.Context, m *raftv1.CensusRequest) (*raftv1.CensusResponse, error) {
	c := &s.transport.config
	if c.Census == nil {
		return nil, refuse(errNoCensus)
	}
	if err := c.checkCensus(ctx, m); err != nil {
		s.logRefusal(string(m.GetId()), err)
		return nil, refuse(err)
	}
	return c.Census(m), nil
}

// checkCensus says why a question is not from a member of this cluster, of whatever epoch or incarnation, or nil.
func (c *Config) checkCensus(ctx context.Context, m *raftv1.CensusRequest) error {
	if string(m.GetClusterId()) != string(c.ClusterID[:]) {
		return fmt.Errorf("cluster: expected %s, found %s: the sender belongs to another cluster; check its member addresses",
			idText(c.ClusterID[:]), idText(m.GetClusterId()))
	}
	if _, _, err := ParseServerID(raft.ServerID(m.GetId())); err != nil {
		return fmt.Errorf("sender: %w", err)
	}
	return c.checkCaller(ctx, m.GetId())
}
