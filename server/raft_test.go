package server

import (
	"context"
	"fmt"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/ballastdb/ballast/fsm"
	"github.com/ballastdb/ballast/fsm/ledger"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// realRaft is a cluster of one on the library itself, so that what the fakes pledge is seen to be so.
func realRaft(t *testing.T, machine *fsm.FSM) (*raft.Raft, *raft.InmemStore) {
	t.Helper()
	cfg := raft.DefaultConfig()
	cfg.LocalID, cfg.Logger, cfg.BatchApplyCh, cfg.MaxAppendEntries = idA, hclog.NewNullLogger(), true, 64
	cfg.HeartbeatTimeout, cfg.ElectionTimeout = 50*time.Millisecond, 50*time.Millisecond
	cfg.LeaderLeaseTimeout = 50 * time.Millisecond
	store := raft.NewInmemStore()
	where, transport := raft.NewInmemTransport(raft.ServerAddress(rosterMember(idA).MemberAddress))
	r, err := raft.NewRaft(cfg, machine, store, store, raft.NewDiscardSnapshotStore(), transport)
	if err != nil {
		t.Fatal(err)
	}
	servers := []raft.Server{{ID: idA, Address: where}}
	if err := r.BootstrapCluster(raft.Configuration{Servers: servers}).Error(); err != nil {
		t.Fatal(err)
	}
	return r, store
}

func TestWritesAndReadsOnTheLibrary(t *testing.T) {
	ctx := testContext(t)
	machine, err := fsm.Open(fsm.Config{Dir: t.TempDir(), Fatal: func(err error) { t.Error(err) }})
	if err != nil {
		t.Fatal(err)
	}
	r, store := realRaft(t, machine)
	stamper := NewStamper(func() time.Time { return time.Unix(1_800_000_000, 0) })
	coalescer := NewCoalescer(CoalescerConfig{
		Raft: r, Stamper: stamper, Logger: hclog.NewNullLogger(), Seal: SealOperations(machine.ClusterVersion), Open: OpenResponse,
	})
	terms := NewTermLoop(TermLoopConfig{
		Clock: setClock{}, LogTime: noLogTime,
		Raft: r, Self: rosterMember(idA), Announced: machine.Member, Applied: machine.Applied, Elected: r.LeaderCh(),
		Covered: machine.LastCheckpointCovers, Logger: hclog.NewNullLogger(),
		Duties: NewProposer(ProposerConfig{Raft: r, Stamper: stamper, ClusterVersion: machine.ClusterVersion, Open: OpenResponse}),
	})
	reads := NewReadIndex(ReadIndexConfig{
		Raft: r, LocalID: idA, Logs: store, State: machine, Confirmer: fakeConfirmer{}, Logger: hclog.NewNullLogger(),
		Marked: terms.Marked,
	})
	loop, stop := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { terms.Run(loop) })
	defer func() {
		stop()
		running.Wait()
		machine.BeginShutdown()
		if err := r.Shutdown().Error(); err != nil {
			t.Error(err)
		}
		if err := coalescer.Close(ctx); err != nil {
			t.Error(err)
		}
		reads.Close()
		if err := machine.Close(); err != nil {
			t.Error(err)
		}
	}()
	eventually(t, "it leads", func() bool { _, ok := leads(r); return ok })

	submit := func(operations ...*ballastv1.Operation) error {
		encoded, failure := encodeRequest(operations, admission{latest: math.MaxInt64})
		if failure != nil {
			return failure
		}
		applied, err := coalescer.Submit(ctx, encoded, len(operations))
		if err != nil {
			return err
		}
		for _, result := range applied.Results {
			if result.Code != 1 {
				return fmt.Errorf("result %+v", result)
			}
		}
		return nil
	}
	if err := submit(op("l", &ballastv1.CreateLedger{Name: "usd", Asset: "USD"}), op("a", &ballastv1.CreateAccount{Account: "x", Ledger: "usd"})); err != nil {
		t.Fatal(err)
	}
	var writers sync.WaitGroup
	for w := range 8 {
		writers.Go(func() {
			for i := range 25 {
				if err := submit(credit(fmt.Sprint(w, ".", i), "x", 1)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	// Entries of the library's own, between and after the commands: reads must neither hang nor see too little.
	for range 5 {
		if err := r.Barrier(0).Error(); err != nil {
			t.Fatal(err)
		}
		if _, err := reads.Wait(ctx); err != nil {
			t.Fatal(err)
		}
	}
	writers.Wait()
	if err := r.AddNonvoter(idB, "nowhere", 0, 0).Error(); err != nil {
		t.Fatal(err)
	}
	index, err := reads.Wait(ctx)
	if err != nil {
		t.Fatal(err)
	}
	machine.ReadIndexed(func(s *ledger.State, at uint64) {
		if a, _ := s.Account([]byte("x")); a.Posted != 200 || at < index {
			t.Errorf("after 200 credits the balance is %d at index %d, the read was promised %d", a.Posted, at, index)
		}
	})
}
