package logstore

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

// BenchmarkAppend appends alone, and beside trimming that keeps the log to 64 MiB: what a lone caller waits for, and what many
// do. Times are of one append, which may be of many entries.
func BenchmarkAppend(b *testing.B) {
	shapes := []struct {
		name           string
		entries, bytes int
	}{{"lone", 1, 200}, {"batch", 16, 4 << 10}, {"large", 4, 256 << 10}}
	for _, kind := range Kinds() {
		for _, shape := range shapes {
			for _, trimmed := range []bool{false, true} {
				b.Run(fmt.Sprintf("%s/%s/trimmed=%v", kind, shape.name, trimmed), func(b *testing.B) {
					benchmarkAppend(b, kind, shape.entries, shape.bytes, trimmed)
				})
			}
		}
	}
}

func benchmarkAppend(b *testing.B, kind Kind, count, bytes int, trimmed bool) {
	s, err := Open(Options{Dir: b.TempDir(), Kind: kind, Logger: hclog.NewNullLogger(), Fatal: func(err error) { b.Error(err) }})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	s.Attach(Hooks{Applied: s.last.Load, Snapshot: func() (uint64, uint64) { return s.last.Load(), 1 }})
	if trimmed {
		s.SetRetention(Retention{Bytes: min(64<<20, uint64(count*bytes*100))})
	}
	data := make([]byte, bytes)
	var took []time.Duration
	next := uint64(1)
	for b.Loop() {
		logs := make([]*raft.Log, count)
		for i := range logs {
			logs[i] = &raft.Log{Index: next, Term: 1, Data: data, AppendedAt: time.Now()}
			next++
		}
		began := time.Now()
		if err := s.StoreLogs(logs); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	at := func(share float64) float64 { return float64(took[int(float64(len(took)-1)*share)]) / 1e6 }
	b.ReportMetric(at(0.5), "p50-ms")
	b.ReportMetric(at(0.99), "p99-ms")
	b.ReportMetric(at(1), "max-ms")
	b.SetBytes(int64(count * bytes))
}
