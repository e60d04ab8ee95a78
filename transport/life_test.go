package transport

import (
	"bytes"
	"context"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// hangingCalls makes every call that raft makes, each on a goroutine, and returns what they will return.
func hangingCalls(a *member, id raft.ServerID, address raft.ServerAddress) map[string]chan error {
	calls := map[string]func() error{
		"heartbeat": func() error { return a.AppendEntries(id, address, heartbeat(a), &raft.AppendEntriesResponse{}) },
		"append":    func() error { return a.AppendEntries(id, address, appendOf(a, 1, 1, 1), &raft.AppendEntriesResponse{}) },
		"vote": func() error {
			return a.RequestVote(id, address, &raft.RequestVoteRequest{}, &raft.RequestVoteResponse{})
		},
		"pre-vote": func() error {
			return a.RequestPreVote(id, address, &raft.RequestPreVoteRequest{}, &raft.RequestPreVoteResponse{})
		},
		"transfer": func() error { return a.TimeoutNow(id, address, &raft.TimeoutNowRequest{}, &raft.TimeoutNowResponse{}) },
		"snapshot": func() error {
			return a.InstallSnapshot(id, address, installOf(a, 1, 1), &raft.InstallSnapshotResponse{}, bytes.NewReader([]byte{1}))
		},
		"pipeline": func() error {
			pipeline, err := a.AppendEntriesPipeline(id, address)
			if err != nil {
				return err
			}
			defer pipeline.Close()
			future, err := pipeline.AppendEntries(appendOf(a, 1, 1, 1), &raft.AppendEntriesResponse{})
			if err != nil {
				return err
			}
			return future.Error()
		},
	}
	ends := map[string]chan error{}
	for name, call := range calls {
		end := make(chan error, 1)
		ends[name] = end
		go func() { end <- call() }()
	}
	return ends
}

// neverTimeOut leaves StopCalls as the only end of a call.
func neverTimeOut(c *Config) {
	c.Timeouts = Timeouts{
		Heartbeat: time.Hour, Vote: time.Hour, Confirm: time.Hour, Append: time.Hour,
		InstallIdle: time.Hour, InstallAnswer: time.Hour, Probe: time.Hour,
	}
}

// TestStopCallsEndsEveryCall: raft's shutdown waits for its goroutines, and they for their calls; so stopping must end
// those to a peer that never answers as well as those to one that cannot be reached.
func TestStopCallsEndsEveryCall(t *testing.T) {
	deafID, deafAddress := scripted(t, "b", deaf{})
	closed := listen(t, "127.0.0.1:0")
	closed.Close()
	for name, address := range map[string]raft.ServerAddress{"deaf": deafAddress, "unreachable": raft.ServerAddress(closed.Addr().String())} {
		t.Run(name, func(t *testing.T) {
			a := startMember(t, "a", neverTimeOut)
			ends := hangingCalls(a, deafID, address)
			eventually(t, "the peer", func() bool { a.mu.Lock(); defer a.mu.Unlock(); return len(a.peers) > 0 })
			a.StopCalls()
			for call, end := range ends {
				within(t, call, func() {
					if err := <-end; !errors.Is(err, raft.ErrTransportShutdown) {
						t.Errorf("%s: expected %v, found %v", call, raft.ErrTransportShutdown, err)
					}
				})
			}
		})
	}
}

// TestEveryCallHasADeadline: a peer that takes a call and never answers is given up.
func TestEveryCallHasADeadline(t *testing.T) {
	id, address := scripted(t, "b", deaf{})
	const short = 200 * time.Millisecond
	a := startMember(t, "a", func(c *Config) {
		c.Timeouts = Timeouts{Heartbeat: short, Vote: short, Append: short, Confirm: short, InstallIdle: short, InstallAnswer: short, Probe: short}
	})
	for call, end := range hangingCalls(a, id, address) {
		within(t, call, func() {
			if err := <-end; err == nil {
				t.Errorf("%s: expected an error, found none", call)
			}
		})
	}
	within(t, "ConfirmTerm", func() {
		if _, err := a.ConfirmTerm(context.Background(), id, address); status.Code(err) != codes.DeadlineExceeded && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("ConfirmTerm: expected its deadline to end it, found %v", err)
		}
	})
}

