package transport

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	raftv1 "github.com/ballastdb/ballast/proto/raft/v1"
)

// TestHeartbeatsGoThroughTheMainLoop: raft's fast path for heartbeats, which changes its state beside its main loop, is
// never called.
func TestHeartbeatsGoThroughTheMainLoop(t *testing.T) {
	a, b := startMember(t, "a", nil), startMember(t, "b", nil)
	b.SetHeartbeatHandler(func(rpc raft.RPC) {
		t.Error("the handler given to SetHeartbeatHandler was called")
		rpc.Respond(success(rpc))
	})
	reached := make(chan struct{}, 1)
	b.answerAll(t, func(rpc raft.RPC) (any, error) {
		reached <- struct{}{}
		return success(rpc)
	})
	var answer raft.AppendEntriesResponse
	if err := a.AppendEntries(b.id, b.address, heartbeat(a), &answer); err != nil {
		t.Fatal(err)
	}
	select {
	case <-reached:
	default:
		t.Error("the heartbeat did not come through Consumer")
	}
	if !answer.Success || answer.Term != 3 {
		t.Errorf("expected success in term 3, found %+v", answer)
	}
}

// TestHeartbeatOutlivesAStall: raft's main loop writes the log for 300 ms while a heartbeat waits for it; that is within
// what we promise to bear, so the heartbeat must not fail.
func TestHeartbeatOutlivesAStall(t *testing.T) {
	a, b := startMember(t, "a", nil), startMember(t, "b", nil)
	b.answerAll(t, func(rpc raft.RPC) (any, error) {
		time.Sleep(300 * time.Millisecond)
		return success(rpc)
	})
	if err := a.AppendEntries(b.id, b.address, heartbeat(a), &raft.AppendEntriesResponse{}); err != nil {
		t.Error(err)
	}
}

// rejecting answers the first append of a pipeline with a rejection and the others with success: the peer of #612.
type rejecting struct {
	raftv1.UnimplementedRaftServiceServer
}

func (rejecting) AppendEntriesPipeline(stream raftv1.RaftService_AppendEntriesPipelineServer) error {
	for first := true; ; first = false {
		m, err := stream.Recv()
		if err != nil {
			return err
		}
		answer := &raftv1.AppendEntriesResponse{Term: m.GetRequest().GetTerm(), Success: !first}
		if err := stream.Send(&raftv1.AppendEntriesPipelineResponse{Response: answer}); err != nil {
			return err
		}
	}
}

// TestPipelineEndsAtARejection: raft takes no more answers once one is not success, and goes on sending until it is told.
// It must be told at once, or it waits for ever for room that nobody makes.
func TestPipelineEndsAtARejection(t *testing.T) {
	a := startMember(t, "a", nil)
	id, address := scripted(t, "b", rejecting{})
	pipeline, err := a.AppendEntriesPipeline(id, address)
	if err != nil {
		t.Fatal(err)
	}
	defer pipeline.Close()
	if _, err := pipeline.AppendEntries(appendOf(a, 1, 1, 10), &raft.AppendEntriesResponse{}); err != nil {
		t.Fatal(err)
	}
	rejected := <-pipeline.Consumer() // the last answer that raft takes
	if rejected.Error() != nil || rejected.Response().Success {
		t.Fatalf("expected a rejection, found %+v, %v", rejected.Response(), rejected.Error())
	}
	within(t, "the end of the pipeline", func() {
		for i := uint64(2); ; i++ {
			if _, err := pipeline.AppendEntries(appendOf(a, i, 1, 10), &raft.AppendEntriesResponse{}); err != nil {
				if !errors.Is(err, errPipelineRejected) {
					t.Errorf("expected %v, found %v", errPipelineRejected, err)
				}
				return
			}
		}
	})
}

// storing keeps what it is sent, as raft would.
type storing struct {
	mu      sync.Mutex
	entries []*raft.Log
	// rejectFrom is the first index that is not stored; 0: all are.
	rejectFrom uint64
}

func (s *storing) answer(rpc raft.RPC) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := rpc.Command.(*raft.AppendEntriesRequest)
	answer := &raft.AppendEntriesResponse{Term: r.Term, LastLog: uint64(len(s.entries)), Success: true}
	if r.PrevLogEntry > uint64(len(s.entries)) || r.LeaderCommitIndex > r.PrevLogEntry+uint64(len(r.Entries)) {
		answer.Success = false
		return answer, nil
	}
	for _, l := range r.Entries {
		if s.rejectFrom > 0 && l.Index >= s.rejectFrom {
			answer.Success = false
			return answer, nil
		}
		s.entries = append(s.entries[:l.Index-1], l)
	}
	return answer, nil
}

