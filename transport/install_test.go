package transport

import (
	"bytes"
	"context"
	"errors"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	raftv1 "github.com/ballastdb/ballast/proto/raft/v1"
)

// gate is a snapshot on a disk that stops after its first chunk until it is opened.
type gate struct {
	data   io.Reader
	passed int
	open   chan struct{}
}

func newGate(data []byte) *gate { return &gate{data: bytes.NewReader(data), open: make(chan struct{})} }

func (g *gate) Read(b []byte) (int, error) {
	if g.passed >= chunkBytes {
		<-g.open
	}
	n, err := g.data.Read(b)
	g.passed += n
	return n, err
}

// waitReceiving waits until m receives a snapshot.
func waitReceiving(t *testing.T, m *member) {
	t.Helper()
	eventually(t, "a transfer", func() bool {
		m.installs.mu.Lock()
		defer m.installs.mu.Unlock()
		return m.installs.free != nil
	})
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{1})
	_, _ = r.Read(b)
	return b
}

func installOf(m *member, term uint64, size int) *raft.InstallSnapshotRequest {
	return &raft.InstallSnapshotRequest{RPCHeader: header(m), SnapshotVersion: 1, Term: term, LastLogIndex: 9, LastLogTerm: 2, Size: int64(size)}
}

// restoring is a raft that compares what it is given with the snapshot, and grants votes.
func restoring(t *testing.T, snapshot []byte) func(raft.RPC) (any, error) {
	return func(rpc raft.RPC) (any, error) {
		switch r := rpc.Command.(type) {
		case *raft.RequestVoteRequest:
			return &raft.RequestVoteResponse{Term: r.Term, Granted: true}, nil
		case *raft.InstallSnapshotRequest:
			found, err := io.ReadAll(rpc.Reader)
			if err != nil || !bytes.Equal(found, snapshot) {
				t.Errorf("raft was given %d bytes that are not the snapshot's %d (%v)", len(found), len(snapshot), err)
			}
			return &raft.InstallSnapshotResponse{Term: r.Term, Success: true}, nil
		}
		return nil, errors.New("neither a vote nor a snapshot")
	}
}

// TestVotesDuringAnInstall: while a snapshot is on its way raft's main loop is free, and what raft is given in the end
// is the whole of it.
func TestVotesDuringAnInstall(t *testing.T) {
	for _, size := range []int{0, 1, chunkBytes, 3*chunkBytes + 1} {
		snapshot := randomBytes(size)
		a, b := startMember(t, "a", nil), startMember(t, "b", nil)
		b.answerAll(t, restoring(t, snapshot))
		slow := newGate(snapshot)
		installed := make(chan error, 1)
		var answer raft.InstallSnapshotResponse
		go func() { installed <- a.InstallSnapshot(b.id, b.address, installOf(a, 3, size), &answer, slow) }()
		var vote raft.RequestVoteResponse
		if err := a.RequestVote(b.id, b.address, &raft.RequestVoteRequest{RPCHeader: header(a), Term: 4}, &vote); err != nil || !vote.Granted {
			t.Errorf("expected a vote during the transfer, found %+v, %v", vote, err)
		}
		close(slow.open)
		within(t, "the install", func() {
			if err := <-installed; err != nil || !answer.Success {
				t.Errorf("expected success, found %+v, %v", answer, err)
			}
		})
	}
}

// slowStager answers with a token when it is let, after it has read everything.
type slowStager struct {
	staging chan struct{} // closed when everything is read
	open    chan struct{}
	found   []byte
}

func (s *slowStager) Stage(_ context.Context, _ *raft.InstallSnapshotRequest, data io.Reader, _ Puller, _ func(Progress)) (token []byte, err error) {
	s.found, err = io.ReadAll(data)
	close(s.staging)
	<-s.open
	return []byte("token"), err
}

