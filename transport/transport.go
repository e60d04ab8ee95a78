// Package transport carries hashicorp/raft's messages between the members of a cluster over gRPC.
//
// Its README tells the design: one owner per peer, a bound on every wait, and what is done about the traps of the raft
// library. It knows nothing of what the log says.
package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/hashicorp/raft"
	"google.golang.org/grpc"

	raftv1 "github.com/ballastdb/ballast/proto/raft/v1"

	"github.com/ballastdb/ballast/internal/guard"
	"github.com/ballastdb/ballast/internal/pace"
)

// Transport is a raft.Transport. Its life: New, Register, raft.NewRaft, ... StopCalls, Shutdown of raft (which calls Close).
type Transport struct {
	config      Config
	consumer    chan raft.RPC
	installs    installSlot  // incoming
	turns       installTurns // outgoing
	pins        pins         // of the log, for them
	transfers   transfers    // outgoing
	followers   followers    // what the others' answers say
	sent        sent         // of bulk, so far
	serving     servingSlots // of pages and journal, for others
	pace        *pace.Pace   // of all bulk that goes out
	journalPace *pace.Pace   // of the journal in it

	// calls ends with StopCalls: every call under way, and every handler that still waits for raft to take its message.
	calls     context.Context
	stopCalls context.CancelFunc
	// open ends with Close.
	open      context.Context
	stopOpen  context.CancelFunc
	closeOnce sync.Once
	closeErr  error

	// running counts handlers and their goroutines; it only grows while open, under mu.
	running sync.WaitGroup

	mu    sync.Mutex
	peers map[peerKey]*peer
	// heartbeat is kept only without its guard.
	heartbeat func(raft.RPC)
}

type peerKey struct {
	id      raft.ServerID
	address raft.ServerAddress
}

var (
	_ raft.Transport   = (*Transport)(nil)
	_ raft.WithPreVote = (*Transport)(nil)
	_ raft.WithClose   = (*Transport)(nil)
)

// New makes a transport; it opens no connection and serves nothing yet.
func New(config Config) (*Transport, error) {
	config, err := config.complete()
	if err != nil {
		return nil, err
	}
	t := &Transport{
		config: config,
		// Unbuffered: a message that was taken is one that raft answers; one that waits is withdrawn with its call.
		consumer: make(chan raft.RPC),
		peers:    map[peerKey]*peer{},
		serving:  newServingSlots(),
		pace: pace.New(pace.Config{
			Busy: config.Busy, Limit: float64(config.TransferRate), Floor: float64(config.slowest(config.MaxTransfers)), Growth: paceGrowth,
		}),
		journalPace: pace.New(pace.Config{}),
	}
	t.turns.most = config.MaxTransfers
	t.calls, t.stopCalls = context.WithCancel(context.Background())
	t.open, t.stopOpen = context.WithCancel(context.Background())
	return t, nil
}

// Register serves the members' calls on s, which must have been made with ServerOptions. Before s is served, CurrentTerm
// must be ready to be called.
func (t *Transport) Register(s grpc.ServiceRegistrar) {
	raftv1.RegisterRaftServiceServer(s, &service{transport: t})
}

// StopCalls ends all calls to other members and refuses new ones, and answers theirs with UNAVAILABLE. It must be called
// before raft.Shutdown, which waits for goroutines that wait for these calls. It does not wait.
func (t *Transport) StopCalls() {
	if guard.On("raft-shutdown") {
		t.stopCalls()
	}
}

// SetMaxTransfers changes how many members are brought up to date at once, from 1. Those under way go on.
func (t *Transport) SetMaxTransfers(most int) error {
	if most < 1 {
		return fmt.Errorf("transport: expected at least 1 transfer at once, found %d", most)
	}
	t.turns.set(most)
	return nil
}

// SetTransferRate changes how many bytes a second all snapshots, pages and journal that this member sends may take together; 0:
// no limit.
func (t *Transport) SetTransferRate(rate int) error {
	if err := t.config.checkPace(1, rate); err != nil {
		return err
	}
	t.pace.Set(float64(rate))
	return nil
}

// SetJournalRate changes how many bytes a second of journal this member sends to others that lack some of it, within the transfer
// rate; 0: no limit of its own.
func (t *Transport) SetJournalRate(rate int) error {
	if err := t.config.checkPace(1, rate); err != nil {
		return err
	}
	t.journalPace.Set(float64(rate))
	return nil
}