func (s *storing) expect(t *testing.T, entries []*raft.Log) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.entries) < len(entries) {
		t.Errorf("reported as stored: %d entries; stored: %d", len(entries), len(s.entries))
		return
	}
	for i, l := range entries {
		if found := s.entries[i]; found.Index != l.Index || !bytes.Equal(found.Data, l.Data) {
			t.Errorf("entry %d: other bytes were stored than sent", l.Index)
			return
		}
	}
}

// TestOversizedAppends: 12 MiB in one request of raft's get through, one by one and in the pipeline, and what raft is
// led to count as stored is stored. Where the peer rejects a part, the request is not a success.
func TestOversizedAppends(t *testing.T) {
	const count, size = 48, 256 << 10
	setup := func(t *testing.T, rejectFrom uint64) (*member, *member, *storing) {
		a, b, s := startMember(t, "a", nil), startMember(t, "b", nil), &storing{rejectFrom: rejectFrom}
		b.answerAll(t, s.answer)
		return a, b, s
	}
	t.Run("one by one", func(t *testing.T) {
		a, b, s := setup(t, 0)
		all := appendOf(a, 0, count, size).Entries
		for sent := 0; sent < count; {
			r := appendOf(a, uint64(sent), 0, 0)
			r.Entries, r.LeaderCommitIndex = all[sent:], count
			var answer raft.AppendEntriesResponse
			if err := a.AppendEntries(b.id, b.address, r, &answer); err != nil {
				t.Fatal(err)
			}
			if !answer.Success || len(r.Entries) == 0 {
				t.Fatalf("no progress at %d", sent)
			}
			sent += len(r.Entries)
			s.expect(t, all[:sent])
		}
	})
	t.Run("pipeline", func(t *testing.T) {
		a, b, s := setup(t, 0)
		future, err := sendOne(t, a, b, appendOf(a, 0, count, size))
		if err != nil {
			t.Fatal(err)
		}
		if !future.Response().Success {
			t.Fatalf("expected success, found %+v", future.Response())
		}
		s.expect(t, future.Request().Entries)
	})
	t.Run("a part is rejected", func(t *testing.T) {
		a, b, _ := setup(t, 20)
		if future, err := sendOne(t, a, b, appendOf(a, 0, count, size)); err == nil && future.Response().Success {
			t.Error("a request of which one part was rejected was answered with success")
		}
	})
}

// sendOne sends one append through a pipeline and waits for its answer.
func sendOne(t *testing.T, from, to *member, r *raft.AppendEntriesRequest) (raft.AppendFuture, error) {
	t.Helper()
	pipeline, err := from.AppendEntriesPipeline(to.id, to.address)
	if err != nil {
		t.Fatal(err)
	}
	defer pipeline.Close()
	future, err := pipeline.AppendEntries(r, &raft.AppendEntriesResponse{})
	if err != nil {
		return nil, err
	}
	return future, future.Error()
}

// TestEntriesBelongToRaft: raft and its log cache keep the entries of a request long after it was answered, so their
// bytes must not be used again.
func TestEntriesBelongToRaft(t *testing.T) {
	a, b, s := startMember(t, "a", nil), startMember(t, "b", nil), &storing{}
	b.answerAll(t, s.answer)
	var all []*raft.Log
	for i := range uint64(20) {
		r := appendOf(a, i, 1, 1000)
		all = append(all, r.Entries...)
		if err := a.AppendEntries(b.id, b.address, r, &raft.AppendEntriesResponse{}); err != nil {
			t.Fatal(err)
		}
	}
	s.expect(t, all)
	for i, l := range all {
		if !bytes.Equal(l.Data, appendOf(a, uint64(i), 1, 1000).Entries[0].Data) {
			t.Errorf("the sender's entry %d was changed", l.Index)
		}
	}
}

