package snapshots

import (
	"errors"
	"fmt"
	"time"

	"github.com/ballastdb/ballast/fsm/page"
)

const (
	// batchPages is how many pages are asked for at once: what arrives is written as it comes, so this bounds what is asked
	// for again when a connection breaks, and how long others wait for their turn at the source.
	batchPages = 512
	// saveEvery pages the staging area is made durable.
	saveEvery = 512
	// judgeAfter so many wants a source that lacks more than half of them is left.
	judgeAfter = 256
	// maxFailures in a row, without one page in between, of a source that is not the leader.
	maxFailures = 3
	// maxIdle rounds without one page end the staging; the pause between rounds doubles up to maxPause.
	maxIdle  = 8
	maxPause = 2 * time.Second
)

// trust is what this staging has seen of a source.
type trust struct {
	failures, asked, lacked int
	left                    bool // not asked any more
}

// errLying: a source sent what is not what it was asked for.
var errLying = errors.New("snapshots: what was sent is not the page that was asked for")

// pull gets what is wanted: from members that are not the leader first, each for as long as it has most of it, from the
// leader what they lack. It goes round until nothing is wanted, or nothing comes any more.
func (g *staging) pull() error {
	g.progress.Phase = PhasePulling
	pause := g.store.PullPause
	var last error
	for idle := 0; len(g.wants) > 0; idle++ {
		if idle > 0 {
			if err := g.sleep(pause); err != nil {
				return err
			}
			pause = min(2*pause, maxPause)
		}
		before := len(g.wants)
		if err := g.round(); err != nil {
			last = err
		}
		switch {
		case g.fault != nil:
			return g.fault
		case g.ctx.Err() != nil:
			return g.alive()
		case len(g.wants) < before:
			idle, pause = 0, g.store.PullPause
		case idle == maxIdle:
			return fmt.Errorf("snapshots: %d of %d pages of index %d, term %d were not sent by any member: %w",
				len(g.wants), g.progress.PagesTotal, g.theirs.Index, g.theirs.Term, last)
		}
	}
	return nil
}

func (g *staging) sleep(d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-g.ctx.Done():
		return g.alive()
	}
}

var errNoSource = errors.New("nobody has them")

// round asks each source for what is left: again and again while it gives something.
func (g *staging) round() error {
	last := errNoSource
	for _, s := range g.from.Sources() {
		t := g.trust[s.ID]
		if t == nil {
			t = &trust{}
			g.trust[s.ID] = t
		}
		for before := len(g.wants) + 1; len(g.wants) > 0 && len(g.wants) < before && !t.left && !g.over(); {
			before = len(g.wants)
			err := g.pullFrom(s, t)
			if err == nil {
				break
			}
			if last = err; g.over() {
				break
			}
			t.failures++
			if len(g.wants) < before {
				t.failures = 0 // it gets on: the longer a transfer, the more often a connection breaks
			}
			t.left = !s.Leader && (t.failures >= maxFailures || errors.Is(err, errLying))
			g.store.Logger.Warn("pages were not sent", "from", string(s.ID), "leader", s.Leader, "error", err, "left", t.left)
		}
	}
	g.progress.Source = ""
	return last
}

// over reports whether asking on is of no use.
func (g *staging) over() bool { return g.fault != nil || g.ctx.Err() != nil }

// pullFrom asks one source for everything that is wanted, until it has answered, fails, or lacks most.
func (g *staging) pullFrom(s Source, t *trust) error {
	g.progress.Source = s.ID
	todo, left := g.wants, []pending(nil)
	var err error
	for len(todo) > 0 && err == nil && !t.left {
		batch := todo[:min(len(todo), batchPages)]
		todo = todo[len(batch):]
		var lacks []pending
		lacks, err = g.pullBatch(s, batch)
		left = append(left, lacks...)
		if err == nil {
			t.asked, t.lacked = t.asked+len(batch), t.lacked+len(lacks)
			t.left = !s.Leader && t.asked >= judgeAfter && 2*t.lacked > t.asked
		}
		if len(g.again) > 0 {
			todo = append(append([]pending(nil), g.again...), todo...)
			g.again = g.again[:0]
		}
	}
	g.wants = append(left, todo...)
	return err
}

// pullBatch asks for a batch and takes what comes. It answers what did not.
func (g *staging) pullBatch(s Source, batch []pending) (lacks []pending, err error) {
	wants := make([]want, len(batch))
	for i, p := range batch {
		wants[i] = want{id: p.id, index: g.theirs.pages[p.place].index, held: p.held}
	}
	received, next := &g.progress.BytesFromOthers, 0
	if s.Leader {
		received = &g.progress.BytesFromLeader
	}
	size := func(place int) int { return batch[place].size }
	take := func(it item) error {
		p := batch[it.place]
		g.progress.ByTable[p.id.Table] += uint64(it.bytes)
		if it.kind == itemMissing {
			lacks = append(lacks, p)
			return nil
		}
		return g.take(p, it)
	}
	err = g.from.Pull(g.ctx, s, g.theirs.Index, g.theirs.Term, encodeWants(wants), func(items []byte) error {
		*received += uint64(len(items))
		var err error
		next, err = decodeItems(items, next, len(batch), size, take)
		g.tell()
		return err
	})
	if errors.Is(err, errItems) {
		err = fmt.Errorf("%w: %w", errLying, err)
	}
	if err == nil && next < len(batch) {
		err = fmt.Errorf("snapshots: expected %d items, found %d", len(batch), next)
	}
	if g.fault == nil && g.area.unsavedPages() >= saveEvery {
		err = errors.Join(err, g.save())
	}
	return append(lacks, batch[next:]...), err
}

// take makes the page out of an item and puts it where it belongs.
func (g *staging) take(p pending, it item) error {
	if it.kind == itemRecords && !g.base(p) {
		return g.whole(p)
	}
	it.apply(g.buf)
	ref := &g.theirs.pages[p.place]
	if page.Checksum(p.id, g.buf) != ref.checksum {
		if it.kind == itemWhole {
			return fmt.Errorf("%w: page %d of table %d", errLying, p.id.Number, p.id.Table)
		}
		return g.whole(p)
	}
	made := page.Page{ID: p.id, Index: ref.index, Data: g.buf}
	here, err := g.keep(made, ref.checksum)
	if err != nil {
		return err
	}
	if err := g.receiver.Page(made); err != nil {
		g.fault = err
		return err
	}
	*ref = here
	g.progress.PagesDone++
	return nil
}

// base reads the version that is held into buf; false: it is not there any more.
func (g *staging) base(p pending) bool {
	if p.held == 0 {
		return false
	}
	if p.area {
		ref, ok, err := g.area.get(p.id, g.buf)
		if err != nil {
			_ = g.broken(err)
		}
		return ok && err == nil && ref.index == p.held
	}
	return g.receiver.Held(p.id, g.buf) > 0
}

// whole asks the same source once more, for the whole page: records did not do.
func (g *staging) whole(p pending) error {
	if p.held == 0 {
		return fmt.Errorf("%w: records of page %d of table %d, of which nothing is held", errLying, p.id.Number, p.id.Table)
	}
	if g.fault != nil {
		return g.fault
	}
	p.held, p.area = 0, false
	g.again = append(g.again, p)
	return nil
}
