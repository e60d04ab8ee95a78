package compare

import (
	"context"

	"github.com/hashicorp/go-hclog"

	"github.com/ballastdb/ballast/internal/raftfloor"
	"github.com/ballastdb/ballast/logstore"
)

// Floors are what Ballast could reach: raft alone, and raft with the ledger in one process. Both run in this process, so
// that their CPU counts as the client's.
func Floors(logger hclog.Logger) []System {
	return []System{&raftFloor{logger: logger}, &ledgerFloor{logger: logger}}
}

// inProcess is what systems in this process have in common.
type inProcess struct{ env Env }

func (inProcess) Verify(context.Context) error { return nil } // raft promises nothing else
func (inProcess) PIDs() []int                  { return nil }

type raftFloor struct {
	inProcess
	logger hclog.Logger
	floor  *raftfloor.Floor
}

func (f *raftFloor) Name() string { return Raft }

func (f *raftFloor) Start(ctx context.Context, env Env) (err error) {
	f.env = env
	f.floor, err = raftfloor.Open(ctx, env.Dir, logstore.Kind(env.LogStore), f.logger)
	return err
}

func (f *raftFloor) Settings() []string {
	return []string{
		"three members in the benchmark's process over raft's own TCP transport, log in " + f.env.LogStore + ", every append fsynced",
		"64 bytes an operation, proposals of up to 256 KiB, 4 in flight; the state machine counts bytes",
	}
}

func (f *raftFloor) Prepare(context.Context, int) error { return nil }

func (f *raftFloor) Targets() []Target {
	return []Target{{Name: Raft, Promise: "bytes on the disks of two of three; no accounts, no gRPC", Target: f.floor}}
}

func (f *raftFloor) Stop() error {
	if f.floor == nil {
		return nil
	}
	return f.floor.Close()
}

type ledgerFloor struct {
	inProcess
	logger hclog.Logger
	floor  *raftfloor.LedgerFloor
}

func (f *ledgerFloor) Name() string { return RaftLedger }

func (f *ledgerFloor) Start(ctx context.Context, env Env) (err error) {
	f.env = env
	f.floor, err = raftfloor.OpenLedger(ctx, env.Dir, logstore.Kind(env.LogStore), f.logger)
	return err
}

func (f *ledgerFloor) Settings() []string {
	return []string{
		"three members in the benchmark's process over raft's own TCP transport, log in " + f.env.LogStore + ", every append fsynced",
		"the real state machine with journal, the server's packing; no gRPC, no client library, no snapshots",
	}
}

func (f *ledgerFloor) Prepare(ctx context.Context, accounts int) error {
	return f.floor.Prepare(ctx, accounts)
}

func (f *ledgerFloor) Targets() []Target {
	return []Target{{Name: RaftLedger, Promise: "as ballast, but in one process without gRPC", Target: f.floor}}
}

func (f *ledgerFloor) Stop() error {
	if f.floor == nil {
		return nil
	}
	return f.floor.Close()
}