// TestPeerWithoutPreVote: an older peer, or an older raft behind a peer, does not know the question. The library counts
// that as a yes, and recognises it by a text alone.
func TestPeerWithoutPreVote(t *testing.T) {
	ask := func(a *member, id raft.ServerID, address raft.ServerAddress) error {
		return a.RequestPreVote(id, address, &raft.RequestPreVoteRequest{RPCHeader: header(a), Term: 4}, &raft.RequestPreVoteResponse{})
	}
	a := startMember(t, "a", nil)
	t.Run("older peer", func(t *testing.T) {
		id, address := scripted(t, "b", rejecting{})
		if err := ask(a, id, address); err == nil || !strings.Contains(err.Error(), unexpectedCommand) {
			t.Errorf("expected an error with the text %q, found %v", unexpectedCommand, err)
		}
	})
	t.Run("older raft", func(t *testing.T) {
		b := startMember(t, "b", nil)
		b.answerAll(t, func(raft.RPC) (any, error) { return nil, errors.New(unexpectedCommand) })
		if err := ask(a, b.id, b.address); err == nil || !strings.Contains(err.Error(), unexpectedCommand) {
			t.Errorf("expected an error with the text %q, found %v", unexpectedCommand, err)
		}
	})
	t.Run("any other error is no yes", func(t *testing.T) {
		b := startMember(t, "b", nil)
		b.answerAll(t, func(raft.RPC) (any, error) { return nil, raft.ErrUnsupportedProtocol })
		if err := ask(a, b.id, b.address); err == nil || strings.Contains(err.Error(), unexpectedCommand) {
			t.Errorf("expected raft's own error, found %v", err)
		}
	})
}

// TestStrangersAreRefused: whatever a member asks of one that belongs to another cluster, another history or another
// data directory is refused before raft sees it, with what was expected and what was found.
func TestStrangersAreRefused(t *testing.T) {
	strangers := map[string]struct {
		set  func(*Config)
		id   func(*member) raft.ServerID
		says string
	}{
		"cluster":            {set: func(c *Config) { c.ClusterID[1] = 1 }, says: "cluster: expected c1000000"},
		"epoch":              {set: func(c *Config) { c.Epoch = 2 }, says: "recovery epoch: expected 0, found 2"},
		"receiver's old id":  {id: func(*member) raft.ServerID { return ServerID("b", [16]byte{'x'}) }, says: "receiver's incarnation: expected 62000000"},
		"sender's false id":  {set: func(c *Config) {}, says: "sender's incarnation: expected 7a000000"},
		"sender's broken id": {set: func(c *Config) {}, says: `server id "z": expected name/incarnation`},
	}
	for name, stranger := range strangers {
		t.Run(name, func(t *testing.T) {
			a, b := startMember(t, "a", stranger.set), startMember(t, "b", nil)
			b.answerAll(t, func(rpc raft.RPC) (any, error) {
				t.Errorf("%T reached raft", rpc.Command)
				return nil, errors.New("reached raft")
			})
			h, id := header(a), b.id
			switch name {
			case "sender's false id":
				h.ID = []byte(ServerID("z", [16]byte{'z'}))
			case "sender's broken id":
				h.ID = []byte("z")
			}
			if stranger.id != nil {
				id = stranger.id(b)
			}
			for method, err := range askEverything(a, h, id, b.address) {
				if strings.HasPrefix(name, "sender") && (method == "ConfirmTerm" || strings.HasPrefix(method, "Fetch")) {
					continue // it carries no server id, or the transport's own
				}
				if status.Code(err) != codes.FailedPrecondition || !strings.Contains(err.Error(), stranger.says) {
					t.Errorf("%s: expected FAILED_PRECONDITION with %q, found %v", method, stranger.says, err)
				}
			}
		})
	}
}

// askEverything makes each call of the transport once.
func askEverything(a *member, h raft.RPCHeader, id raft.ServerID, address raft.ServerAddress) map[string]error {
	errs := map[string]error{
		"AppendEntries": a.AppendEntries(id, address, &raft.AppendEntriesRequest{RPCHeader: h, Term: 1}, &raft.AppendEntriesResponse{}),
		"RequestVote":   a.RequestVote(id, address, &raft.RequestVoteRequest{RPCHeader: h}, &raft.RequestVoteResponse{}),
		"PreVote":       a.RequestPreVote(id, address, &raft.RequestPreVoteRequest{RPCHeader: h}, &raft.RequestPreVoteResponse{}),
		"TimeoutNow":    a.TimeoutNow(id, address, &raft.TimeoutNowRequest{RPCHeader: h}, &raft.TimeoutNowResponse{}),
		"InstallSnapshot": a.InstallSnapshot(id, address, &raft.InstallSnapshotRequest{RPCHeader: h, Size: 3}, &raft.InstallSnapshotResponse{},
			io.NopCloser(strings.NewReader("abc"))),
	}
	_, errs["ConfirmTerm"] = a.ConfirmTerm(context.Background(), id, address)
	m := raft.Server{ID: id, Address: address}
	errs["FetchPages"] = a.FetchPages(context.Background(), m, 9, 2, nil, func([]byte) error { return nil })
	_, errs["FetchManifest"] = a.FetchManifest(context.Background(), m)
	_, errs["FetchJournal"] = a.FetchJournal(context.Background(), m, 0, 1)
	pipeline, err := a.AppendEntriesPipeline(id, address)
	if err == nil {
		var future raft.AppendFuture
		if future, err = pipeline.AppendEntries(&raft.AppendEntriesRequest{RPCHeader: h, Term: 1}, &raft.AppendEntriesResponse{}); err == nil {
			err = future.Error()
		}
		_ = pipeline.Close()
	}
	errs["pipeline"] = err
	return errs
}

