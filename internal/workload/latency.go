package workload

import (
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

const (
	// Latencies are kept from a microsecond to two minutes, to three digits.
	lowestLatency  = int64(1)
	highestLatency = int64(2 * time.Minute / time.Microsecond)
	latencyDigits  = 3
	// latencyShards keep callers from waiting for each other.
	latencyShards = 8
)

// latencies collects from many callers.
type latencies struct {
	shards [latencyShards]struct {
		sync.Mutex
		histogram *hdrhistogram.Histogram
		longest   time.Duration
	}
}

func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(lowestLatency, highestLatency, latencyDigits)
}

func newLatencies() *latencies {
	l := &latencies{}
	for i := range l.shards {
		l.shards[i].histogram = newHistogram()
	}
	return l
}

// add counts one call of a caller.
func (l *latencies) add(caller int, d time.Duration) {
	shard := &l.shards[caller%latencyShards]
	shard.Lock()
	defer shard.Unlock()
	micros := max(int64(d/time.Microsecond), lowestLatency)
	if err := shard.histogram.RecordValue(min(micros, highestLatency)); err != nil {
		panic(err) // not possible: within the bounds that it was made with
	}
	shard.longest = max(shard.longest, d)
}

// sum puts all shards together.
func (l *latencies) sum() (histogram *hdrhistogram.Histogram, longest time.Duration) {
	histogram = newHistogram()
	for i := range l.shards {
		shard := &l.shards[i]
		shard.Lock()
		histogram.Merge(shard.histogram)
		longest = max(longest, shard.longest)
		shard.Unlock()
	}
	return histogram, longest
}
