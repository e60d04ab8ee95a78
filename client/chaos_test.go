package client_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/ballastdb/ballast/client"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// TestOutcomesAreTrue runs callers against members that fail in every way they know, and holds what each caller was told
// against what the store did: done means once, not done means never, unknown means at most once.
func TestOutcomesAreTrue(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) { testOutcomes(t, seed) })
	}
}

func testOutcomes(t *testing.T, seed uint64) {
	store, members, stop := startFake(3)
	defer stop()
	store.balances["alice"] = 0
	random := &lockedRand{r: rand.New(rand.NewPCG(seed, 1))}
	var leader atomic.Int64
	for i, m := range members {
		m.play(func(e *exchange) error { return misbehave(e, i, members, &leader, random) })
	}
	c, err := client.New([]string{members[0].address, members[1].address})
	if err != nil {
		t.Fatal(err)
	}

	told := make(map[string]error)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			for range 10 {
				ops := []*ballastv1.Operation{client.NewCredit("alice", 1)}
				if random.IntN(4) == 0 {
					ops = append(ops, client.NewCredit("alice", 1))
				}
				timeout := time.Duration(1+random.IntN(200)) * time.Millisecond
				ctx, cancel := context.WithTimeout(context.Background(), timeout)
				_, err := c.Submit(ctx, ops...)
				cancel()
				mu.Lock()
				for _, op := range ops {
					told[op.GetId()] = err
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	_ = c.Close()
	stop() // late effects have happened from here
	compare(t, store, told)
}

// misbehave answers one request in a random way, true to the protocol.
func misbehave(e *exchange, self int, members []*fakeMember, leader *atomic.Int64, random *lockedRand) error {
	if random.IntN(20) == 0 {
		leader.Store(int64(random.IntN(len(members))))
	}
	if now := int(leader.Load()); now != self {
		e.notLeader(members[now].address)
		return nil
	}
	switch random.IntN(10) {
	case 0: // lost
	case 1:
		return errBreak
	case 2:
		e.apply()
		return errBreak
	case 3:
		e.notDone(codes.ResourceExhausted, time.Millisecond)
	case 4:
		e.notDone(codes.Unavailable, 0)
	case 5:
		e.fail(codes.Unavailable, &ballastv1.Failure{Outcome: ballastv1.Outcome_OUTCOME_UNKNOWN})
	case 6: // unknown to the caller, done nevertheless
		e.fail(codes.DeadlineExceeded, &ballastv1.Failure{Outcome: ballastv1.Outcome_OUTCOME_UNKNOWN})
		e.apply()
	case 7:
		answer := e.apply()
		e.send(answer)
		e.send(answer)
	default:
		e.serve()
	}
	return nil
}

func compare(t *testing.T, store *fakeStore, told map[string]error) {
	t.Helper()
	done := 0
	for id, err := range told {
		switch times := store.timesApplied(id); {
		case err == nil:
			done++
			if times != 1 {
				t.Errorf("%s: told done, applied %d times", id, times)
			}
		case errors.Is(err, client.ErrUnknownOutcome):
			if times > 1 {
				t.Errorf("%s: told unknown, applied %d times", id, times)
			}
		case errors.Is(err, client.ErrNotDone):
			if times != 0 {
				t.Errorf("%s: told not done, applied %d times: %v", id, times, err)
			}
		default:
			t.Errorf("%s: neither done, nor not done, nor unknown: %v", id, err)
		}
	}
	if done == 0 {
		t.Error("nothing was done at all")
	}
}

// lockedRand is a seeded source for many goroutines.
type lockedRand struct {
	mu sync.Mutex
	r  *rand.Rand
}

func (l *lockedRand) IntN(n int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.r.IntN(n)
}