// TestVotesWhileStaging: while a snapshot that has arrived is verified, which takes long, raft's main loop answers votes.
// In the end it is given the token and nothing else.
func TestVotesWhileStaging(t *testing.T) {
	snapshot := randomBytes(3 * chunkBytes)
	slow := &slowStager{staging: make(chan struct{}), open: make(chan struct{})}
	a, b := startMember(t, "a", nil), startMember(t, "b", func(c *Config) { c.Stager = slow })
	size := int64(0)
	answer := restoring(t, []byte("token"))
	b.answerAll(t, func(rpc raft.RPC) (any, error) {
		if r, ok := rpc.Command.(*raft.InstallSnapshotRequest); ok {
			size = r.Size
		}
		return answer(rpc)
	})
	installed := make(chan error, 1)
	go func() {
		installed <- a.InstallSnapshot(b.id, b.address, installOf(a, 3, len(snapshot)), &raft.InstallSnapshotResponse{}, bytes.NewReader(snapshot))
	}()
	within(t, "the transfer", func() { <-slow.staging })
	voted := make(chan error, 1)
	go func() {
		var vote raft.RequestVoteResponse
		err := a.RequestVote(b.id, b.address, &raft.RequestVoteRequest{RPCHeader: header(a), Term: 4}, &vote)
		if err == nil && !vote.Granted {
			err = errors.New("not granted")
		}
		voted <- err
	}()
	select {
	case err := <-voted:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patience / 2):
		t.Error("expected a vote while a snapshot is staged, found none")
	}
	close(slow.open)
	within(t, "the install", func() {
		if err := <-installed; err != nil {
			t.Error(err)
		}
	})
	if !bytes.Equal(slow.found, snapshot) || size != int64(len("token")) {
		t.Errorf("staged were %d bytes, raft was told of %d, want %d and those of the token", len(slow.found), size, len(snapshot))
	}
}

// TestStagedIsNotSentAgain: a receiver that has the snapshot staged does not read it, and the sender, which has more of it
// than fits on the way, gets the answer all the same.
func TestStagedIsNotSentAgain(t *testing.T) {
	large := randomBytes(32 << 20)
	a, b := startMember(t, "a", nil), startMember(t, "b", func(c *Config) { c.Stager = known{} })
	b.answerAll(t, restoring(t, []byte("token")))
	sent := bytes.NewReader(large)
	var answer raft.InstallSnapshotResponse
	within(t, "the install", func() {
		err := a.InstallSnapshot(b.id, b.address, installOf(a, 3, len(large)), &answer, sent)
		if err != nil || !answer.Success {
			t.Errorf("expected success, found %+v, %v", answer, err)
		}
	})
	if sent.Len() < len(large)/2 {
		t.Errorf("%d bytes of %d were sent again", len(large)-sent.Len(), len(large))
	}
}

// known has everything staged.
type known struct{}

func (known) Stage(context.Context, *raft.InstallSnapshotRequest, io.Reader, Puller, func(Progress)) ([]byte, error) {
	return []byte("token"), nil
}