// TestSlowConsumer: raft may be late in taking answers, as any goroutine on a busy machine; that holds the sender up and
// loses nothing.
func TestSlowConsumer(t *testing.T) {
	const count = 3 * answerBacklog
	a, b := startMember(t, "a", nil), startMember(t, "b", nil)
	b.answerAll(t, success)
	pipeline, err := a.AppendEntriesPipeline(b.id, b.address)
	if err != nil {
		t.Fatal(err)
	}
	defer pipeline.Close()
	var sent atomic.Int64
	failed := make(chan error, 1)
	go func() {
		defer close(failed)
		for i := range uint64(count) {
			if _, err := pipeline.AppendEntries(appendOf(a, i, 1, 1), &raft.AppendEntriesResponse{}); err != nil {
				failed <- err
				return
			}
			sent.Add(1)
		}
	}()
	eventually(t, "a full backlog", func() bool { return sent.Load() >= answerBacklog })
	within(t, "all answers", func() {
		for i := range uint64(count) {
			f := <-pipeline.Consumer()
			if f.Request().PrevLogEntry != i || !f.Response().Success {
				t.Errorf("expected the answer to append %d, found %+v to %d", i, f.Response(), f.Request().PrevLogEntry)
			}
		}
	})
	if err := <-failed; err != nil {
		t.Error(err)
	}
}

// TestWhoNoticedFirstIsHeard: raft asks no more than whether it believes in a leader. Of one that was silent for an election timeout that
// must not keep it from voting; of one that speaks it must.
func TestWhoNoticedFirstIsHeard(t *testing.T) {
	var silent atomic.Value
	silent.Store(raft.ServerAddress(""))
	a := startMember(t, "a", nil)
	b := startMember(t, "b", func(c *Config) {
		c.Silent = func() raft.ServerAddress { return silent.Load().(raft.ServerAddress) } //nolint:forcetypeassert // see above
	})
	var asked raft.RPC
	b.answerAll(t, func(rpc raft.RPC) (any, error) {
		asked = rpc
		if _, ok := rpc.Command.(*raft.RequestVoteRequest); ok {
			return &raft.RequestVoteResponse{}, nil
		}
		return &raft.RequestPreVoteResponse{}, nil
	})
	header := raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte(a.id), Addr: []byte(a.address)}
	ask := func() (passes bool) {
		t.Helper()
		if err := a.RequestVote(b.id, b.address, &raft.RequestVoteRequest{RPCHeader: header, Term: 4}, &raft.RequestVoteResponse{}); err != nil {
			t.Fatal(err)
		}
		vote, _ := asked.Command.(*raft.RequestVoteRequest)
		if err := a.RequestPreVote(b.id, b.address, &raft.RequestPreVoteRequest{RPCHeader: header, Term: 4}, &raft.RequestPreVoteResponse{}); err != nil {
			t.Fatal(err)
		}
		pre, _ := asked.Command.(*raft.RequestPreVoteRequest)
		if string(vote.Addr) != string(a.address) || string(vote.ID) != string(a.id) || string(pre.ID) != string(a.id) {
			t.Errorf("the vote is for %s at %s, the pre-vote for %s", vote.ID, vote.Addr, pre.ID)
		}
		if vote.LeadershipTransfer != (string(pre.Addr) == "10.0.0.9:1") {
			t.Errorf("a vote passes: %v, a pre-vote in the name of %s", vote.LeadershipTransfer, pre.Addr)
		}
		return vote.LeadershipTransfer
	}
	if ask() {
		t.Error("the leader speaks, and would be deposed")
	}
	silent.Store(raft.ServerAddress("10.0.0.9:1"))
	if !ask() {
		t.Error("the leader is silent, and votes are refused in its name")
	}
}
