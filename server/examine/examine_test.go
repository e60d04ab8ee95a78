package examine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ballastdb/ballast/fsm/roster"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// member is a Self whose others are as a test says.
type member struct {
	others []roster.Member
	reach  func(ctx context.Context, m roster.Member, way ballastv1.Way) (time.Time, error)

	mu           sync.Mutex
	looks        int
	now, highest int
}

func (m *member) Describe(answer *ballastv1.ExamineResponse) { answer.Name = "node-1" }

func (m *member) TryDisk(ctx context.Context) *ballastv1.DiskTrial {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.looks++
	return &ballastv1.DiskTrial{Writes: 1}
}

func (m *member) Others() []roster.Member { return m.others }
func (m *member) Now() time.Time          { return time.Now() }

func (m *member) Reach(ctx context.Context, other roster.Member, way ballastv1.Way) (time.Time, error) {
	m.mu.Lock()
	m.now++
	m.highest = max(m.highest, m.now)
	m.mu.Unlock()
	defer func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.now--
	}()
	return m.reach(ctx, other, way)
}

func others(n int) (list []roster.Member) {
	for i := range n {
		list = append(list, roster.Member{
			ID: fmt.Sprintf("node-%d/x", i+2), MemberAddress: fmt.Sprintf("m%d:1", i), ClientAddress: fmt.Sprintf("c%d:1", i), OperatorAddress: fmt.Sprintf("o%d:1", i),
		})
	}
	return list
}

// Every address of every other member is tried, and what comes of it is told in words.
func TestWaysAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &member{others: others(2)}
		m.others[1].ClientAddress = ""
		m.reach = func(ctx context.Context, other roster.Member, way ballastv1.Way) (time.Time, error) {
			switch {
			case way == ballastv1.Way_WAY_MEMBER && other.ID == "node-2/x":
				time.Sleep(10 * time.Millisecond)
				return time.Now().Add(time.Hour), nil
			case way == ballastv1.Way_WAY_MEMBER:
				<-ctx.Done()
				return time.Time{}, status.FromContextError(ctx.Err()).Err()
			case way == ballastv1.Way_WAY_CLIENT:
				return time.Time{}, nil
			}
			return time.Time{}, status.Error(codes.Unavailable, "connection refused")
		}
		answer, err := New(m).Examine(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]*ballastv1.Reach{}
		for _, r := range answer.GetReaches() {
			got[fmt.Sprint(r.GetName(), r.GetWay())] = r
		}
		if len(got) != 6 || answer.GetName() != "node-1" || answer.GetDisk().GetWrites() != 1 {
			t.Fatalf("got %v", answer)
		}
		if r := got["node-2WAY_MEMBER"]; r.GetTook().AsDuration() != 10*time.Millisecond || r.GetClockAhead().AsDuration() != time.Hour+5*time.Millisecond || r.GetAddress() != "m0:1" {
			t.Errorf("reached: %v", r)
		}
		if r := got["node-2WAY_CLIENT"]; r.GetTook() == nil || r.GetClockAhead() != nil || r.GetError() != "" {
			t.Errorf("reached without a clock: %v", r)
		}
		if r := got["node-2WAY_OPERATOR"]; r.GetError() != "connection refused" || r.GetTook() != nil {
			t.Errorf("refused: %v", r)
		}
		if r := got["node-3WAY_MEMBER"]; !strings.Contains(r.GetError(), "no answer within 2s") {
			t.Errorf("silent: %v", r)
		}
		if r := got["node-3WAY_CLIENT"]; !strings.Contains(r.GetError(), "not announced") {
			t.Errorf("without an address: %v", r)
		}
	})
}

// However many ask, they share a look that began after they did, there is a rest between two, and each ends in time with however many
// members.
func TestLooksAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &member{others: others(60), reach: func(ctx context.Context, _ roster.Member, _ ballastv1.Way) (time.Time, error) {
			<-ctx.Done()
			return time.Time{}, ctx.Err()
		}}
		e := New(m)
		began := time.Now()
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				if _, err := e.Examine(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if took := time.Since(began); took > limit || m.looks != 1 || m.highest > atOnce {
			t.Errorf("took %v, %d looks, %d connections at once", took, m.looks, m.highest)
		}
		answer, err := e.Examine(t.Context())
		if err != nil || len(answer.GetReaches()) != 180 {
			t.Fatalf("%v, %d ways", err, len(answer.GetReaches()))
		}
		if took := time.Since(began); m.looks != 2 || took < 2*limit+rest {
			t.Errorf("the next: %d looks, after %v", m.looks, took)
		}
		for _, r := range answer.GetReaches() {
			if r.GetError() == "" {
				t.Fatalf("%v was not reached, and nothing says why", r)
			}
		}
	})
}

// What somebody did not wait for is not told to the next one as if it were wrong.
func TestWhoGoesAwayLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &member{others: others(1), reach: func(ctx context.Context, _ roster.Member, _ ballastv1.Way) (time.Time, error) {
			timer := time.NewTimer(time.Second)
			defer timer.Stop()
			select {
			case <-timer.C:
				return time.Time{}, nil
			case <-ctx.Done():
				return time.Time{}, ctx.Err()
			}
		}}
		e := New(m)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if _, err := e.Examine(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("got %v", err)
		}
		answer, err := e.Examine(t.Context())
		if err != nil || answer.GetReaches()[0].GetError() != "" {
			t.Errorf("got %v, %v", answer, err)
		}
	})
}
