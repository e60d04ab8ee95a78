package server

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	"google.golang.org/grpc/codes"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// setClock is a TermClock that is always set.
type setClock struct{}

func (setClock) Observe(int64)                     {}
func (setClock) Set(context.Context, uint64) error { return nil }
func (setClock) Ready(uint64) bool                 { return true }
func (setClock) Now() time.Time                    { return time.Unix(1_700_000_000, 0) }

func noLogTime() int64 { return 0 }

// clockStory is three voters whose clocks a story sets; a, the member under test, is the first.
type clockStory struct {
	clock   *ClusterClock
	elapsed time.Duration
	ahead   map[raft.ServerID]time.Duration // of the true time
	silent  map[raft.ServerID]bool
}

// epoch is the true time when a story begins.
var epoch = time.Unix(1_800_000_000, 0)

func newClockStory() *clockStory {
	s := &clockStory{ahead: map[raft.ServerID]time.Duration{}, silent: map[raft.ServerID]bool{}}
	r := newFakeRaft()
	r.configuration.Servers = []raft.Server{voter(idA), voter(idB), voter(idC), {ID: "d/x", Address: "d", Suffrage: raft.Nonvoter}}
	s.clock = NewClusterClock(ClusterClockConfig{
		Own:     func() time.Time { return s.shows(idA) },
		Elapsed: func() time.Duration { return s.elapsed },
		Raft:    r, LocalID: idA, Members: s, Logger: hclog.NewNullLogger(),
		// The stories' clocks answer at once: whoever is silent says so, and nobody is given up for being late.
		Grace: time.Hour, Timeout: time.Hour,
	})
	return s
}

func (s *clockStory) shows(id raft.ServerID) time.Time { return epoch.Add(s.elapsed + s.ahead[id]) }

func (s *clockStory) ReadClock(_ context.Context, id raft.ServerID, _ raft.ServerAddress) (time.Time, error) {
	if s.silent[id] {
		return time.Time{}, errors.New("silent")
	}
	return s.shows(id), nil
}

// set sets the clock for a term; it must then be off the true time by want.
func (s *clockStory) set(t *testing.T, term uint64, want time.Duration) {
	t.Helper()
	if err := s.clock.Set(context.Background(), term); err != nil {
		t.Fatal(err)
	}
	if !s.clock.Ready(term) || s.clock.Ready(term+1) {
		t.Fatalf("ready for term %d: %v, for the next: %v", term, s.clock.Ready(term), s.clock.Ready(term+1))
	}
	s.off(t, want)
}

func (s *clockStory) off(t *testing.T, want time.Duration) {
	t.Helper()
	if off := s.clock.Now().Sub(epoch.Add(s.elapsed)); off != want {
		t.Fatalf("the cluster's time is off by %v, want %v", off, want)
	}
}

const year = 365 * 24 * time.Hour

func TestOneWrongClockMovesNothing(t *testing.T) {
	for _, wrong := range []raft.ServerID{idA, idB} {
		for _, by := range []time.Duration{year, -year} {
			s := newClockStory()
			s.set(t, 1, 0)
			s.elapsed = time.Minute
			s.ahead[wrong] = by
			s.off(t, 0)
			s.set(t, 1, 0)
			s.set(t, 2, 0)
		}
	}
}

func TestTwoClocksOfThree(t *testing.T) {
	s := newClockStory()
	s.silent[idC] = true
	s.ahead[idA] = year
	s.set(t, 1, 0) // of two, the one that is not ahead
	s.ahead[idA] = -time.Hour
	s.clock.Observe(epoch.UnixNano())
	s.elapsed = time.Second
	s.set(t, 2, 0) // not behind what the last leader's stamps have reached
	s.silent[idB] = true
	if err := s.clock.Set(context.Background(), 3); err == nil || s.clock.Ready(3) {
		t.Fatalf("set by one clock of three: %v", err)
	}
}

// TestAMedianThatStepsIsFollowedSlowly: at most double speed, or half.
func TestAMedianThatStepsIsFollowedSlowly(t *testing.T) {
	s := newClockStory()
	s.set(t, 1, 0)
	for _, id := range []raft.ServerID{idA, idB, idC} {
		s.ahead[id] = 90 * time.Second
	}
	s.elapsed = time.Minute
	s.set(t, 1, time.Minute)
	s.elapsed += time.Minute
	s.set(t, 1, 90*time.Second)
	clear(s.ahead)
	s.elapsed += time.Minute
	s.set(t, 1, time.Minute)
	s.set(t, 2, 0) // a new term steps
}

// TestAfterARestart: an old log time that was read from the log does not hold the time back.
func TestAfterARestart(t *testing.T) {
	s := newClockStory()
	s.off(t, 0) // its own time, until it leads
	s.clock.Observe(epoch.Add(-72 * time.Hour).UnixNano())
	s.elapsed = time.Second
	s.set(t, 1, 0)
}

func TestALeaderIsReadyWhenItsClockIs(t *testing.T) {
	ready := false
	m := newMember(t, func(c *MoneyConfig) { c.Ready = func(uint64) bool { return ready } })
	_, err := m.money.Submit(testContext(t), &ballastv1.SubmitRequest{Operations: []*ballastv1.Operation{credit("c", "x", 1)}})
	if f := failureOf(t, err, codes.Unavailable); f.GetOutcome() != isNotDone || f.GetRetryAfter().AsDuration() == 0 {
		t.Fatalf("before the clock is set: %v", f)
	}
	ready = true
	if _, err := m.money.Submit(testContext(t), &ballastv1.SubmitRequest{Operations: []*ballastv1.Operation{credit("c", "x", 1)}}); err != nil {
		t.Fatal(err)
	}
}
