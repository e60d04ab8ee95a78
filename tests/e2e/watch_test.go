package e2e

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/internal/testcluster"
)

// TestFeedThroughAChangeOfLeaders: watches on every member, and one that goes from member to member, are told every entry
// once and in order, while the leader is killed and comes back. All of them are told the same.
func TestFeedThroughAChangeOfLeaders(t *testing.T) {
	b := openBank(t, testcluster.Options{})
	ctx, end := context.WithCancelCause(b.ctx())
	var watches sync.WaitGroup
	defer watches.Wait()
	defer end(nil)
	marks := make(chan uint64, 1) // the last entry that every watch must tell, once it is known
	until := func() uint64 {
		select {
		case last := <-marks:
			marks <- last
			return last
		default:
			return 0
		}
	}
	endpoints := [][]string{b.cluster.Endpoints()}
	for _, e := range b.cluster.Endpoints() {
		endpoints = append(endpoints, []string{e})
	}
	told := make([]client.Position, len(endpoints))
	for i, of := range endpoints {
		c, err := client.New(of)
		must(t, err)
		t.Cleanup(func() { _ = c.Close() })
		watches.Go(func() {
			next := uint64(1)
			for part, err := range c.Watch(ctx, client.WithHeartbeat(500*time.Millisecond)) {
				if err != nil {
					end(fmt.Errorf("watch %d after entry %d: %w", i, next-1, err))
					return
				}
				for _, e := range part.GetEntries() {
					if e.GetSequence() != next {
						end(fmt.Errorf("watch %d is told entry %d, want %d", i, e.GetSequence(), next))
						return
					}
					next++
				}
				told[i] = client.PositionOf(part)
				if last := until(); last > 0 && part.GetSequence() >= last {
					return
				}
			}
		})
	}
	b.credit(50)
	leader := b.leader()
	must(t, leader.Kill())
	b.credit(50)
	must(t, leader.Start())
	b.bulk(10, 100)
	last, err := b.client.Credit(b.ctx(), "account-0", 1)
	must(t, err)
	b.expected["account-0"]++
	marks <- last.GetSequence()
	watches.Wait()
	must(t, context.Cause(ctx))
	for i, p := range told {
		if p != told[0] || p.Sequence != last.GetSequence() {
			t.Errorf("watch %d ended at %+v, the first at %+v, the last entry is %d", i, p, told[0], last.GetSequence())
		}
	}
	b.checkEqual()
}
