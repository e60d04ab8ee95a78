package compare

import (
	"time"

	"github.com/ballastdb/ballast/internal/workload"
)

// Names of targets that cases ask for. Peers' are those of tools/peers.
const (
	Ours        = "ballast"
	OursUnary   = "ballast-unary"
	OursSmall   = "ballast-small"
	Raft        = "raft"
	RaftLedger  = "raft+ledger"
	RedisIncr   = "redis-incrby"
	RedisScript = "redis-script"
	EtcdPut     = "etcd-put"
	EtcdCAS     = "etcd-cas"
	Postgres    = "postgres"
)

const million = 1_000_000

// smallShare is what part of the accounts ballast-small has.
const smallShare = 10

// Cases are all cases with the bars that are set.
func Cases() []Case {
	mixed := workload.Mix{Credit: 1, Debit: 1, Transfer: 2}
	transfers := workload.Mix{Transfer: 1}
	config := func(name string, accounts int, mix workload.Mix, callers, operations int) workload.Config {
		return workload.Config{
			Name: name, Accounts: accounts, Mix: mix, Callers: callers, Operations: operations,
			Warmup: 2 * time.Second, Duration: 10 * time.Second,
		}
	}
	steady := config("steady", million, transfers, 8, 2000)
	steady.Duration = 7 * time.Minute
	skewed := config("skewed", 100_000, mixed, 256, 1)
	skewed.ZipfS = 1.1
	open := config("open", 100_000, mixed, 256, 1)
	open.Rate = 5000
	return []Case{
		{
			Summary: "bulk transfers, 2,000 a call and a proposal", Workload: config("bulk", million, transfers, 8, 2000),
			Targets: []string{Ours, Raft, RaftLedger, RedisIncr, RedisScript, Postgres},
			Bars: []Bar{
				{Figure: Throughput, Of: Raft, Least: 0.5, LogStore: "boltdb"},
				{Figure: Throughput, Of: Raft, Least: 0.25, LogStore: "wal"},
				{Figure: Throughput, Least: 400_000, For: time.Minute},
				{Figure: QueueBytes, Most: 32 << 20},
				{Figure: GCShare, Most: 0.05},
				{Figure: GCPause, Most: 2},
			},
		},
		{
			Summary: "bulk transfers for long, with the snapshots that fall due", Workload: steady,
			Targets: []string{Ours}, Rounds: 1,
			Bars: []Bar{
				{Figure: Throughput, Least: 250_000, For: 10 * time.Minute},
				{Figure: QueueBytes, Most: 32 << 20},
				{Figure: GCShare, Most: 0.05},
				{Figure: GCPause, Most: 2},
			},
		},
		{
			Summary: "256 callers, one operation a call, through the client library", Workload: config("callers256", 100_000, mixed, 256, 1),
			Targets: []string{Ours, Raft, RaftLedger, RedisIncr, RedisScript, EtcdPut, EtcdCAS, Postgres},
			Bars: []Bar{
				{Figure: Throughput, Least: 100_000},
				{Figure: Throughput, Of: RedisIncr, Least: 3},
				{Figure: Throughput, Of: RedisScript, Least: 3},
				{Figure: Throughput, Of: EtcdPut, Least: 10},
				{Figure: Throughput, Of: EtcdCAS, Least: 10},
				{Figure: Throughput, Of: Postgres, Least: 10},
				{Figure: GCShare, Most: 0.05},
				{Figure: GCPause, Most: 2},
			},
		},
		{
			Summary: "256 callers, one operation a call, plain unary gRPC", Workload: config("unary256", 100_000, mixed, 256, 1),
			Targets: []string{OursUnary, Ours, Raft},
			Bars:    []Bar{{Figure: Throughput, Least: 15_000}},
		},
		{
			Summary: "a caller by itself, one operation a call", Workload: config("lone", 100_000, mixed, 1, 1),
			Targets: []string{Ours, OursUnary, Raft, RaftLedger, RedisIncr, RedisScript, EtcdPut, EtcdCAS, Postgres},
			Bars:    []Bar{{Figure: P50, Of: Raft, Most: 1.4}},
		},
		{
			Summary: "linearizable reads of one account, 256 callers, through the client library", Workload: config("reads", 100_000, workload.Mix{Read: 1}, 256, 1),
			Targets: []string{Ours, RedisIncr, EtcdPut, Postgres},
			Bars:    []Bar{{Figure: Throughput, Least: 50_000}, {Figure: LogEntries, Most: 0.001}},
		},
		{
			Summary: "stale reads of one account, 256 callers, through the client library", Workload: config("stale-reads", 100_000, workload.Mix{Stale: 1}, 256, 1),
			Targets: []string{Ours, RedisIncr, EtcdPut, Postgres},
			Bars:    []Bar{{Figure: Throughput, Least: 80_000}},
		},
		{
			Summary: "linearizable reads of one account, 256 callers, plain unary gRPC", Workload: config("unary-reads", 100_000, workload.Mix{Read: 1}, 256, 1),
			Targets: []string{OursUnary, Ours},
			Bars:    []Bar{{Figure: Throughput, Least: 20_000}},
		},
		{
			Summary: "as callers256 with some accounts much busier than others (Zipf, s 1.1)", Workload: skewed,
			Targets: []string{Ours, Raft, RedisScript, EtcdCAS, Postgres},
		},
		{
			Summary: "5,000 calls a second, whether answered or not (open loop)", Workload: open,
			Targets: []string{Ours, Raft, RedisScript, EtcdCAS, Postgres},
		},
		{
			Summary: "bulk transfers over ten times the accounts, beside a cluster with a tenth of them", Workload: config("ten-million", 10*million, transfers, 8, 2000),
			Targets: []string{Ours, OursSmall},
			Bars:    []Bar{{Figure: Throughput, Of: OursSmall, Least: 0.8}, {Figure: PerAccount, Most: 256}},
		},
	}
}
