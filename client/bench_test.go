package client_test

import (
	"context"
	"testing"

	"github.com/ballastdb/ballast/client"
)

// What the client itself costs: 256 callers with one operation each, against a member that does next to nothing.
func BenchmarkCallers256(b *testing.B) {
	store, members, stop := startFake(1)
	defer stop()
	store.balances["alice"] = 0
	c, err := client.New([]string{members[0].address})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	b.SetParallelism(128) // of each of the CPUs
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := c.Credit(context.Background(), "alice", 1); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/float64(members[0].requests.Load()), "ops/request")
}
