package fsm

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/ballastdb/ballast/fsm/ledger"
	"github.com/ballastdb/ballast/fsm/proposal"
)

// bench is a state machine on the disk, and what makes proposals for it.
type bench struct {
	b       *testing.B
	fsm     *FSM
	random  *rand.Rand
	builder *proposal.Builder
	index   uint64
	ids     uint64
	now     int64
	encoded []byte
}

func newBench(b *testing.B, accounts int) *bench {
	b.Helper()
	f, err := Open(Config{Dir: b.TempDir(), Fatal: func(err error) { b.Errorf("fatal: %v", err) }})
	must(b, err)
	b.Cleanup(func() { must(b, f.Close()) })
	m := &bench{b: b, fsm: f, random: rand.New(rand.NewPCG(1, 2)), builder: proposal.NewBuilder(1), now: testStart}
	m.add(&ledger.Operation{Kind: ledger.KindCreateLedger, Ledger: []byte("usd"), Asset: []byte("USD")})
	for i := range accounts {
		m.add(&ledger.Operation{Kind: ledger.KindCreateAccount, Credit: benchAccount(i), Ledger: []byte("usd"), HasFloor: true, Floor: -1 << 40})
		if i%2000 == 1999 || i == accounts-1 {
			m.apply(m.proposal())
		}
	}
	return m
}

func benchAccount(i int) []byte { return fmt.Appendf(nil, "b%07d", i) }

// add adds an operation to the next proposal, its id a UUID as the client library makes them.
func (m *bench) add(op *ledger.Operation) {
	var u [16]byte
	m.ids++
	binary.BigEndian.PutUint64(u[:], uint64(m.now/int64(time.Millisecond))<<16|0x7000)
	binary.BigEndian.PutUint64(u[8:], m.random.Uint64())
	op.ID, op.Attempt, op.IssuedAt = fmt.Appendf(nil, "%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:]), 1, m.now
	m.encoded = proposal.AppendOperation(m.encoded[:0], op)
	must(m.b, m.builder.Add(m.encoded, 1))
}

func (m *bench) proposal() *raft.Log {
	m.now += int64(time.Millisecond)
	m.index++
	data := m.builder.Finish(m.now)
	m.builder = proposal.NewBuilder(1)
	return &raft.Log{Index: m.index, Term: 1, Type: raft.LogCommand, Data: data}
}

func (m *bench) apply(log *raft.Log) {
	r := m.fsm.ApplyBatch([]*raft.Log{log})[0].(*Response)
	must(m.b, r.Err)
	for i := range r.Results {
		if r.Results[i].Code != ledger.CodeApplied {
			m.b.Fatalf("operation %d: %+v", i, r.Results[i])
		}
	}
}

// cpuTime is what the process has used so far: on a machine that is shared, wall time says little.
func (m *bench) cpuTime() time.Duration {
	var u syscall.Rusage
	must(m.b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkApplyBatch is what a committed transfer costs a member: decoding its proposal, id check, two accounts, digest,
// entry, chain and the journal's write. 2,000 random transfers in a proposal.
func BenchmarkApplyBatch(b *testing.B) {
	for _, accounts := range []int{1000, 1_000_000} {
		b.Run(fmt.Sprint(accounts), func(b *testing.B) {
			const batch, ahead = 2000, 50
			m := newBench(b, accounts)
			var cpu time.Duration
			b.ReportAllocs()
			b.ResetTimer()
			for done := 0; done < b.N; {
				b.StopTimer()
				var logs []*raft.Log
				for ; len(logs) < ahead && done < b.N; done += batch {
					for range batch {
						from := m.random.IntN(accounts)
						to := (from + 1 + m.random.IntN(accounts-1)) % accounts
						m.add(&ledger.Operation{Kind: ledger.KindTransfer, Debit: benchAccount(from), Credit: benchAccount(to), Amount: 1})
					}
					logs = append(logs, m.proposal())
				}
				b.StartTimer()
				before := m.cpuTime()
				for _, log := range logs {
					m.apply(log)
				}
				cpu += m.cpuTime() - before
			}
			b.ReportMetric(float64(cpu)/float64(b.N), "cpu-ns/op")
		})
	}
}
