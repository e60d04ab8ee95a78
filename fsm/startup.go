package fsm

import (
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/ballastdb/ballast/fsm/page"
)

// progressEvery is the time between two lines about how far a long piece of work has come.
const progressEvery = 3 * time.Second

// progress says in the log how far a piece of work has come, now and then.
type progress struct {
	logger hclog.Logger
	now    func() time.Time
	began  time.Time
	told   time.Time
}

func newProgress(logger hclog.Logger, now func() time.Time) progress {
	t := now()
	return progress{logger, now, t, t}
}

// reached is called as often as convenient.
func (p *progress) reached(message string, done, total uint64) {
	t := p.now()
	if t.Sub(p.told) < progressEvery {
		return
	}
	p.told = t
	p.logger.Info(message, "done", done, "of", total, "after", t.Sub(p.began))
}

// load reads all pages of a snapshot into a fresh state.
func (f *FSM) load(source PageSource) (*state, error) {
	next := newState()
	return next, source.Walk(func(q page.Page) error { return next.space().Load(q) })
}

// replay is the log that a member had when it started: the state is up to date with it when that is applied again.
type replay struct {
	from, until uint64
	progress    progress
}

// ExpectReplay has the state machine say how far it is in applying its log again, which goes to index last. Called before
// raft starts, after which the newest snapshot is restored.
func (f *FSM) ExpectReplay(last uint64) { f.replay.until = last }

// Started is called when raft has started: what is restored from then on has come from another member, and what was before
// was this member's own.
func (f *FSM) Started() { f.running.Store(true) }

// replayed is called on raft's goroutine when a batch up to index was applied.
func (f *FSM) replayed(index uint64) {
	r := &f.replay
	if r.until == 0 {
		return
	}
	if r.from == 0 {
		r.from, r.progress = index, newProgress(f.logger, f.now)
	}
	if index < r.until {
		r.progress.reached("applying the log again", index-r.from, r.until-r.from)
		return
	}
	f.logger.Info("the log is applied again", "index", index, "after", r.progress.now().Sub(r.progress.began))
	r.until = 0
}
