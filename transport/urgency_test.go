package transport

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	raftv1 "github.com/ballastdb/ballast/proto/raft/v1"
)

// TestUrgentFirst: voters come before members that do not vote, and a needed one, also one that becomes so only later, takes
// over the turn of one that is not.
func TestUrgentFirst(t *testing.T) {
	turns := installTurns{most: 1}
	yielded := []string{}
	enter := func(name string, u urgency) *installTurn {
		return turns.enter(u, func() { yielded = append(yielded, name) })
	}
	has := func(one *installTurn) bool {
		select {
		case <-one.come:
			return slices.Contains(turns.taken, one)
		default:
			return false
		}
	}
	n1, n2, v1, v2 := enter("n1", ordinary), enter("n2", ordinary), enter("v1", voting), enter("v2", voting)
	if !has(n1) || has(n2) || has(v1) || len(yielded) != 0 {
		t.Fatalf("a voter that nobody waits for takes over a turn: %v", yielded)
	}
	turns.leave(n1)
	if !has(v1) || has(n2) {
		t.Error("who does not vote comes before a voter")
	}
	turns.leave(v1)
	turns.judge(n2, ordinary)
	if !has(v2) {
		t.Error("the second voter has to wait")
	}
	turns.leave(v2)
	if !has(n2) {
		t.Error("nobody comes after the voters")
	}
	v3, v4 := enter("v3", voting), enter("v4", voting)
	turns.judge(v4, needed)
	turns.judge(v4, needed)
	turns.judge(v3, needed)
	if !slices.Equal(yielded, []string{"n2"}) || has(v4) {
		t.Errorf("asked to give up their turn: %v, want n2, once", yielded)
	}
	turns.leave(n2)
	if !has(v3) || has(v4) {
		t.Error("of two that are needed the first comes first")
	}
	if len(yielded) != 1 {
		t.Errorf("one that is needed is interrupted for another: %v", yielded)
	}
	turns.leave(v4) // gave up waiting
	turns.leave(v3)
	if len(turns.taken)+len(turns.waiting) != 0 {
		t.Errorf("left over: %d taken, %d waiting", len(turns.taken), len(turns.waiting))
	}
}

// TestNeeded: a voter is needed when, without it, too few voters follow this leader's log to the offered snapshot.
func TestNeeded(t *testing.T) {
	now := time.Unix(1_785_000_000, 0)
	const leader, b, c, d, e raft.ServerID = "a", "b", "c", "d", "e"
	follows := Follower{Term: 3, UpTo: 9, Heard: now.Add(-time.Second)}
	for name, s := range map[string]struct {
		voters []raft.ServerID
		known  map[raft.ServerID]Follower
		want   urgency
	}{
		"does not vote":                 {[]raft.ServerID{leader, c, d}, nil, ordinary},
		"the third of three is away":    {[]raft.ServerID{leader, b, c}, nil, needed},
		"the third of three follows":    {[]raft.ServerID{leader, b, c}, map[raft.ServerID]Follower{c: follows}, voting},
		"it has the snapshot's past":    {[]raft.ServerID{leader, b, c}, map[raft.ServerID]Follower{c: {Term: 3, UpTo: 8, Heard: now}}, needed},
		"it is silent":                  {[]raft.ServerID{leader, b, c}, map[raft.ServerID]Follower{c: {Term: 3, UpTo: 9, Heard: now.Add(-time.Minute)}}, needed},
		"it followed in an older term":  {[]raft.ServerID{leader, b, c}, map[raft.ServerID]Follower{c: {Term: 2, UpTo: 9, Heard: now}}, needed},
		"two of five follow the leader": {[]raft.ServerID{leader, b, c, d, e}, map[raft.ServerID]Follower{c: follows, d: follows}, voting},
		"one of five does":              {[]raft.ServerID{leader, b, c, d, e}, map[raft.ServerID]Follower{c: follows}, needed},
	} {
		m := &Transport{config: Config{LocalID: leader, Voters: func() []raft.ServerID { return s.voters }}, followers: followers{all: s.known}}
		if found := m.urgencyOf(b, &raft.InstallSnapshotRequest{Term: 3, LastLogIndex: 9}, now); found != s.want {
			t.Errorf("%s: urgency %d, want %d", name, found, s.want)
		}
	}
}

