package server

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/ballastdb/ballast/fsm/roster"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// leaderSays is an Asker that answers what the test says, as the leader b.
type leaderSays struct {
	answer *ballastv1.StatusResponse
	asked  int
}

func (l *leaderSays) Status(_ context.Context, member roster.Member) (*ballastv1.StatusResponse, error) {
	l.asked++
	if l.answer == nil || member.ID != idB {
		return nil, errors.New("unreachable")
	}
	return l.answer, nil
}

// behind is a follower, a, of the leader b, whose clock the test moves.
type behind struct {
	raft   *fakeRaft
	leader *leaderSays
	own    Facts
	time   int64 // log time
	now    time.Time
	gate   *Gate
	*Standing
}

func newBehind() *behind {
	b := &behind{raft: newFakeRaft(), leader: &leaderSays{}, now: time.Unix(1_800_000_000, 0), gate: &Gate{}}
	b.raft.state, b.raft.leader = raft.Follower, voter(idB)
	b.own.Raft = RaftFacts{State: raft.Follower, LeaderKnown: true, Member: true}
	b.Standing = NewStanding(StandingConfig{
		Raft: b.raft, LocalID: idA, Roster: noRoster{}, Asker: b.leader, Gate: b.gate,
		Facts: func() Facts { return b.own }, LogTime: func() int64 { return b.time }, Now: func() time.Time { return b.now },
	})
	return b
}

type noRoster struct{}

func (noRoster) Member(string) (roster.Member, bool) { return roster.Member{}, false }

// after lets time pass, has the leader be at commit and this member at applied, looks, and answers how it stands.
func (b *behind) after(t *testing.T, pause time.Duration, commit, applied uint64) StandingFacts {
	t.Helper()
	b.now = b.now.Add(pause)
	b.own.Raft.Applied, b.own.Raft.Commit = applied, applied // its raft knows no more
	b.leader.answer = &ballastv1.StatusResponse{
		Id: idB, RaftState: ballastv1.RaftState_RAFT_STATE_LEADER, CommitIndex: commit, LogTime: int64(commit) * 1e6,
		Log: &ballastv1.LogStatus{FirstIndex: 1, LastIndex: commit, Bytes: commit * 200}, Transfers: b.leader.answer.GetTransfers(),
	}
	b.time = int64(applied) * 1e6
	b.look(testContext(t))
	return b.Facts(b.own).Standing
}

// A follower's own raft says that it has everything as long as it has what it has: the leader says how far behind it is.
func TestFollowerLearnsFromItsLeaderHowFarBehindItIs(t *testing.T) {
	b := newBehind()
	if s := b.Facts(b.own).Standing; s.Known || s.Phase != PhaseServing {
		t.Errorf("before the leader told anything: %+v", s)
	}
	b.after(t, 0, 10_000, 4_000)
	s := b.after(t, time.Second, 10_100, 5_100)
	if s.Phase != PhaseLog || s.LagEntries != 5000 || s.LagBytes != 1_000_000 || s.Lag != 5*time.Second {
		t.Errorf("behind: %+v", s)
	}
	if s.EntriesRate != 1100 || s.Left != 5*time.Second {
		t.Errorf("it gains 1,000 of 5,000 a second: %+v", s)
	}
	if s := b.after(t, time.Second, 10_200, 10_190); s.Phase != PhaseServing || s.LagEntries != 10 || s.Left != 0 {
		t.Errorf("caught up: %+v", s)
	}
	b.leader.answer = nil
	b.now = b.now.Add(standingStale)
	b.look(testContext(t))
	if s := b.Facts(b.own).Standing; s.Known || s.LagEntries != 0 {
		t.Errorf("the leader tells nothing any more: %+v", s)
	}
}

func TestPhases(t *testing.T) {
	b := newBehind()
	b.leader.answer = &ballastv1.StatusResponse{Transfers: []*ballastv1.SnapshotTransfer{{To: "c", Waiting: true}, {To: "a", Waiting: true}}}
	if s := b.after(t, 0, 9000, 10); s.Phase != PhaseTurn {
		t.Errorf("the leader makes it wait: %+v", s)
	}
	b.own.Install = &InstallFacts{PagesTotal: 400, Since: b.now}
	b.after(t, time.Second, 9000, 10)
	b.own.Install = &InstallFacts{PagesTotal: 600, PagesDone: 300, PagesReused: 200, BytesOthers: 1 << 20, Since: b.own.Install.Since, Sources: []string{"c"}}
	if s := b.after(t, time.Second, 9000, 10); s.Phase != PhasePages || s.BytesRate != 1<<20 || s.Left != 6*time.Second {
		t.Errorf("pages arrive: %+v", s)
	}
	b.own.Install = nil
	b.own.Journal = &JournalFacts{Holes: 1, MissingEntries: 5}
	b.leader.answer = nil
	if s := b.after(t, time.Second, 9000, 9000); s.Phase != PhaseJournal {
		t.Errorf("a hole in the journal: %+v", s)
	}
	b.own.Journal, b.own.Raft.Member = nil, false
	if s := b.Facts(b.own).Standing; s.Phase != PhaseTurn {
		t.Errorf("a leader speaks to it, and it does not know yet that it belongs to that cluster: %+v", s)
	}
	b.own.Install = &InstallFacts{PagesTotal: 400, Since: b.now}
	if s := b.Facts(b.own).Standing; s.Phase != PhasePages {
		t.Errorf("its first snapshot arrives: %+v", s)
	}
	b.own.Install, b.own.Raft.Member = nil, true
	b.own.Raft.LeaderKnown = false
	if s := b.Facts(b.own).Standing; s.Phase != PhaseNoLeader || s.Known {
		t.Errorf("no leader: %+v", s)
	}
	b.own.Raft.Member = false
	if s := b.Facts(b.own).Standing; s.Phase != PhaseAlone {
		t.Errorf("no cluster: %+v", s)
	}
	b.gate.Close()
	if s := b.Facts(b.own).Standing; s.Phase != PhaseStopping {
		t.Errorf("stopping: %+v", s)
	}
	b.gate.Condemn("wrong")
	if s := b.Facts(b.own).Standing; s.Phase != PhaseDiverged {
		t.Errorf("condemned: %+v", s)
	}
}

