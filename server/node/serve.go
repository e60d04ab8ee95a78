package node

import (
	"context"
	"os"
	"sync"

	"github.com/hashicorp/raft"
	"google.golang.org/grpc"

	"github.com/ballastdb/ballast/fsm"
	"github.com/ballastdb/ballast/fsm/ledger"
	"github.com/ballastdb/ballast/fsm/roster"
	"github.com/ballastdb/ballast/internal/version"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
	"github.com/ballastdb/ballast/server"
	"github.com/ballastdb/ballast/server/examine"
)

// startWriting starts what proposes: callers' operations, and what a leader owes by itself.
func (n *node) startWriting() error {
	n.clock = server.NewClusterClock(server.ClusterClockConfig{
		Own: n.hooks.clock, Raft: n.raft, LocalID: n.id, Members: n.transport, Logger: n.Logger.Named("clock"),
	})
	stamper := server.NewStamper(n.clock.Now)
	n.coalescer = server.NewCoalescer(server.CoalescerConfig{
		Raft: n.raft, Stamper: stamper, Logger: n.Logger.Named("coalescer"),
		Seal: server.SealOperations(n.machine.ClusterVersion), Open: server.OpenResponse,
		Observer: observer{n.metrics, &n.commits},
	})
	n.proposer = server.NewProposer(server.ProposerConfig{
		Raft: n.raft, Stamper: stamper, ClusterVersion: n.machine.ClusterVersion, Open: server.OpenResponse,
	})
	n.duties = server.NewTermLoop(server.TermLoopConfig{
		Raft: n.raft, Duties: n.proposer, Clock: n.clock, LogTime: n.logTime, Elected: n.raft.LeaderCh(), Self: n.self(), Announced: n.machine.Member,
		Applied: n.machine.Applied, Covered: n.machine.LastCheckpointCovers, NextDue: n.machine.NextDue, Logger: n.Logger.Named("leader"),
	})
	n.undo.pushClose("end the leader's duties", run(n.duties.Run))
	n.startMarking()
	return nil
}

// startReading starts the rounds that make reads linearizable.
func (n *node) startReading() error {
	n.reads = server.NewReadIndex(server.ReadIndexConfig{
		Raft: n.raft, LocalID: n.id, Logs: n.cache, State: n.machine, Confirmer: n.transport,
		Logger: n.Logger.Named("reads"), Marked: n.duties.Marked,
	})
	n.undo.pushClose("end the reads that wait", func() error {
		n.reads.Close()
		return nil
	})
	return nil
}

// makeServices makes what callers see.
func (n *node) makeServices() error {
	n.health = server.NewHealth(n.raft, n.gate, 0)
	n.undo.pushClose("end the watch over health", run(n.health.Run))
	n.peers = server.NewStatusPeers(grpc.WithTransportCredentials(n.security.anyPeer()))
	n.undo.pushClose("close connections to other members' operator services", func() error {
		n.peers.Close()
		return nil
	})
	n.transfers = server.NewTransfers(server.TransfersConfig{
		Raft: n.raft, LocalID: n.id, Roster: n.machine, Peers: n.peers, Holder: n.coalescer, Logger: n.Logger.Named("transfer"),
	})
	n.money = server.NewMoney(server.MoneyConfig{
		Raft: n.raft, Coalescer: n.coalescer, Reads: n.reads, Store: n.machine, Gate: n.gate,
		Ready: n.clock.Ready, Leader: server.LeaderHint(n.raft, n.machine), Logger: n.Logger.Named("money"),
	})
	n.books = server.NewBooks(server.BooksConfig{
		Raft: n.raft, Store: n.machine, Gate: n.gate, Logger: n.Logger.Named("books"), Pace: n.transport.Wait,
		ClusterID: n.dir.Identity().ClusterID.String(), Member: n.dir.Identity().Name,
	})
	n.promotion = server.NewPromotion(server.PromotionConfig{
		Raft: n.raft, Roster: n.machine, Peers: n.peers, Logger: n.Logger.Named("promotion"),
		Promote: func(ctx context.Context, name string) error {
			_, err := n.operator.PromoteMember(ctx, &ballastv1.PromoteMemberRequest{Name: name})
			return err
		},
	})
	n.operator = server.NewOperator(server.OperatorConfig{
		Raft: n.raft, Store: n.machine, Reads: n.reads, Commands: n.proposer, Transfers: n.transfers, Peers: n.peers,
		Snapshots: n.cadence, Backups: backups{n}, Inspector: inspector{n}, Gate: n.gate, Logger: n.Logger.Named("operator"), Self: n.self(), ClusterID: n.dir.Identity().ClusterID.String(),
		Epoch: n.identity.Epoch, Boots: n.boots,
		Marked: n.duties.Marked, Notes: n.notes, Facts: n.facts, Drift: keysOf(n.drifted), Version: version.String(), PID: os.Getpid(),
		Steady: n.promotion.Steady, ConfigurationIndex: n.configurationIndex, Audit: n.audit.Newest, Clock: n.clock,
		Examine: examine.New(looker{n}).Examine, Debug: n.debugParts,
	})
	n.undo.pushClose("end the watch over non-voters", run(n.promotion.Run))
	n.undo.pushClose("end the watch over the roster", run(n.operator.KeepRoster))
	return nil
}

// registerServices puts the services where they are served: operators' also on the client address.
func (n *node) registerServices(client, operator *grpc.Server) {
	ballastv1.RegisterMoneyServiceServer(client, n.money)
	ballastv1.RegisterBooksServiceServer(client, n.books)
	ballastv1.RegisterOperatorServiceServer(client, n.operator)
	ballastv1.RegisterOperatorServiceServer(operator, n.operator)
	n.health.Register(client)
	n.health.Register(operator)
}

// run runs a part until end is called, which waits for it.
func run(part func(context.Context)) (end func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { part(ctx) })
	return func() error {
		cancel()
		running.Wait()
		return nil
	}
}

// self is this member as the others should know it.
func (n *node) self() roster.Member {
	return roster.Member{
		ID: string(n.id), MemberAddress: n.Config.MemberAddress, ClientAddress: n.Config.ClientAddress,
		OperatorAddress: n.Config.OperatorAddress, NewestVersion: fsm.SupportedVersion,
	}
}

// logTime is the newest log time that the state shows.
func (n *node) logTime() (t int64) {
	n.machine.Read(func(s *ledger.State) { t = s.LogTime() })
	return t
}

// leading tells whether this member believes that it leads.
func (n *node) leading() bool { return n.raft.State() == raft.Leader }
