// Package node wires one member of a cluster: it is the one place that knows every part.
//
// What stands on what, from the ground up, is the order of build in this file; stopping goes the other way (stop.go).
package node

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	"google.golang.org/grpc"

	"github.com/ballastdb/ballast/config"
	"github.com/ballastdb/ballast/datadir"
	"github.com/ballastdb/ballast/fsm"
	"github.com/ballastdb/ballast/internal/diskspace"
	"github.com/ballastdb/ballast/internal/systemd"
	"github.com/ballastdb/ballast/internal/tlsauth"
	"github.com/ballastdb/ballast/logstore"
	"github.com/ballastdb/ballast/marks"
	"github.com/ballastdb/ballast/metrics"
	"github.com/ballastdb/ballast/repair"
	"github.com/ballastdb/ballast/server"
	"github.com/ballastdb/ballast/server/audit"
	"github.com/ballastdb/ballast/server/web"
	"github.com/ballastdb/ballast/snapshots"
	"github.com/ballastdb/ballast/transport"
)

// Options of a member.
type Options struct {
	// Config has been checked by config.Load.
	Config config.Config
	// TLS has the certificates that Config names, made with OpenTLS; nil: none are configured, and connections are plain.
	TLS *tlsauth.Store
	// Values are Config's with their origins. They are kept in the data directory once the member is up, and compared
	// with those of the run before; nil: neither.
	Values []config.Value
	// Configured tells, at any time, the values that the member runs with, and those that it would be started with now, or why that would be
	// refused; nil: nobody knows but for Values.
	Configured func() (running, next []config.Value, refused error)
	// RecentLog are the newest lines of the log, whatever Logger does with them; nil: nobody keeps any.
	RecentLog func() []byte
	// Logger is everybody's.
	Logger hclog.Logger
	// Systemd is told how the member is; nil: nobody is.
	Systemd *systemd.Manager
	// Fatal must end the process. It is called, from any goroutine, where going on would be wrong: the raft log cannot be
	// written, or a committed command cannot be applied.
	Fatal func(error)
}

// node is one running member. Each part stands only on parts above it.
type node struct {
	Options
	undo  stack
	hooks hooks
	// floor is how far the build has come, from 1.
	floor atomic.Int32
	// started is when this process did, by the host's clock.
	started time.Time
	// loaded pages of the newest snapshot.
	loaded atomic.Uint64

	// On the disk.
	dir       *datadir.Dir
	drifted   []config.Difference // from the last good run
	security  *security
	identity  transport.Identity
	id        raft.ServerID
	log       *logstore.Store
	cache     *logCache
	snapshots *snapshots.RaftStore
	space     *diskspace.Keeper
	kept      thrifty // the log, as the settings and the room have it kept
	audit     *audit.Log
	registry  *registry
	// Agreement.
	listeners *listeners
	machine   *fsm.FSM
	transport *transport.Transport
	commits   tally       // proposals of this member's that were committed
	strain    *strain     // what bulk work does to callers
	fed       *fedMachine // machine, as raft feeds it
	raft      *raft.Raft
	// snapshotter takes this member's snapshots.
	snapshotter *marks.Snapshotter
	backfill    *repair.Backfill
	// Service.
	gate      *server.Gate
	clock     *server.ClusterClock
	coalescer *server.Coalescer
	proposer  *server.Proposer
	cadence   *marks.Cadence
	duties    *server.TermLoop
	reads     *server.ReadIndex
	transfers *server.Transfers
	promotion *server.Promotion
	money     *server.Money
	books     *server.Books
	operator  *server.Operator
	health    *server.Health
	// Sight.
	metrics   *metrics.Metrics
	peers     *server.StatusPeers
	standing  *server.Standing
	alive     *liveness
	staging   *staging
	disk      *diskProbe
	comparer  *server.Comparer
	custodian *server.Custodian
	scrub     *repair.Scrub
	steps     atomic.Uint64 // of loading or repairing the newest snapshot
	// condemned is done when the state was found wrong; note is that of the run before, and only the comparer's goroutine
	// touches it once that runs.
	condemned sync.Once
	note      *datadir.Condemned
	// damaged is the index of the snapshot that was the newest when one was found damaged on the disk; 0: none was.
	damaged atomic.Uint64
	// outgrown is told when a member is past this one's newest snapshot, which it was offered; there is room for one.
	outgrown chan struct{}
	// cut is done when the log was found in conflict with the leader's snapshot.
	cut sync.Once
	// failed gets the error of a gRPC server that ended by itself, why the member is condemned or refused, and that its log
	// must be cut; there is room for all of them.
	failed chan error
}

// newNode is one of which nothing is built.
func newNode(options Options) *node {
	return &node{
		Options: options, undo: stack{logger: options.Logger}, hooks: newHooks(options.Logger), gate: &server.Gate{}, metrics: metrics.New(),
		started: time.Now(), outgrown: make(chan struct{}, 1), failed: make(chan error, 7),
	}
}