// Pace is how fast this member may send to those that catch up.
func (t *Transport) Pace() pace.Status { return t.pace.Status() }

// Wait waits until so many bytes of bulk that is not the transport's own may go: they share the pace of all that goes out.
func (t *Transport) Wait(ctx context.Context, bytes int) error { return t.pace.Wait(ctx, bytes) }

// Close stops calls, closes all connections and waits for the handlers that still run. Raft calls it at the end of its
// shutdown; the gRPC server is stopped by its owner, before or after.
func (t *Transport) Close() error {
	t.closeOnce.Do(func() {
		t.stopCalls()
		t.mu.Lock()
		t.stopOpen()
		peers := t.peers
		t.peers = nil
		t.mu.Unlock()
		var errs []error
		for _, p := range peers {
			errs = append(errs, p.close())
		}
		t.running.Wait()
		t.pins.close()
		t.closeErr = errors.Join(errs...)
	})
	return t.closeErr
}

// enter counts one more running goroutine; false: closed.
func (t *Transport) enter() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open.Err() != nil {
		return false
	}
	t.running.Add(1)
	return true
}

func (t *Transport) peer(id raft.ServerID, address raft.ServerAddress) (*peer, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.calls.Err() != nil {
		return nil, raft.ErrTransportShutdown
	}
	key := peerKey{id, address}
	if p := t.peers[key]; p != nil {
		return p, nil
	}
	p, err := newPeer(t, id, address)
	if err != nil {
		return nil, err
	}
	t.peers[key] = p
	return p, nil
}

// Consumer is where raft takes the members' messages.
func (t *Transport) Consumer() <-chan raft.RPC { return t.consumer }

// LocalAddr is this member's address.
func (t *Transport) LocalAddr() raft.ServerAddress { return t.config.LocalAddress }

// EncodePeer makes bytes of an address.
func (t *Transport) EncodePeer(_ raft.ServerID, address raft.ServerAddress) []byte {
	return []byte(address)
}

// DecodePeer reverses EncodePeer.
func (t *Transport) DecodePeer(b []byte) raft.ServerAddress { return raft.ServerAddress(b) }

