package ledger

import (
	"encoding/binary"
	"fmt"
	"syscall"
	"testing"
	"time"
)

const benchStart = int64(1_700_000_000) * int64(time.Second)

// bank makes a state with n accounts of one ledger, each with a balance of 1,000,000,000.
func bank(tb testing.TB, n int) *State {
	tb.Helper()
	s, out, index := New(), Output{}, uint64(1)
	apply := func(ops []Operation) {
		index++
		s.Apply(index, benchStart, ops, &out)
		for i, r := range out.Results {
			if r.Code != CodeApplied {
				tb.Fatalf("%s: code %d", ops[i].ID, r.Code)
			}
		}
	}
	apply([]Operation{{ID: []byte("l"), Attempt: 1, IssuedAt: benchStart, Kind: KindCreateLedger, Ledger: []byte("usd"), Asset: []byte("USD"), Scale: 6}})
	var ops []Operation
	for i := range n {
		id := []byte(fmt.Sprintf("account-%08d", i))
		ops = append(ops,
			Operation{ID: []byte(fmt.Sprintf("create-%08d", i)), Attempt: 1, IssuedAt: benchStart, Kind: KindCreateAccount, Credit: id, Ledger: []byte("usd")},
			Operation{ID: []byte(fmt.Sprintf("fund-%08d", i)), Attempt: 1, IssuedAt: benchStart, Kind: KindCredit, Credit: id, Amount: 1_000_000_000})
		if len(ops) >= 1000 || i == n-1 {
			apply(ops)
			ops = ops[:0]
		}
	}
	return s
}

// cpuTime is what the process has used so far: on a machine that is shared, wall time says little.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkTransfers applies transfers between random accounts, 500 in a proposal.
func BenchmarkTransfers(b *testing.B) {
	for _, accounts := range []int{1_000, 1_000_000} {
		b.Run(fmt.Sprint(accounts), func(b *testing.B) {
			const batch = 500
			s, out, index, now := bank(b, accounts), Output{}, uint64(1<<20), benchStart
			ids := make([][16]byte, batch)
			names := make([][2][16]byte, batch)
			ops := make([]Operation, batch)
			x, n := uint64(1), uint64(0)
			b.ReportAllocs()
			b.ResetTimer()
			cpu := cpuTime(b)
			for i := 0; i < b.N; i += batch {
				for j := range ops {
					n++
					binary.BigEndian.PutUint64(ids[j][:8], 0x6162636465666768)
					for k := range 8 {
						ids[j][15-k] = 'a' + byte(n>>(4*k)&15)
					}
					for side := range 2 {
						x = x*6364136223846793005 + 1442695040888963407
						copy(names[j][side][:], "account-")
						v := (x>>33)%uint64(accounts-1) + uint64(side)
						if side == 1 && string(names[j][0][8:]) == string(names[j][1][8:]) {
							v = 0
						}
						for k := range 8 {
							names[j][side][15-k] = '0' + byte(v%10)
							v /= 10
						}
					}
					ops[j] = Operation{ID: ids[j][:], Attempt: 1, IssuedAt: now, Kind: KindTransfer, Debit: names[j][0][:], Credit: names[j][1][:], Amount: 1}
				}
				index++
				now += int64(time.Millisecond)
				s.Apply(index, now, ops, &out)
			}
			b.StopTimer()
			b.ReportMetric(float64(cpuTime(b)-cpu)/float64(b.N), "cpu-ns/op")
			if err := s.CheckBooks(); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "transfers/s")
		})
	}
}
