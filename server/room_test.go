package server

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/ballastdb/ballast/fsm/roster"
	"github.com/ballastdb/ballast/internal/diskspace"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// lowPeers are other members, which are low, or do not answer.
type lowPeers map[raft.ServerID]struct{ low, silent bool }

func (p lowPeers) Progress(_ context.Context, m roster.Member) (Progress, error) {
	state := p[raft.ServerID(m.ID)]
	if state.silent {
		return Progress{}, errors.New("silent")
	}
	return Progress{ID: raft.ServerID(m.ID), LowDisk: state.low}, nil
}

// What a leader of three does, by what the three disks have: the table of internal/diskspace/README.md.
func TestRoom(t *testing.T) {
	const ample, low, tight, silent = "ample", "low", "tight", "silent"
	for _, c := range []struct {
		own, second, third string
		refused, handed    bool
	}{
		{ample, ample, ample, false, false},
		{ample, low, ample, false, false},
		{ample, low, low, true, false},
		{ample, silent, ample, false, false},
		{ample, silent, silent, false, false}, // it soon leads no more, and that is said otherwise
		{ample, silent, low, true, false},
		{low, ample, ample, false, true},
		{low, low, ample, true, true},
		{low, low, low, true, false},
		{low, silent, ample, true, true},
		{low, silent, silent, true, false},
		{tight, ample, ample, true, true},
	} {
		r := newFakeRaft()
		r.configuration = raft.Configuration{Servers: []raft.Server{{ID: "a/1"}, {ID: "b/1"}, {ID: "c/1"}, {ID: "d/1", Suffrage: raft.Nonvoter}}}
		peers := lowPeers{"b/1": {c.second == low, c.second == silent}, "c/1": {c.third == low, c.third == silent}, "d/1": {true, false}}
		own := map[string]diskspace.Level{ample: diskspace.Ample, low: diskspace.Low, tight: diskspace.Tight}[c.own]
		gate := &Gate{}
		var mu sync.Mutex
		handed := false
		room := NewRoom(RoomConfig{
			Raft: r, LocalID: "a/1", Roster: noRoster{}, Peers: peers, Gate: gate, Logger: hclog.NewNullLogger(),
			Own: func() diskspace.Level { return own },
			HandOver: func(context.Context) error {
				mu.Lock()
				defer mu.Unlock()
				handed = true
				return nil
			},
		})
		room.look(testContext(t))
		failure := gate.passWrite()
		if (failure != nil) != c.refused || handed != c.handed {
			t.Errorf("%s, %s, %s: refused %v, handed over %v; want %v, %v", c.own, c.second, c.third, failure, handed, c.refused, c.handed)
		}
		if failure != nil && (failure.Reason != ballastv1.Reason_REASON_DISK_LOW || failure.Outcome != ballastv1.Outcome_OUTCOME_NOT_DONE || failure.RetryAfter == 0) {
			t.Errorf("the refusal is %+v", failure)
		}
		if gate.pass() != nil {
			t.Error("reads are refused too")
		}
		r.with(func(r *fakeRaft) { r.state = raft.Follower })
		if room.look(testContext(t)); gate.passWrite() != nil {
			t.Error("a follower refuses for the room that it saw as leader")
		}
	}
}

// A low disk weighs more than the length of the log, because a leader must have the whole log anyway.
func TestLeadershipGoesWhereThereIsRoom(t *testing.T) {
	roomy, low := Progress{LastIndex: 7}, Progress{LastIndex: 9, LowDisk: true}
	if !roomy.better(low) || low.better(roomy) || !(Progress{LastIndex: 8}).better(roomy) {
		t.Error("the wrong one is better")
	}
}