// Run runs the member until ctx ends, then stops it in order. A member without a configuration waits to be bootstrapped
// or joined. Data directories that cannot be used are refused with a *datadir.RefusedError, before anything is written.
func Run(ctx context.Context, options Options) error {
	n := newNode(options)
	building := run(func(ctx context.Context) { n.Systemd.Starting(ctx, n.startProgress) })
	err := n.build(ctx)
	_ = building() // it has no error
	if err != nil {
		stop, cancel := context.WithTimeout(context.Background(), options.Config.ShutdownTimeout)
		defer cancel()
		unwound := n.undo.unwind(stop)
		if ctx.Err() != nil && errors.Is(err, context.Canceled) {
			n.Logger.Info("stopped before the member was up", "at", err)
			return unwound
		}
		return errors.Join(outdated(err), unwound)
	}
	n.Logger.Info("the member is up", "name", n.dir.Identity().Name, "cluster", n.dir.Identity().ClusterID.String(),
		"boot", n.dir.Boots(), "client_address", n.Config.ClientAddress, "member_address", n.Config.MemberAddress,
		"operator_address", n.Config.OperatorAddress)
	n.keepValues()
	n.Systemd.Ready()
	select {
	case <-ctx.Done():
		return n.stop()
	case err := <-n.failed:
		return errors.Join(err, n.stop())
	}
}

// build builds from the ground up. What it has built when it fails is in undo.
func (n *node) build(ctx context.Context) error {
	for i, floor := range []func() error{
		n.startHeap,
		n.openDataDir,
		n.openSpace,
		n.openAudit,
		n.secure,
		n.logDrift,
		n.bindAddresses,
		n.openLog,
		n.openStateMachine,
		func() error { return n.loadSnapshot(ctx) },
		n.openSnapshots,
		func() error { return n.takeFirstCensus(ctx) },
		n.openTransport,
		n.startRaft,
		n.startTrimmingLog,
		n.startWriting,
		n.startReading,
		n.makeServices,
		n.startTakingNewer,
		n.startComparing,
		n.startRoom,
		n.serveMembers,
		n.startCensus,
		n.startBackfill,
		n.startSight,
		n.serveCallers,
		n.watchPulse,
	} {
		n.floor.Store(int32(i + 1))
		if err := floor(); err != nil {
			return err
		}
	}
	return nil
}

func (n *node) openDataDir() (err error) {
	if n.dir, err = datadir.Open(n.Config.DataDir); err != nil {
		return err
	}
	n.undo.pushClose("release the data directory", n.dir.Close)
	n.identity, n.id = memberIdentity(n.dir.Identity()), serverID(n.dir.Identity())
	return nil
}

// memberIdentity is what every message of the member with this data directory carries.
func memberIdentity(id datadir.Identity) transport.Identity {
	return transport.Identity{ClusterID: id.ClusterID, Incarnation: id.Incarnation, Epoch: id.RecoveryEpoch}
}

// serverID is its id to raft.
func serverID(id datadir.Identity) raft.ServerID { return transport.ServerID(id.Name, id.Incarnation) }

func (n *node) bindAddresses() (err error) {
	if n.listeners, err = listen(n.Config, n.Logger.Named("connections")); err != nil {
		return err
	}
	n.undo.pushClose("close the addresses", n.listeners.close)
	return nil
}

func (n *node) openStateMachine() (err error) {
	n.machine, err = fsm.Open(fsm.Config{
		Dir: n.dir.Root(), Logger: n.Logger.Named("fsm"), Fatal: func(err error) { n.Fatal(outdated(err)) },
	})
	if err != nil {
		return err
	}
	n.undo.pushClose("close the state machine", n.machine.Close)
	return nil
}

func (n *node) startRaft() (err error) {
	rc := raftConfig(n.Config, n.id, n.Logger.Named("raft"))
	last, err := n.log.LastIndex()
	if err != nil {
		return fmt.Errorf("start raft: %w", err)
	}
	n.machine.ExpectReplay(last)
	n.fed = &fedMachine{machine: n.machine, applied: n.metrics.Applied}
	n.raft, err = raft.NewRaft(rc, n.fed, n.cache, n.log, n.snapshots, n.transport)
	if err != nil {
		return fmt.Errorf("start raft: %w", err)
	}
	n.startSnapshots()
	n.machine.Started()
	n.undo.push("stop raft", n.stopRaft)
	return nil
}

// serveMembers answers the other members.
func (n *node) serveMembers() error {
	s := grpc.NewServer(append(transport.ServerOptions(0), n.security.serverOptions()...)...)
	n.transport.Register(s)
	stop := serve(s, n.listeners.member, n.failed)
	n.undo.push("stop answering members", func(context.Context) error {
		n.transport.StopCalls()
		stop(s.Stop)
		return nil
	})
	return nil
}

// serveCallers answers clients and operators.
func (n *node) serveCallers() error {
	options := server.ServerOptions(server.ListenConfig{Logger: n.Logger.Named("calls"), Fatal: n.Fatal, Observer: n.metrics})
	options = append(options, n.security.serverOptions()...)
	options = append(options, n.recorder().ServerOptions()...)
	client, operator := grpc.NewServer(options...), grpc.NewServer(options...)
	n.registerServices(client, operator)
	split := web.Split(n.listeners.operator, n.TLS != nil, n.Logger.Named("operators"))
	n.undo.pushClose("stop listening to operators", split.Close)
	n.servePages(split.HTTP())
	stopOperator := serve(operator, split.GRPC(), n.failed)
	n.undo.pushClose("stop answering operators", func() error {
		stopOperator(func() { stopCalls(operator) })
		return nil
	})
	stopClient := serve(client, n.listeners.client, n.failed)
	n.undo.pushClose("stop answering clients", func() error {
		stopClient(func() { stopCalls(client) })
		return nil
	})
	return nil
}