// TestFollowersAreKnown: answers to appends, alone and in a pipeline, tell how far a log goes; heartbeats and refusals do not.
// What a member tells with them arrives.
func TestFollowersAreKnown(t *testing.T) {
	told := Told{Settled: 7, Damaged: 3}
	a := startMember(t, "a", nil)
	b := startMember(t, "b", func(c *Config) { c.Tell = func() Told { return told } })
	b.answerAll(t, func(rpc raft.RPC) (any, error) {
		if rpc.Command.(*raft.AppendEntriesRequest).PrevLogEntry == 1000 {
			return &raft.AppendEntriesResponse{Term: 3}, nil
		}
		return success(rpc)
	})
	send := func(r *raft.AppendEntriesRequest) {
		t.Helper()
		if err := a.AppendEntries(b.id, b.address, r, &raft.AppendEntriesResponse{}); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(upTo uint64) {
		t.Helper()
		f := a.Follower(b.id)
		if f.Told != told || f.Term != 3 || f.UpTo != upTo || !f.Follows(3, upTo, time.Now()) {
			t.Errorf("known: %+v, want up to %d", f, upTo)
		}
	}
	send(heartbeat(a))
	expect(0)
	send(appendOf(a, 5, 2, 10))
	expect(7)
	send(appendOf(a, 1000, 2, 10))
	send(heartbeat(a))
	expect(7)
	if _, err := sendOne(t, a, b, appendOf(a, 7, 3, 10)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the answer in the pipeline", func() bool { return a.Follower(b.id).UpTo == 10 })
	expect(10)
}

// pullingStager pulls everything in one call and takes what comes for the token.
type pullingStager struct{ from raft.ServerID }

func (s pullingStager) Stage(ctx context.Context, r *raft.InstallSnapshotRequest, data io.Reader, from Puller, _ func(Progress)) ([]byte, error) {
	manifest, err := io.ReadAll(data)
	if err != nil {
		return nil, err
	}
	for _, source := range from.Sources() {
		if source.ID == s.from {
			err = from.Pull(ctx, source, r.LastLogIndex, r.LastLogTerm, []byte{1}, func([]byte) error { return nil })
		}
	}
	return manifest, err
}

// halting serves pages to those that are in a hurry only; others wait until they give up.
type halting struct {
	raftv1.UnimplementedRaftServiceServer
	urgent, others atomic.Int32
}

func (h *halting) FetchPages(r *raftv1.FetchPagesRequest, stream raftv1.RaftService_FetchPagesServer) error {
	if r.GetUrgent() {
		h.urgent.Add(1)
		return stream.Send(&raftv1.FetchPagesResponse{Items: []byte("page")})
	}
	h.others.Add(1)
	<-stream.Context().Done()
	return stream.Context().Err()
}

// TestNeededVoterGoesFirst replays what kept writes away for 101 s after a leader was killed: a member that does not vote is
// being brought up to date, slowly; a voter without which nothing is committed waits for its turn. It takes the turn over, pages are sent to
// it at full speed, and the other one is gone on with afterwards.
func TestNeededVoterGoesFirst(t *testing.T) {
	snapshot := randomBytes(100)
	source := &halting{}
	sourceID, sourceAddress := scripted(t, "source", source)
	var voters atomic.Pointer[[]raft.ServerID]
	voters.Store(&[]raft.ServerID{})
	a := startMember(t, "a", func(c *Config) { c.Voters = func() []raft.ServerID { return *voters.Load() } })
	stager := func(c *Config) { c.Stager, c.Timeouts.InstallIdle = pullingStager{sourceID}, patience }
	b, n := startMember(t, "b", stager), startMember(t, "n", stager)
	b.answerAll(t, restoring(t, snapshot))
	n.answerAll(t, restoring(t, snapshot))
	begin := func(to *member) <-chan error {
		r := offerOf(a, a, b, n)
		c := raft.DecodeConfiguration(r.Configuration)
		c.Servers = append(c.Servers, raft.Server{ID: sourceID, Address: sourceAddress})
		r.Configuration, r.Size = raft.EncodeConfiguration(c), int64(len(snapshot))
		result := make(chan error, 1)
		go func() {
			result <- a.InstallSnapshot(to.id, to.address, r, &raft.InstallSnapshotResponse{}, bytes.NewReader(snapshot))
		}()
		return result
	}
	end := func(what string, result <-chan error, want error) {
		t.Helper()
		within(t, what, func() {
			if err := <-result; !errors.Is(err, want) {
				t.Errorf("%s: expected %v, found %v", what, want, err)
			}
		})
	}
	toN := begin(n)
	eventually(t, "the first transfer", func() bool { return source.others.Load() == 1 })
	toB := begin(b)
	eventually(t, "the wait", func() bool { return len(a.Transfers()) == 2 })
	// Now the one other voter is away.
	voters.Store(&[]raft.ServerID{a.id, b.id, "away/" + sourceID[len("source/"):]})
	end("the one that does not vote", toN, errInstallYield)
	end("the voter", toB, nil)
	if source.urgent.Load() != 1 || source.others.Load() != 1 {
		t.Errorf("%d urgent and %d other calls for pages, want one of each", source.urgent.Load(), source.others.Load())
	}
	toN = begin(n)
	eventually(t, "it is gone on with", func() bool { return source.others.Load() == 2 })
	// And what is under way becomes urgent where it is.
	voters.Store(&[]raft.ServerID{a.id, n.id})
	end("the one that votes by now", toN, nil)
	if source.urgent.Load() != 2 {
		t.Errorf("%d urgent calls for pages, want two", source.urgent.Load())
	}
}

// TestUrgentPagesAreNotPaced: whatever the rate, and whoever feels it; and what is sent is counted.
func TestUrgentPagesAreNotPaced(t *testing.T) {
	a := startMember(t, "a", nil)
	b := startMember(t, "b", func(c *Config) {
		c.Pages, c.Busy, c.TransferRate = &shelf{manifest: randomBytes(10)}, func() float64 { return 100 }, 512<<10
	})
	r := &raftv1.FetchPagesRequest{Index: 9, Term: 2, Wants: make([]byte, 40), Urgent: true}
	received := 0
	if err := a.fetchPages(t.Context(), serverOf(b), r, func(items []byte) error { received += len(items); return nil }); err != nil {
		t.Fatal(err)
	}
	if received != 40*maxItemsBytes || b.Felt() {
		t.Errorf("%d bytes came; paced: %v", received, b.Felt())
	}
	if _, err := a.FetchManifest(t.Context(), serverOf(b)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the count", func() bool { return b.Sent() == Sent{Pages: 40 * maxItemsBytes, Manifests: 10} })
}

// TestWhoIsAwayIsOfferedTheNewest: a member that cannot be reached holds no turn, and when it is back is not sent what was the
// newest when it was away.
func TestWhoIsAwayIsOfferedTheNewest(t *testing.T) {
	var newest atomic.Uint64
	snapshot := randomBytes(100)
	a := startMember(t, "a", func(c *Config) { c.NewestSnapshot, c.Timeouts.InstallIdle = newest.Load, patience })
	l := listen(t, "127.0.0.1:0")
	away := testConfig(t, "b", l.Addr())
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	newest.Store(9)
	b := &member{id: away.LocalID, address: away.LocalAddress}
	result := install(a, b, snapshot)
	eventually(t, "the offer", func() bool { return len(a.Transfers()) == 1 })
	c := startMember(t, "c", nil)
	c.answerAll(t, restoring(t, snapshot))
	if _, err := offer(a, c, snapshot); err != nil {
		t.Errorf("the turn is held by one that is away: %v", err)
	}
	newest.Store(10)
	start(t, listen(t, string(b.address)), away)
	within(t, "the end of the offer", func() {
		if err := <-result; !errors.Is(err, errInstallStale) {
			t.Errorf("expected %v, found %v", errInstallStale, err)
		}
	})
}

// TestOfferWaitsForAnotherThatWritesIt: an offer of what another member is about to publish waits for that, not for members that are not there, and not
// for ever; and who is needed does not wait.
func TestOfferWaitsForAnotherThatWritesIt(t *testing.T) {
	snapshot := randomBytes(100)
	at := func(upTo, settled uint64) *Follower {
		return &Follower{Term: 3, UpTo: upTo, Heard: time.Now().Add(time.Hour), Told: Told{Settled: settled}}
	}
	for name, c := range map[string]struct {
		other  *Follower
		needed bool
		limit  time.Duration
		then   *Follower // it goes on when this is known; nil: by itself
	}{
		"nobody is there":        {},
		"another has it":         {other: at(9, 9)},
		"another is behind":      {other: at(8, 8)},
		"it is about to":         {other: at(9, 8), then: at(9, 9)},
		"it takes too long":      {other: at(9, 8), limit: time.Millisecond},
		"the receiver is needed": {other: at(9, 8), needed: true},
	} {
		t.Run(name, func(t *testing.T) {
			a := startMember(t, "a", func(config *Config) { config.Timeouts.InstallOthers = max(c.limit, 0) })
			if c.limit == 0 {
				a.config.Timeouts.InstallOthers = time.Hour
			}
			b := startMember(t, "b", nil)
			b.answerAll(t, restoring(t, snapshot))
			if c.needed {
				a.config.Voters = func() []raft.ServerID { return []raft.ServerID{a.id, b.id} }
			}
			know := func(f *Follower) {
				a.followers.mu.Lock()
				defer a.followers.mu.Unlock()
				a.followers.all = map[raft.ServerID]Follower{"c": *f, b.id: *at(9, 0)}
			}
			if c.other != nil {
				know(c.other)
			}
			result := install(a, b, snapshot)
			if c.then != nil {
				eventually(t, "its turn", func() bool {
					a.turns.mu.Lock()
					defer a.turns.mu.Unlock()
					return len(a.turns.taken) == 1
				})
				if list := a.Transfers(); len(list) != 1 || list[0].State != TransferWaiting {
					t.Errorf("it does not wait: %+v", list)
				}
				know(c.then)
			}
			within(t, "the transfer", func() {
				if err := <-result; err != nil {
					t.Error(err)
				}
			})
		})
	}
}