// TestDamagedSnapshots: whatever is wrong with a transfer, raft does not see it, and a sound one goes through afterwards.
func TestDamagedSnapshots(t *testing.T) {
	type part = raftv1.InstallSnapshotRequest
	snapshot := randomBytes(1000)
	a, b := startMember(t, "a", nil), startMember(t, "b", nil)
	b.answerAll(t, restoring(t, snapshot))
	p, err := a.peer(b.id, b.address)
	if err != nil {
		t.Fatal(err)
	}
	begin := func(size int) *part {
		return &part{Part: &raftv1.InstallSnapshotRequest_Start{Start: installToWire(p.envelope(), installOf(a, 3, size))}}
	}
	chunk := func(b []byte) *part { return &part{Part: &raftv1.InstallSnapshotRequest_Chunk{Chunk: b}} }
	end := func(size int, sum uint32) *part {
		return &part{Part: &raftv1.InstallSnapshotRequest_End{End: &raftv1.InstallSnapshotTrailer{Size: int64(size), Crc32C: sum}}}
	}
	sum := crc32.Checksum(snapshot, castagnoli())
	flipped := bytes.Clone(snapshot)
	flipped[500] ^= 1
	for name, c := range map[string]struct {
		parts []*part
		code  codes.Code
	}{
		"sound":              {[]*part{begin(1000), chunk(snapshot[:300]), chunk(snapshot[300:]), end(1000, sum)}, codes.OK},
		"a bit changed":      {[]*part{begin(1000), chunk(flipped), end(1000, sum)}, codes.DataLoss},
		"a chunk missing":    {[]*part{begin(1000), chunk(snapshot[:300]), end(1000, sum)}, codes.DataLoss},
		"a chunk too many":   {[]*part{begin(1000), chunk(snapshot), chunk(snapshot), end(1000, sum)}, codes.DataLoss},
		"no trailer":         {[]*part{begin(1000), chunk(snapshot)}, codes.DataLoss},
		"another size":       {[]*part{begin(1000), chunk(snapshot), end(999, sum)}, codes.DataLoss},
		"two headers":        {[]*part{begin(1000), begin(1000)}, codes.DataLoss},
		"nothing in a part":  {[]*part{begin(1000), {}}, codes.DataLoss},
		"a chunk first":      {[]*part{chunk(snapshot)}, codes.InvalidArgument},
		"less than no bytes": {[]*part{begin(-1)}, codes.InvalidArgument},
		"far too many bytes": {[]*part{begin(maxManifestBytes + 1)}, codes.InvalidArgument},
	} {
		t.Run(name, func(t *testing.T) {
			stream, err := p.installs.client.InstallSnapshot(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			for _, part := range c.parts {
				if err := stream.Send(part); err != nil {
					break // the status says why
				}
			}
			_ = stream.CloseSend()
			answer, err := stream.Recv()
			for err == nil && answer.GetAnswer() == nil {
				answer, err = stream.Recv()
			}
			if status.Code(err) != c.code {
				t.Errorf("expected %v, found %v", c.code, err)
			}
		})
	}
}

// TestBeforeInstall: raft is given a snapshot between the call and what the call returned, and not at all where the call
// fails.
func TestBeforeInstall(t *testing.T) {
	snapshot := randomBytes(1000)
	var open atomic.Bool
	var refused error
	a, b := startMember(t, "a", nil), startMember(t, "b", func(c *Config) {
		c.BeforeInstall = func(context.Context) (func(), error) {
			if refused != nil {
				return nil, refused
			}
			open.Store(true)
			return func() { open.Store(false) }, nil
		}
	})
	given := 0
	b.answerAll(t, func(rpc raft.RPC) (any, error) {
		given++
		if !open.Load() {
			t.Error("raft is given a snapshot outside of it")
		}
		return restoring(t, snapshot)(rpc)
	})
	install := func() error {
		return a.InstallSnapshot(b.id, b.address, installOf(a, 3, len(snapshot)), &raft.InstallSnapshotResponse{}, bytes.NewReader(snapshot))
	}
	if err := install(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the end", func() bool { return !open.Load() })
	refused = errors.New("not now")
	if err := install(); err == nil || !strings.Contains(err.Error(), "not now") || given != 1 {
		t.Errorf("refused, found %v; raft was given %d snapshots, want one", err, given)
	}
}

// TestStalledInstall: a transfer that does not move is given up on both sides, and the next one goes through.
func TestStalledInstall(t *testing.T) {
	snapshot := randomBytes(2 * chunkBytes)
	short := func(c *Config) { c.Timeouts.InstallIdle = 300 * time.Millisecond }
	t.Run("the sender's disk", func(t *testing.T) {
		a, b := startMember(t, "a", short), startMember(t, "b", short)
		b.answerAll(t, restoring(t, snapshot))
		slow := newGate(snapshot)
		stalled := make(chan error, 1)
		go func() {
			stalled <- a.InstallSnapshot(b.id, b.address, installOf(a, 3, len(snapshot)), &raft.InstallSnapshotResponse{}, slow)
		}()
		waitReceiving(t, b)
		eventually(t, "an install after the stalled one", func() bool {
			return a.InstallSnapshot(b.id, b.address, installOf(a, 3, len(snapshot)), &raft.InstallSnapshotResponse{}, bytes.NewReader(snapshot)) == nil
		})
		close(slow.open)
		within(t, "the stalled install", func() {
			if err := <-stalled; err == nil {
				t.Error("expected the stalled install to be given up")
			}
		})
	})
	t.Run("a peer that answers nothing", func(t *testing.T) {
		a := startMember(t, "a", short)
		id, address := scripted(t, "b", deaf{})
		within(t, "the install", func() {
			err := a.InstallSnapshot(id, address, installOf(a, 3, len(snapshot)), &raft.InstallSnapshotResponse{}, bytes.NewReader(snapshot))
			if !errors.Is(err, errInstallIdle) {
				t.Errorf("expected %v, found %v", errInstallIdle, err)
			}
		})
	})
	t.Run("the receiver", func(t *testing.T) {
		a := startMember(t, "a", short)
		id, address := scripted(t, "b", awake{})
		large := randomBytes(32 << 20)
		within(t, "the install", func() {
			err := a.InstallSnapshot(id, address, installOf(a, 3, len(large)), &raft.InstallSnapshotResponse{}, bytes.NewReader(large))
			if !errors.Is(err, errInstallIdle) {
				t.Errorf("expected %v, found %v", errInstallIdle, err)
			}
		})
	})
	t.Run("the receiver's raft", func(t *testing.T) {
		a := startMember(t, "a", func(c *Config) { c.Timeouts.InstallAnswer = 300 * time.Millisecond })
		b := startMember(t, "b", nil) // nobody reads Consumer
		within(t, "the install", func() {
			err := a.InstallSnapshot(b.id, b.address, installOf(a, 3, len(snapshot)), &raft.InstallSnapshotResponse{}, bytes.NewReader(snapshot))
			if !errors.Is(err, errInstallIdle) {
				t.Errorf("expected %v, found %v", errInstallIdle, err)
			}
		})
	})
}

// awake answers that it is there, and nothing else.
type awake struct{ deaf }

func (awake) ConfirmTerm(context.Context, *raftv1.ConfirmTermRequest) (*raftv1.ConfirmTermResponse, error) {
	return &raftv1.ConfirmTermResponse{}, nil
}

// deaf takes every call, reads nothing and answers nothing.
type deaf struct {
	raftv1.UnimplementedRaftServiceServer
}

func (deaf) AppendEntries(ctx context.Context, _ *raftv1.AppendEntriesRequest) (*raftv1.AppendEntriesResponse, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (deaf) RequestVote(ctx context.Context, _ *raftv1.RequestVoteRequest) (*raftv1.RequestVoteResponse, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (deaf) RequestPreVote(ctx context.Context, _ *raftv1.RequestPreVoteRequest) (*raftv1.RequestPreVoteResponse, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (deaf) TimeoutNow(ctx context.Context, _ *raftv1.TimeoutNowRequest) (*raftv1.TimeoutNowResponse, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (deaf) ConfirmTerm(ctx context.Context, _ *raftv1.ConfirmTermRequest) (*raftv1.ConfirmTermResponse, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (deaf) AppendEntriesPipeline(stream raftv1.RaftService_AppendEntriesPipelineServer) error {
	<-stream.Context().Done()
	return stream.Context().Err()
}

func (deaf) InstallSnapshot(stream raftv1.RaftService_InstallSnapshotServer) error {
	<-stream.Context().Done()
	return stream.Context().Err()
}

// TestNewerTermTakesTheSlot: a leader of a newer term does not wait for the transfer of an older one.
func TestNewerTermTakesTheSlot(t *testing.T) {
	snapshot := randomBytes(2 * chunkBytes)
	a, c, b := startMember(t, "a", nil), startMember(t, "c", nil), startMember(t, "b", nil)
	b.answerAll(t, restoring(t, snapshot))
	slow := newGate(snapshot)
	old := make(chan error, 1)
	go func() {
		old <- a.InstallSnapshot(b.id, b.address, installOf(a, 3, len(snapshot)), &raft.InstallSnapshotResponse{}, slow)
	}()
	waitReceiving(t, b)
	within(t, "the newer install", func() {
		if err := c.InstallSnapshot(b.id, b.address, installOf(c, 4, len(snapshot)), &raft.InstallSnapshotResponse{}, bytes.NewReader(snapshot)); err != nil {
			t.Error(err)
		}
	})
	close(slow.open)
	if err := <-old; err == nil || !strings.Contains(err.Error(), errInstallSuperseded.Error()) {
		t.Errorf("expected %q, found %v", errInstallSuperseded, err)
	}
}

// TestRaftReadsOnAfterTheSenderLeft: once raft has begun with a snapshot, it is there to its end, also when the leader
// that sent it goes away.
func TestRaftReadsOnAfterTheSenderLeft(t *testing.T) {
	snapshot := randomBytes(2 * chunkBytes)
	a, b := startMember(t, "a", nil), startMember(t, "b", nil)
	taken, left, restored := make(chan struct{}), make(chan struct{}), make(chan struct{})
	b.answerAll(t, func(rpc raft.RPC) (any, error) {
		close(taken)
		<-left
		defer close(restored)
		return restoring(t, snapshot)(rpc)
	})
	sent := make(chan error, 1)
	go func() {
		sent <- a.InstallSnapshot(b.id, b.address, installOf(a, 3, len(snapshot)), &raft.InstallSnapshotResponse{}, bytes.NewReader(snapshot))
	}()
	within(t, "the restore", func() {
		<-taken
		a.StopCalls()
		if err := <-sent; !errors.Is(err, raft.ErrTransportShutdown) {
			t.Errorf("expected %v, found %v", raft.ErrTransportShutdown, err)
		}
		b.StopCalls()
		close(left)
		<-restored
	})
}
