package transport

import (
	"fmt"
	"testing"

	"github.com/hashicorp/raft"
)

// BenchmarkAppends is the transport alone: appends over loopback to a raft that stores nothing.
func BenchmarkAppends(b *testing.B) {
	for _, size := range []int{64, 16 << 10, 256 << 10} {
		b.Run(fmt.Sprintf("pipeline/%d", size), func(b *testing.B) {
			from, to := benchPair(b)
			r := appendOf(from, 1, 1, size)
			pipeline, err := from.AppendEntriesPipeline(to.id, to.address)
			if err != nil {
				b.Fatal(err)
			}
			defer pipeline.Close()
			b.SetBytes(int64(size))
			done := make(chan struct{})
			go func() {
				defer close(done)
				for range b.N {
					<-pipeline.Consumer()
				}
			}()
			for range b.N {
				if _, err := pipeline.AppendEntries(r, &raft.AppendEntriesResponse{}); err != nil {
					b.Fatal(err)
				}
			}
			<-done
		})
		b.Run(fmt.Sprintf("one by one/%d", size), func(b *testing.B) {
			from, to := benchPair(b)
			r := appendOf(from, 1, 1, size)
			b.SetBytes(int64(size))
			for b.Loop() {
				if err := from.AppendEntries(to.id, to.address, r, &raft.AppendEntriesResponse{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func benchPair(b *testing.B) (from, to *member) {
	from, to = startMember(b, "a", nil), startMember(b, "b", nil)
	to.answerAll(b, success)
	return from, to
}
