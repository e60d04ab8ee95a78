package server

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/raft"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"

	"github.com/ballastdb/ballast/fsm/roster"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// Progress is how far a member says that it is.
type Progress struct {
	ID raft.ServerID
	// Term is its current term, LastIndex the end of its log, Applied what its state shows.
	Term, LastIndex, Applied uint64
	// Version of its program, and NewestVersion, the newest cluster version that that applies.
	Version       string
	NewestVersion uint32
	// Members of the configuration that it has; none: it was in no cluster yet.
	Members []raft.ServerID
	// LowDisk: its disk is low, or worse.
	LowDisk bool
}

// Peers asks other members how far they are.
type Peers interface {
	Progress(ctx context.Context, member roster.Member) (Progress, error)
}

const (
	// progressTimeout bounds the question to one member.
	progressTimeout = time.Second
	// maxLag is how many entries a member may be behind the commit index and still count as caught up: what is under
	// way to a member that keeps up. It is 16 MiB of full proposals.
	maxLag = 64
)

// caughtUp asks a member how far it is and says why it is not caught up, or nil.
func caughtUp(ctx context.Context, r Raft, peers Peers, member roster.Member) error {
	ctx, cancel := context.WithTimeout(ctx, progressTimeout)
	defer cancel()
	term, commit := r.CurrentTerm(), r.CommitIndex() // before it is asked
	p, err := peers.Progress(ctx, member)
	switch {
	case err != nil:
		return fmt.Errorf("%s does not tell how far it is: %w", memberName(raft.ServerID(member.ID)), err)
	case string(p.ID) != member.ID:
		return fmt.Errorf("%s is answered for by %s: its data directory is another one", member.ID, p.ID)
	case p.Term != term:
		return fmt.Errorf("%s is in term %d, the cluster in %d", memberName(p.ID), p.Term, term)
	case p.LastIndex+maxLag < commit:
		return fmt.Errorf("%s has the log up to entry %d of %d", memberName(p.ID), p.LastIndex, commit)
	case p.Applied+maxLag < commit:
		return fmt.Errorf("%s has applied %d of %d entries", memberName(p.ID), p.Applied, commit)
	}
	return nil
}

// peerAnswer is what one member told.
type peerAnswer struct {
	server   raft.Server
	progress Progress
	err      error
}

// askVoters asks all voters but self at once how far they are, within progressTimeout.
func askVoters(
	ctx context.Context, peers Peers, members Roster, configuration raft.Configuration, self raft.ServerID,
) []peerAnswer {
	voters := raft.Configuration{}
	for _, s := range configuration.Servers {
		if s.Suffrage == raft.Voter {
			voters.Servers = append(voters.Servers, s)
		}
	}
	return askOthers(ctx, peers, members, voters, self)
}

// askOthers asks all members but self at once how far they are, within progressTimeout.
func askOthers(
	ctx context.Context, peers Peers, members Roster, configuration raft.Configuration, self raft.ServerID,
) []peerAnswer {
	ctx, cancel := context.WithTimeout(ctx, progressTimeout)
	defer cancel()
	var answers []peerAnswer
	for _, s := range configuration.Servers {
		if s.ID != self {
			answers = append(answers, peerAnswer{server: s})
		}
	}
	var all sync.WaitGroup
	for i := range answers {
		a := &answers[i]
		all.Go(func() {
			a.progress, a.err = peers.Progress(ctx, knownMember(members, a.server))
			if a.err == nil && a.progress.ID != a.server.ID {
				a.err = fmt.Errorf("%s is answered for by %s", a.server.ID, a.progress.ID)
			}
		})
	}
	all.Wait()
	return answers
}

// StatusPeers asks the operator service of members. Close it.
type StatusPeers struct {
	options []grpc.DialOption

	mu     sync.Mutex
	closed bool
	conns  map[string]*grpc.ClientConn
}

// NewStatusPeers returns Peers that dial operator addresses with options.
func NewStatusPeers(options ...grpc.DialOption) *StatusPeers {
	return &StatusPeers{options: options, conns: map[string]*grpc.ClientConn{}}
}

// Progress is Peers'. ctx must have a deadline.
func (p *StatusPeers) Progress(ctx context.Context, member roster.Member) (Progress, error) {
	s, err := p.Status(ctx, member)
	if err != nil {
		return Progress{}, err
	}
	progress := Progress{
		ID: raft.ServerID(s.GetId()), Term: s.GetTerm(), LastIndex: s.GetLastLogIndex(), Applied: s.GetAppliedIndex(),
		LowDisk: s.GetDisk().GetRoom() >= ballastv1.DiskRoom_DISK_ROOM_LOW,
		Version: s.GetVersion(), NewestVersion: s.GetNewestClusterVersion(),
	}
	for _, m := range s.GetMembers() {
		progress.Members = append(progress.Members, raft.ServerID(m.GetId()))
	}
	return progress, nil
}

// Status is Asker's. ctx must have a deadline.
func (p *StatusPeers) Status(ctx context.Context, member roster.Member) (*ballastv1.StatusResponse, error) {
	conn, err := p.conn(member.OperatorAddress)
	if err != nil {
		return nil, err
	}
	return ballastv1.NewOperatorServiceClient(conn).Status(ctx, &ballastv1.StatusRequest{})
}

// reconnect has a member that is back be reached soon: by gRPC's own pauses it would not for up to two minutes, in which it counts
// as silent where leadership is handed over, a member promoted or the cluster version raised.
func reconnect() grpc.ConnectParams {
	return grpc.ConnectParams{
		Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: .2, MaxDelay: time.Second},
		MinConnectTimeout: progressTimeout,
	}
}

// conn is the one connection to an address. There are as many as members ever had addresses in this process's life.
func (p *StatusPeers) conn(address string) (*grpc.ClientConn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, stopping()
	}
	if address == "" {
		return nil, fmt.Errorf("its operator address is not announced: add it again with all its addresses")
	}
	if conn, ok := p.conns[address]; ok {
		return conn, nil
	}
	conn, err := grpc.NewClient("passthrough:///"+address, slices.Concat(p.options, []grpc.DialOption{grpc.WithConnectParams(reconnect())})...)
	if err != nil {
		return nil, fmt.Errorf("operator address %q: %w", address, err)
	}
	p.conns[address] = conn
	return conn, nil
}

// Close ends all connections.
func (p *StatusPeers) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, conn := range p.conns {
		_ = conn.Close() // fails only when closed twice
	}
	p.conns = nil
}