// TestLateAnswers: raft answers a message when nobody waits any more; it must not be held up by that.
func TestLateAnswers(t *testing.T) {
	a, b := startMember(t, "a", nil), startMember(t, "b", nil)
	ends := hangingCalls(a, b.id, b.address)
	taken := <-b.Consumer()
	a.StopCalls()
	b.StopCalls()
	for call, end := range ends {
		within(t, call, func() {
			if err := <-end; err == nil {
				t.Errorf("%s: expected it to be stopped", call)
			}
		})
	}
	within(t, "the late answer", func() { taken.Respond(nil, errors.New("late")) })
}

// TestCloseWithOpenStreams: a member that closes does not wait for others to end their streams.
func TestCloseWithOpenStreams(t *testing.T) {
	a, b := startMember(t, "a", nil), startMember(t, "b", nil)
	b.answerAll(t, success)
	pipeline, err := a.AppendEntriesPipeline(b.id, b.address)
	if err != nil {
		t.Fatal(err)
	}
	defer pipeline.Close()
	future, err := pipeline.AppendEntries(appendOf(a, 0, 1, 1), &raft.AppendEntriesResponse{})
	if err != nil || future.Error() != nil {
		t.Fatal(err, future.Error())
	}
	within(t, "Close", func() { _ = b.Close() })
	if err := a.AppendEntries(b.id, b.address, appendOf(a, 0, 1, 1), &raft.AppendEntriesResponse{}); err == nil ||
		!strings.Contains(err.Error(), "shutting down") {
		t.Errorf("expected a member that shuts down to say so, found %v", err)
	}
}

// TestConfirmTermWithoutRaft: the term is confirmed while raft's main loop does nothing, and is the one of the time of asking.
func TestConfirmTermWithoutRaft(t *testing.T) {
	var term atomic.Uint64
	a := startMember(t, "a", nil)
	b := startMember(t, "b", func(c *Config) { c.CurrentTerm = term.Load })
	for i := range uint64(5) {
		term.Store(i)
		if found, err := a.ConfirmTerm(context.Background(), b.id, b.address); err != nil || found != i {
			t.Errorf("expected term %d, found %d, %v", i, found, err)
		}
	}
}

// TestConfirmTermDoesNotWait: a read-index round needs a majority now, not a member that may come back.
func TestConfirmTermDoesNotWait(t *testing.T) {
	closed := listen(t, "127.0.0.1:0")
	closed.Close()
	a := startMember(t, "a", neverTimeOut)
	within(t, "ConfirmTerm", func() {
		if _, err := a.ConfirmTerm(context.Background(), ServerID("b", [16]byte{'b'}), raft.ServerAddress(closed.Addr().String())); err == nil {
			t.Error("expected an error")
		}
	})
}

// TestAppendWaitsForAnUnreachablePeer: one call bridges the time until the peer is there; failing at once would double raft's pause.
func TestAppendWaitsForAnUnreachablePeer(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	address := l.Addr().String()
	l.Close()
	var dialed atomic.Int32
	a := startMember(t, "a", func(c *Config) {
		neverTimeOut(c)
		c.Dial = func(ctx context.Context, address string) (net.Conn, error) {
			defer dialed.Add(1)
			return (&net.Dialer{}).DialContext(ctx, "tcp", address)
		}
	})
	appended := make(chan error, 1)
	go func() {
		appended <- a.AppendEntries(ServerID("b", [16]byte{'b'}), raft.ServerAddress(address), appendOf(a, 0, 1, 1), &raft.AppendEntriesResponse{})
	}()
	eventually(t, "two refused attempts", func() bool { return dialed.Load() >= 2 })
	back := listen(t, address)
	b := start(t, back, testConfig(t, "b", back.Addr()))
	b.answerAll(t, success)
	within(t, "the append", func() {
		if err := <-appended; err != nil {
			t.Error(err)
		}
	})
}

