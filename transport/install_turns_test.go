package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

// crowd counts how many snapshots are being staged at once; each waits until it is let.
type crowd struct {
	now, most atomic.Int32
	goOn      chan struct{}
}

func (c *crowd) Stage(_ context.Context, _ *raft.InstallSnapshotRequest, data io.Reader, _ Puller, _ func(Progress)) ([]byte, error) {
	now := c.now.Add(1)
	defer c.now.Add(-1)
	for most := c.most.Load(); now > most && !c.most.CompareAndSwap(most, now); most = c.most.Load() {
	}
	<-c.goOn
	return io.ReadAll(data)
}

// counted counts what was read of a snapshot.
type counted struct {
	io.Reader
	read atomic.Int64
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.read.Add(int64(n))
	return n, err
}

// TestFivePeersTakeTurns: five members need a snapshot at the same moment. As many as are allowed get theirs at once, of
// the others' nothing is read before, and all are served in the end; heartbeats reach the ones that wait.
func TestFivePeersTakeTurns(t *testing.T) {
	const peers = 5
	snapshot := randomBytes(2*chunkBytes + 1)
	for _, allowed := range []int{1, 2} {
		t.Run(fmt.Sprint(allowed), func(t *testing.T) {
			all := &crowd{goOn: make(chan struct{})}
			a := startMember(t, "leader", func(c *Config) { c.MaxTransfers = allowed })
			installed := make(chan error, peers)
			var members []*member
			var data []*counted
			for i := range peers {
				b := startMember(t, string(rune('a'+i)), func(c *Config) { c.Stager = all })
				installs := restoring(t, snapshot)
				b.answerAll(t, func(rpc raft.RPC) (any, error) {
					if _, ok := rpc.Command.(*raft.AppendEntriesRequest); ok {
						return success(rpc)
					}
					return installs(rpc)
				})
				d := &counted{Reader: bytes.NewReader(snapshot)}
				members, data = append(members, b), append(data, d)
				go func() {
					installed <- a.InstallSnapshot(b.id, b.address, installOf(a, 3, len(snapshot)), &raft.InstallSnapshotResponse{}, d)
				}()
			}
			eventually(t, "the first transfers", func() bool { return int(all.now.Load()) == allowed })
			for _, b := range members {
				if err := a.AppendEntries(b.id, b.address, heartbeat(a), &raft.AppendEntriesResponse{}); err != nil {
					t.Error(err)
				}
			}
			begun := 0
			for _, d := range data {
				if d.read.Load() > 0 {
					begun++
				}
			}
			if begun > allowed {
				t.Errorf("%d snapshots are being read, %d allowed", begun, allowed)
			}
			close(all.goOn)
			within(t, "all transfers", func() {
				for range peers {
					if err := <-installed; err != nil {
						t.Error(err)
					}
				}
			})
			if most := int(all.most.Load()); most != allowed {
				t.Errorf("%d at once, want %d", most, allowed)
			}
		})
	}
}

// TestTurnsEnd: who waits for a turn is let go when it takes too long, at the end of the calls, and, its turn come, where
// sending is of no use any more.
func TestTurnsEnd(t *testing.T) {
	snapshot := randomBytes(100)
	var term, newest atomic.Uint64
	set := func(c *Config) {
		c.CurrentTerm, c.NewestSnapshot = term.Load, newest.Load
	}
	for name, c := range map[string]struct {
		set  func(*Config)
		act  func(*member) // while it waits
		want error
	}{
		"too long":         {func(c *Config) { c.Timeouts.InstallTurn = time.Millisecond }, nil, errInstallTurn},
		"end of the calls": {nil, func(m *member) { m.StopCalls() }, raft.ErrTransportShutdown},
		"a newer snapshot": {nil, func(m *member) { newest.Store(10); m.turns.set(2) }, errInstallStale},
		"a newer term":     {nil, func(m *member) { term.Store(4); m.turns.set(2) }, errInstallTerm},
		"nothing newer":    {nil, func(m *member) { newest.Store(9); term.Store(3); m.turns.set(2) }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			term.Store(0)
			newest.Store(0)
			a := startMember(t, "a", func(config *Config) {
				set(config)
				if c.set != nil {
					c.set(config)
				}
			})
			b := startMember(t, "b", nil)
			b.answerAll(t, restoring(t, snapshot))
			a.turns.enter(ordinary, func() { t.Error("its turn is asked back") }) // another transfer
			sent := make(chan error, 1)
			go func() {
				sent <- a.InstallSnapshot(b.id, b.address, installOf(a, 3, len(snapshot)), &raft.InstallSnapshotResponse{}, bytes.NewReader(snapshot))
			}()
			if c.act != nil {
				waitPeer(t, a)
				c.act(a)
			}
			within(t, "the end of the wait", func() {
				if err := <-sent; !errors.Is(err, c.want) {
					t.Errorf("expected %v, found %v", c.want, err)
				}
			})
		})
	}
}

// waitPeer waits until m has begun a call.
func waitPeer(t *testing.T, m *member) {
	t.Helper()
	eventually(t, "a call", func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		return len(m.peers) > 0
	})
}

// TestRatesThatAreRefused: so slow a transfer would look as if it stood still.
func TestRatesThatAreRefused(t *testing.T) {
	for rate, good := range map[int]bool{0: true, 1 << 20: true, 1000: false, -1: false} {
		c := Config{Timeouts: Timeouts{}.withDefaults()}
		if err := c.checkPace(1, rate); (err == nil) != good {
			t.Errorf("a rate of %d: %v", rate, err)
		}
	}
}

// TestPacedTransfer arrives whole.
func TestPacedTransfer(t *testing.T) {
	snapshot := randomBytes(3 * chunkBytes)
	a, b := startMember(t, "a", func(c *Config) { c.TransferRate = 16 << 20 }), startMember(t, "b", nil)
	b.answerAll(t, restoring(t, snapshot))
	if err := a.InstallSnapshot(b.id, b.address, installOf(a, 3, len(snapshot)), &raft.InstallSnapshotResponse{}, bytes.NewReader(snapshot)); err != nil {
		t.Error(err)
	}
}