// SetHeartbeatHandler does nothing: the handler that raft gives here changes term and state on the caller's goroutine,
// beside raft's main loop, and replicas can then commit different entries. Heartbeats take the way of all messages.
func (t *Transport) SetHeartbeatHandler(handler func(raft.RPC)) {
	if guard.On("695") {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.heartbeat = handler
}

// AppendEntries sends one append and waits for its answer. Where the entries are too many for one message it shortens
// args.Entries to those that it sends: raft counts what args holds afterwards.
func (t *Transport) AppendEntries(id raft.ServerID, address raft.ServerAddress, args *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) error {
	p, err := t.peer(id, address)
	if err != nil {
		return err
	}
	if isHeartbeat(args) {
		m := appendToWire(p.envelope(), args)
		answer, err := call(p, p.control, "heartbeat", t.config.Timeouts.Heartbeat, raftv1.RaftServiceClient.AppendEntries, m)
		t.followers.note(id, args, answer, time.Now())
		return finish(resp, appendAnswerFromWire)(answer, err)
	}
	if err := t.config.shorten(args); err != nil {
		return p.failed("append", err)
	}
	m := appendToWire(p.envelope(), args)
	m.LeaderCommitIndex = provenCommit(args)
	limit := t.config.Timeouts.forAppend(appendBytes(args.Entries))
	answer, err := call(p, p.appends, "append", limit, raftv1.RaftServiceClient.AppendEntries, m)
	t.followers.note(id, args, answer, time.Now())
	return finish(resp, appendAnswerFromWire)(answer, err)
}

// isHeartbeat tells the requests that raft sends only to be heard.
func isHeartbeat(r *raft.AppendEntriesRequest) bool {
	return r.Term != 0 && r.PrevLogEntry == 0 && r.PrevLogTerm == 0 && len(r.Entries) == 0 && r.LeaderCommitIndex == 0
}

// finish writes the answer of a call where raft wants it. On an error raft's struct stays as it was.
func finish[A, R any](to *R, from func(*A) R) func(*A, error) error {
	return func(answer *A, err error) error {
		if err == nil {
			*to = from(answer)
		}
		return err
	}
}

// RequestVote asks for a vote.
func (t *Transport) RequestVote(id raft.ServerID, address raft.ServerAddress, args *raft.RequestVoteRequest, resp *raft.RequestVoteResponse) error {
	p, err := t.peer(id, address)
	if err != nil {
		return err
	}
	m := voteToWire(p.envelope(), args)
	return finish(resp, voteAnswerFromWire)(call(p, p.control, "vote request", t.config.Timeouts.Vote, raftv1.RaftServiceClient.RequestVote, m))
}

// RequestPreVote asks whether a vote would be given. Where the peer does not know the question, the error contains
// "unexpected command", which raft takes for a yes.
func (t *Transport) RequestPreVote(id raft.ServerID, address raft.ServerAddress, args *raft.RequestPreVoteRequest, resp *raft.RequestPreVoteResponse) error {
	p, err := t.peer(id, address)
	if err != nil {
		return err
	}
	m := preVoteToWire(p.envelope(), args)
	return preVoteError(finish(resp, preVoteAnswerFromWire)(call(p, p.control, "pre-vote request", t.config.Timeouts.Vote, raftv1.RaftServiceClient.RequestPreVote, m)))
}

// TimeoutNow makes the peer start an election: it is to be the next leader.
func (t *Transport) TimeoutNow(id raft.ServerID, address raft.ServerAddress, args *raft.TimeoutNowRequest, resp *raft.TimeoutNowResponse) error {
	p, err := t.peer(id, address)
	if err != nil {
		return err
	}
	m := timeoutNowToWire(p.envelope(), args)
	return finish(resp, timeoutNowAnswerFromWire)(call(p, p.control, "transfer of leadership", t.config.Timeouts.Vote, raftv1.RaftServiceClient.TimeoutNow, m))
}

// AppendEntriesPipeline opens a pipeline of appends.
func (t *Transport) AppendEntriesPipeline(id raft.ServerID, address raft.ServerAddress) (raft.AppendPipeline, error) {
	p, err := t.peer(id, address)
	if err != nil {
		return nil, err
	}
	return openPipeline(p)
}

// InstallSnapshot offers a snapshot, whose manifest is read from data, and waits until the peer has pulled what it lacks and its
// raft has installed it. It waits first until fewer than Config.MaxTransfers others are on their way; nothing is read of
// data until then.
func (t *Transport) InstallSnapshot(id raft.ServerID, address raft.ServerAddress, args *raft.InstallSnapshotRequest, resp *raft.InstallSnapshotResponse, data io.Reader) error {
	p, err := t.peer(id, address)
	if err != nil {
		return err
	}
	return finish(resp, installAnswerFromWire)(p.sendSnapshot(args, data))
}

// ConfirmTerm asks a member for its current term, which it reads after the question arrived and without its raft's main
// loop: one voice in a read-index round. A member that cannot be reached is not waited for.
func (t *Transport) ConfirmTerm(ctx context.Context, id raft.ServerID, address raft.ServerAddress) (uint64, error) {
	answer, err := t.confirm(ctx, id, address)
	return answer.GetTerm(), err
}

// ReadClock asks a member what its clock shows. A member that cannot be reached is not waited for.
func (t *Transport) ReadClock(ctx context.Context, id raft.ServerID, address raft.ServerAddress) (time.Time, error) {
	answer, err := t.confirm(ctx, id, address)
	if err == nil && answer.GetClock() == 0 {
		err = fmt.Errorf("member %s does not tell its clock: its version is older", id)
	}
	return time.Unix(0, answer.GetClock()), err
}

func (t *Transport) confirm(ctx context.Context, id raft.ServerID, address raft.ServerAddress) (*raftv1.ConfirmTermResponse, error) {
	p, err := t.peer(id, address)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, t.config.Timeouts.Confirm)
	defer cancel()
	defer context.AfterFunc(t.calls, cancel)()
	answer, err := p.control.client.ConfirmTerm(ctx, &raftv1.ConfirmTermRequest{Envelope: p.envelope()})
	if err != nil {
		return nil, p.callError(ctx, "confirmation of the term", err)
	}
	return answer, nil
}
