package server

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/ballastdb/ballast/fsm/roster"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

const (
	// standingTick is how often a member compares itself with its leader.
	standingTick = time.Second
	// standingStale is the age at which what the leader told is no knowledge any more.
	standingStale = 5 * time.Second
	// rateWindow is the time over which rates are measured.
	rateWindow = 10 * time.Second
)

// StandingFacts are how a member stands: what it is about, how far behind its leader, and how fast that changes.
type StandingFacts struct {
	// Phase it is in.
	Phase Phase
	// Known: the leader, which may be this member, told a moment ago how far it is. The lags mean nothing where it did not.
	Known bool
	// LagEntries and LagBytes are what of the log its state does not show, Lag how far its log time is behind. Bytes are
	// estimated by the mean weight of the leader's entries.
	LagEntries, LagBytes uint64
	Lag                  time.Duration
	// EntriesRate is how many entries it applies a second, BytesRate how many bytes of a snapshot arrive.
	EntriesRate, BytesRate float64
	// Left is how long it needs at this rate; 0: not known, or nothing is left.
	Left time.Duration
}

// Behind tells whether a member lacks more than what is under way to one that keeps up.
func (s StandingFacts) Behind() bool { return s.Known && s.LagEntries > maxLag }

// Asker asks a member for its status; *StatusPeers does.
type Asker interface {
	Status(ctx context.Context, member roster.Member) (*ballastv1.StatusResponse, error)
}

// StandingConfig is what a Standing needs. Zero times mean the defaults.
type StandingConfig struct {
	Raft    Raft
	LocalID raft.ServerID
	Roster  Roster
	Asker   Asker
	Gate    *Gate
	// Facts tells what this member knows of itself; its Standing is not looked at.
	Facts func() Facts
	// LogTime is the log time that its state shows, Unix nanoseconds.
	LogTime func() int64
	// Now is the clock; nil: time.Now.
	Now Clock
	// Tick is how often the leader is asked. Default 1 s.
	Tick time.Duration
}

// Standing compares a member with its leader. A follower's raft knows the leader's commit index only as far as its own log
// goes, so one that is far behind would think that it is not: the leader is asked.
type Standing struct {
	cfg StandingConfig

	mu      sync.Mutex
	leader  leaderView
	applied meter
	bytes   meter
}

// leaderView is what the leader told last.
type leaderView struct {
	at        time.Time // zero: it told nothing
	commit    uint64
	logTime   int64
	meanBytes float64 // of an entry
	waiting   bool    // it makes this member wait for a snapshot
	commits   meter
}

// NewStanding returns a Standing that knows nothing before Run.
func NewStanding(cfg StandingConfig) *Standing {
	defaultTo(&cfg.Tick, standingTick)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Standing{cfg: cfg}
}