// A leader compares with itself and asks nobody.
func TestLeaderStandsByItself(t *testing.T) {
	b := newBehind()
	b.raft.state, b.raft.leader = raft.Leader, voter(idA)
	b.own.Raft = RaftFacts{State: raft.Leader, LeaderKnown: true, Member: true, Commit: 50, Applied: 48}
	b.look(testContext(t))
	if s := b.Facts(b.own).Standing; !s.Known || s.LagEntries != 2 || s.Phase != PhaseServing || b.leader.asked != 0 {
		t.Errorf("got %+v, asked %d times", s, b.leader.asked)
	}
}

// Ready does not lie: each way of not being able to serve is a reason, and being behind a little is none.
func TestNotReady(t *testing.T) {
	good := func() Facts {
		return Facts{
			Raft:     RaftFacts{State: raft.Follower, LeaderKnown: true, Member: true, SinceContact: 20 * time.Millisecond},
			Standing: StandingFacts{Phase: PhaseServing, Known: true},
			Disk:     &DiskFacts{Writable: true},
		}
	}
	for name, test := range map[string]struct {
		change func(f *Facts)
		says   string // empty: it is ready
	}{
		"all well":               {func(*Facts) {}, ""},
		"leads":                  {func(f *Facts) { f.Raft.State, f.Raft.SinceContact = raft.Leader, 0 }, ""},
		"a little behind":        {func(f *Facts) { f.Standing.LagEntries, f.Standing.Lag = 5000, time.Second }, ""},
		"fills its journal":      {func(f *Facts) { f.Standing.Phase = PhaseJournal }, ""},
		"far behind":             {func(f *Facts) { f.Standing.LagEntries, f.Standing.Lag = 5000, time.Minute }, "5000 entries and 1m0s of log time behind"},
		"no cluster":             {func(f *Facts) { f.Standing.Phase = PhaseAlone }, "waiting for a cluster"},
		"takes in a snapshot":    {func(f *Facts) { f.Standing.Phase = PhasePages }, "catching up from pages"},
		"waits for a turn":       {func(f *Facts) { f.Standing.Phase = PhaseTurn }, "waiting for a turn"},
		"condemned":              {func(f *Facts) { f.Standing.Phase = PhaseDiverged }, "diverged"},
		"stopping":               {func(f *Facts) { f.Standing.Phase = PhaseStopping }, "shutting down"},
		"no leader":              {func(f *Facts) { f.Raft.LeaderKnown = false }, "no leader"},
		"cut off":                {func(f *Facts) { f.Raft.SinceContact = time.Minute }, "not heard from its leader for 1m0s"},
		"never heard of one":     {func(f *Facts) { f.Raft.SinceContact = -1 }, "not heard from its leader since"},
		"leader does not answer": {func(f *Facts) { f.Standing.Known = false }, "not told"},
		"disk full":              {func(f *Facts) { f.Disk = &DiskFacts{Problem: "no space left"} }, "no space left"},
	} {
		f := good()
		test.change(&f)
		reasons := strings.Join(NotReady(&f), "; ")
		if (reasons == "") != (test.says == "") || !strings.Contains(reasons, test.says) {
			t.Errorf("%s: %q, want %q", name, reasons, test.says)
		}
	}
}

// What the status says of a member that comes back: what it is, whether it harms, what to do.
func TestSentencesOfMembersThatComeBack(t *testing.T) {
	for _, test := range []struct {
		facts Facts
		want  string
	}{
		{Facts{Standing: StandingFacts{Phase: PhaseServing}}, ""},
		{
			Facts{Standing: StandingFacts{Phase: PhaseLog, LagEntries: 5000, LagBytes: 3 << 20, Lag: 2500 * time.Millisecond, Left: 4 * time.Second}},
			"is catching up from the log: 5000 entries behind, about 3.0 MiB and 2.5s of log time, about 4s left; let it go on",
		},
		{
			Facts{Standing: StandingFacts{Phase: PhasePages, Left: time.Minute}, Install: &InstallFacts{PagesTotal: 100, PagesDone: 20, BytesOthers: 512, Sources: []string{"c", "b"}}},
			"is catching up from pages from c, b: 20 of 100 pages, 512 B received, about 1m0s left; it votes meanwhile and harms nobody, let it go on",
		},
		{Facts{Standing: StandingFacts{Phase: PhaseTurn}}, "waits for its turn to get a snapshot, others get theirs first; nothing is wrong, do not restart it"},
		{
			Facts{Standing: StandingFacts{Phase: PhaseJournal}, Journal: &JournalFacts{Holes: 1, MissingEntries: 70, Source: "c"}},
			"is backfilling its journal from c: 70 older entries are on their way, statements that reach back to them say so; balances are complete",
		},
	} {
		if got := standing(&test.facts); got != test.want {
			t.Errorf("got  %q\nwant %q", got, test.want)
		}
	}
}
