// Package raftfloor is raft alone, as something to measure Ballast against: three members of the raft library over its
// own TCP transport on loopback, our log store with every write on disk, a state machine that only counts, and nothing
// else: no accounting, no gRPC, no clients on connections.
//
// The second floor, OpenLedger, has the real state machine and the server's own packing in place of the counter: raft and
// the ledger in one process. What Ballast lacks to it is gRPC and what callers cost.
//
// It is kinder than a cluster of processes: the members share one process, so nothing is scheduled or copied between
// three of them. What Ballast reaches of it is what everything above raft leaves over.
package raftfloor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/ballastdb/ballast/fsm"
	"github.com/ballastdb/ballast/logstore"
)

const (
	members = 3
	// maxAppendEntries, timeouts and batching are those of a Ballast member.
	maxAppendEntries = 64
	timeout          = 500 * time.Millisecond
	commitTimeout    = 50 * time.Millisecond
	// never is a number of log entries that is not reached: no snapshots are taken.
	never = 1 << 62

	electionTimeout = 20 * time.Second
)

// Floor is the three members. It is a workload.Target.
type Floor struct {
	members []*member
	packer  *packer
}

type member struct {
	raft      *raft.Raft
	machine   raft.FSM
	store     *logstore.Store
	transport *raft.NetworkTransport
}

// Open starts the members on directories made below dir, and waits until one leads.
func Open(ctx context.Context, dir string, kind logstore.Kind, logger hclog.Logger) (*Floor, error) {
	f := &Floor{}
	leader, err := f.start(ctx, dir, kind, logger, func(string) (raft.FSM, error) { return &counter{}, nil })
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	var all []*raft.Raft
	for _, m := range f.members {
		all = append(all, m.raft)
	}
	f.packer = newPacker(all, leader)
	return f, nil
}

// start starts the members, each with a state machine on its directory, and waits until one leads. Where it fails Close
// takes apart what there is.
func (f *Floor) start(ctx context.Context, dir string, kind logstore.Kind, logger hclog.Logger, machine func(dir string) (raft.FSM, error)) (*raft.Raft, error) {
	var servers []raft.Server
	for i := range members {
		id := raft.ServerID(fmt.Sprintf("floor-%d", i+1))
		m, err := openMember(id, filepath.Join(dir, string(id)), kind, logger.Named(string(id)), machine)
		if err != nil {
			return nil, err
		}
		f.members = append(f.members, m)
		servers = append(servers, raft.Server{ID: id, Address: m.transport.LocalAddr()})
	}
	if err := f.members[0].raft.BootstrapCluster(raft.Configuration{Servers: servers}).Error(); err != nil {
		return nil, fmt.Errorf("bootstrap the floor: %w", err)
	}
	return f.awaitLeader(ctx)
}

func openMember(id raft.ServerID, dir string, kind logstore.Kind, logger hclog.Logger, machine func(dir string) (raft.FSM, error)) (*member, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	m := &member{}
	var err error
	if m.machine, err = machine(dir); err != nil {
		return nil, err
	}
	m.transport, err = raft.NewTCPTransportWithLogger("127.0.0.1:0", nil, members, 10*time.Second, logger)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("listen for %s: %w", id, err), m.close())
	}
	m.store, err = logstore.Open(logstore.Options{
		Dir: dir, Kind: kind, Logger: logger,
		Fatal: func(err error) { logger.Error("log write failed", "error", err) },
	})
	if err != nil {
		return nil, errors.Join(err, m.close())
	}
	m.raft, err = raft.NewRaft(config(id, logger), m.machine, m.store, m.store, raft.NewInmemSnapshotStore(), m.transport)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", id, err), m.close())
	}
	return m, nil
}

func config(id raft.ServerID, logger hclog.Logger) *raft.Config {
	c := raft.DefaultConfig()
	c.LocalID = id
	c.Logger = logger
	c.HeartbeatTimeout, c.ElectionTimeout, c.LeaderLeaseTimeout = timeout, timeout, timeout
	c.CommitTimeout = commitTimeout
	c.MaxAppendEntries = maxAppendEntries
	c.BatchApplyCh = true
	c.SnapshotThreshold = never
	c.NoLegacyTelemetry = true
	return c
}

// awaitLeader returns the member that leads.
func (f *Floor) awaitLeader(ctx context.Context) (*raft.Raft, error) {
	ctx, cancel := context.WithTimeout(ctx, electionTimeout)
	defer cancel()
	elected := make(chan *raft.Raft, members)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	for _, m := range f.members {
		wg.Go(func() {
			select {
			case <-m.raft.LeaderCh():
				elected <- m.raft
			case <-ctx.Done():
			}
		})
	}
	select {
	case leader := <-elected:
		return leader, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("no leader of the floor within %v: %w", electionTimeout, ctx.Err())
	}
}

// Close stops the members and waits for them. Their files stay.
func (f *Floor) Close() error {
	if f.packer != nil {
		f.packer.close()
	}
	var errs []error
	for _, m := range f.members {
		errs = append(errs, m.close())
	}
	return errors.Join(errs...)
}

func (m *member) close() error {
	var errs []error
	if m.raft != nil {
		if machine, ok := m.machine.(*fsm.FSM); ok {
			machine.BeginShutdown()
		}
		errs = append(errs, m.raft.Shutdown().Error())
	}
	if m.transport != nil {
		m.transport.CloseStreams() // those that it pools, which Close leaves open
		errs = append(errs, m.transport.Close())
	}
	if m.store != nil {
		errs = append(errs, m.store.Close())
	}
	if machine, ok := m.machine.(*fsm.FSM); ok {
		errs = append(errs, machine.Close())
	}
	return errors.Join(errs...)
}
