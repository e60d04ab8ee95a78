package server

import (
	"fmt"
	"math"
	"testing"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// BenchmarkEncodeRequest is what admission costs for each operation of a bulk request.
func BenchmarkEncodeRequest(b *testing.B) {
	const n = 2000
	operations := make([]*ballastv1.Operation, n)
	for i := range operations {
		operations[i] = credit(fmt.Sprintf("0190f3c2-7b1e-7000-8000-%012d", i), fmt.Sprint("account-", i%500), int64(i+1))
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, failure := encodeRequest(operations, admission{latest: math.MaxInt64}); failure != nil {
			b.Fatal(failure)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/operation")
}