// Run compares until ctx ends.
func (s *Standing) Run(ctx context.Context) {
	ticker := time.NewTicker(s.cfg.Tick)
	defer ticker.Stop()
	for {
		s.look(ctx)
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// look asks the leader and notes where this member is.
func (s *Standing) look(ctx context.Context) {
	answer := s.askLeader(ctx)
	facts := s.cfg.Facts()
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.cfg.Now()
	s.applied.note(now, facts.Raft.Applied)
	if facts.Install != nil {
		s.bytes.note(now, facts.Install.Bytes())
	} else {
		s.bytes = meter{}
	}
	switch {
	case facts.Raft.State == raft.Leader:
		s.leader = leaderView{}
	case answer != nil:
		s.leader.take(now, answer, memberName(s.cfg.LocalID))
	}
}

// askLeader is the leader's answer; nil where this member leads, knows no leader, or got no answer.
func (s *Standing) askLeader(ctx context.Context) *ballastv1.StatusResponse {
	address, id := s.cfg.Raft.LeaderWithID()
	if id == "" || id == s.cfg.LocalID {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, progressTimeout)
	defer cancel()
	answer, err := s.cfg.Asker.Status(ctx, knownMember(s.cfg.Roster, raft.Server{ID: id, Address: address}))
	if err != nil || answer.GetId() != string(id) || answer.GetRaftState() != ballastv1.RaftState_RAFT_STATE_LEADER {
		return nil
	}
	return answer
}

func (l *leaderView) take(now time.Time, answer *ballastv1.StatusResponse, self string) {
	l.at, l.commit, l.logTime, l.waiting = now, answer.GetCommitIndex(), answer.GetLogTime(), false
	l.commits.note(now, l.commit)
	if first, last := answer.GetLog().GetFirstIndex(), answer.GetLog().GetLastIndex(); first > 0 && last >= first {
		l.meanBytes = float64(answer.GetLog().GetBytes()) / float64(last-first+1)
	}
	for _, t := range answer.GetTransfers() {
		l.waiting = l.waiting || t.GetTo() == self && t.GetWaiting()
	}
}

// Facts adds how this member stands to what it knows of itself.
func (s *Standing) Facts(f Facts) Facts {
	logTime := s.cfg.LogTime()
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.cfg.Now()
	f.Standing = StandingFacts{EntriesRate: s.applied.rate(now), BytesRate: s.bytes.rate(now)}
	st := &f.Standing
	fresh := !s.leader.at.IsZero() && now.Sub(s.leader.at) < standingStale
	switch {
	case f.Raft.State == raft.Leader:
		st.Known, st.LagEntries = true, f.Raft.Commit-min(f.Raft.Commit, f.Raft.Applied)
	case f.Raft.LeaderKnown && fresh:
		st.Known = true
		st.LagEntries = s.leader.commit - min(s.leader.commit, f.Raft.Applied)
		st.LagBytes = uint64(float64(st.LagEntries) * s.leader.meanBytes)
		if st.LagEntries > 0 {
			st.Lag = max(time.Duration(s.leader.logTime-logTime), 0)
		}
	}
	st.Phase = phase(&f, s.cfg.Gate, fresh && s.leader.waiting)
	st.Left = s.left(&f, now)
	return f
}

// left is how long this member needs to catch up as fast as it does now: in entries it gains only what it applies beyond
// what is committed meanwhile.
func (s *Standing) left(f *Facts, now time.Time) time.Duration {
	switch {
	case f.Install != nil && f.Install.PagesDone > f.Install.PagesReused && f.Install.PagesDone < f.Install.PagesTotal:
		// What is reused takes no time to speak of.
		perPage := s.cfg.Now().Sub(f.Install.Since).Seconds() / float64(f.Install.PagesDone-f.Install.PagesReused)
		return seconds(perPage * float64(f.Install.PagesTotal-f.Install.PagesDone))
	case f.Install == nil && f.Standing.Behind():
		if gain := f.Standing.EntriesRate - s.leader.commits.rate(now); gain > 0 {
			return seconds(float64(f.Standing.LagEntries) / gain)
		}
	}
	return 0
}

func seconds(s float64) time.Duration { return time.Duration(min(s, 1e9) * float64(time.Second)) }

// meter measures how fast a number grows, over the last rateWindow.
type meter struct{ samples []sample }

type sample struct {
	at    time.Time
	value uint64
}

// note takes the number as it is now. One that has become smaller counts anew.
func (m *meter) note(now time.Time, value uint64) {
	if n := len(m.samples); n > 0 && value < m.samples[n-1].value {
		m.samples = m.samples[:0]
	}
	m.samples = append(m.samples, sample{now, value})
	for len(m.samples) > 2 && now.Sub(m.samples[1].at) >= rateWindow {
		m.samples = m.samples[1:]
	}
}

// rate is how much it grew a second; 0: not known, or it did not.
func (m *meter) rate(now time.Time) float64 {
	n := len(m.samples)
	if n < 2 || now.Sub(m.samples[n-1].at) >= rateWindow {
		return 0
	}
	first, last := m.samples[0], m.samples[n-1]
	took := last.at.Sub(first.at).Seconds()
	if took <= 0 {
		return 0
	}
	return float64(last.value-first.value) / took
}