// freezer makes connections that can fall silent: what is written is swallowed, what should be read never comes.
type freezer struct {
	dials  atomic.Int32
	frozen atomic.Int32 // connections up to this number are silent
}

type freezable struct {
	net.Conn
	freezer *freezer
	number  int32
	closed  chan struct{}
}

func (f *freezer) dial(ctx context.Context, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return &freezable{Conn: conn, freezer: f, number: f.dials.Add(1), closed: make(chan struct{})}, nil
}

func (c *freezable) silent() bool { return c.number <= c.freezer.frozen.Load() }

func (c *freezable) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.silent() && err == nil {
		<-c.closed
		return 0, net.ErrClosed
	}
	return n, err
}

func (c *freezable) Write(b []byte) (int, error) {
	if c.silent() {
		return len(b), nil
	}
	return c.Conn.Write(b)
}

func (c *freezable) Close() error {
	err := c.Conn.Close()
	if err == nil {
		close(c.closed)
	}
	return err
}

// TestSilentConnection: a connection that a partition has left dead is given up after a call on it failed, and not left
// to TCP, which would try again after ever longer pauses.
func TestSilentConnection(t *testing.T) {
	const short = 200 * time.Millisecond
	f := &freezer{}
	a := startMember(t, "a", func(c *Config) { c.Dial, c.Timeouts.Heartbeat, c.Timeouts.Probe = f.dial, short, short })
	b := startMember(t, "b", nil)
	b.answerAll(t, success)
	beat := func() error { return a.AppendEntries(b.id, b.address, heartbeat(a), &raft.AppendEntriesResponse{}) }
	eventually(t, "a heartbeat", func() bool { return beat() == nil })
	f.frozen.Store(f.dials.Load())
	if err := beat(); err == nil {
		t.Error("expected the first heartbeat on the dead connection to fail")
	}
	eventually(t, "a heartbeat on a new connection", func() bool { return beat() == nil })
}

// TestBusyRaftKeepsItsConnection: a peer whose raft does not answer, but which is there, is not dialed again: the calls of
// others on that connection would be lost.
func TestBusyRaftKeepsItsConnection(t *testing.T) {
	f := &freezer{}
	a := startMember(t, "a", func(c *Config) {
		c.Dial, c.Timeouts.Heartbeat, c.Timeouts.Probe = f.dial, 100*time.Millisecond, patience
	})
	b := startMember(t, "b", nil) // nobody reads Consumer
	for range 3 {
		if err := a.AppendEntries(b.id, b.address, heartbeat(a), &raft.AppendEntriesResponse{}); err == nil {
			t.Error("expected the heartbeat to fail")
		}
	}
	if dials := f.dials.Load(); dials != 1 {
		t.Errorf("expected one connection, found %d", dials)
	}
}

// TestServerID: what is put together can be taken apart, and nothing else can.
func TestServerID(t *testing.T) {
	incarnation := [16]byte{0xab, 1}
	name, found, err := ParseServerID(ServerID("node-1", incarnation))
	if err != nil || name != "node-1" || found != incarnation {
		t.Errorf("found %q, %x, %v", name, found, err)
	}
	text := string(ServerID("n", incarnation))
	for _, wrong := range []string{"", "n", "n/", "/" + text[2:], strings.ToUpper(text), text + "0", "n/{" + text[2:] + "}", strings.Repeat("n", 65) + text[1:]} {
		if _, _, err := ParseServerID(raft.ServerID(wrong)); err == nil {
			t.Errorf("%q was accepted", wrong)
		}
	}
}
