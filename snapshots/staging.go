package snapshots

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"

	"github.com/ballastdb/ballast/fsm/page"
)

const (
	// reportEvery is how many pages are compared, or steps of building made, between two reports.
	reportEvery = 256
	// maxWaste of the staging area, bytes, beside as much again as is useful.
	maxWaste = 16 << 20
)

// staging is one call of Stage at work.
type staging struct {
	store    *RaftStore
	ctx      context.Context
	from     Puller
	report   func(Progress)
	progress Progress
	steps    int
	theirs   *Manifest // as it came; where a page is here already its place says where, here
	receiver Receiver
	writer   *Writer
	area     *area
	used     bool   // a page lies in the area
	buf      []byte // of the page at hand
	spare    []byte

	wants []pending
	again []pending // wants of the present source that need another kind of answer
	trust map[raft.ServerID]*trust
	fault error // of this member's own, which no other source mends
	lost  bool  // what the staging area holds is not known any more
}

// pending is a page that must be pulled: the one at that place in the manifest.
type pending struct {
	place int
	id    page.ID
	size  int    // of its records
	held  uint64 // index of the version that is here, 0: none
	area  bool   // it is in the staging area; otherwise in the present state
}

// stage makes everything ready but the manifest.
func (s *RaftStore) stage(ctx context.Context, theirs *Manifest, from Puller, report func(Progress)) (in *install, err error) {
	meta, err := decodeRaftMeta(theirs.Meta)
	if err != nil {
		return nil, err
	}
	g := &staging{
		store: s, ctx: ctx, from: from, report: report, theirs: theirs, buf: make([]byte, page.Size), spare: make([]byte, page.Size),
		trust:    map[raft.ServerID]*trust{},
		progress: Progress{PagesTotal: uint64(theirs.Pages()), BytesManifest: uint64(theirs.encodedBytes()), ByTable: map[uint8]uint64{}},
	}
	if g.area, err = s.areaFor(theirs); err != nil {
		return nil, err
	}
	if g.receiver, err = s.Owner.Receive(meta.owner, theirs.Digest); err != nil {
		return nil, err
	}
	if g.writer, err = s.Store.BeginStaged(theirs.Index, theirs.Term); err != nil {
		return nil, errors.Join(err, g.receiver.Abort())
	}
	began := time.Now()
	if err = g.run(); err != nil {
		return nil, errors.Join(err, g.giveUp())
	}
	s.Logger.Info("another member's snapshot is staged", "index", theirs.Index, "term", theirs.Term, "pages", g.progress.PagesTotal,
		"reused", g.progress.PagesReused, "bytes_from_leader", g.progress.BytesFromLeader, "bytes_from_others", g.progress.BytesFromOthers,
		"bytes_by_table", g.progress.ByTable, "took", time.Since(began))
	in = &install{writer: g.writer, receiver: g.receiver, meta: meta.owner, digest: theirs.Digest}
	if g.used {
		in.area = g.area
	}
	return in, nil
}

// run is the whole of it.
func (g *staging) run() error {
	if err := g.compare(); err != nil {
		return err
	}
	if err := g.pull(); err != nil {
		return err
	}
	g.progress.Phase, g.progress.Source = PhaseBuilding, ""
	if err := g.receiver.Commit(g.alive); err != nil {
		return fmt.Errorf("snapshots: the state of index %d, term %d was not taken: %w", g.theirs.Index, g.theirs.Term, err)
	}
	if err := g.alive(); err != nil {
		return err
	}
	return g.prepare()
}

// prepare makes everything durable but the manifest.
func (g *staging) prepare() error {
	w := g.writer
	w.manifest.tables, w.manifest.pages = g.theirs.tables, g.theirs.pages
	if g.used {
		if err := g.area.save(); err != nil {
			return g.broken(err)
		}
		w.pack, w.number, w.staged = g.area.pack, g.area.number, true
	}
	if err := w.Prepare(); err != nil {
		return g.broken(err)
	}
	return nil
}

// alive reports now and then; its error is why nobody waits any more.
func (g *staging) alive() error {
	if g.steps++; g.steps%reportEvery == 0 {
		g.tell()
	}
	return context.Cause(g.ctx)
}

func (g *staging) tell() {
	p := g.progress
	p.ByTable = make(map[uint8]uint64, len(g.progress.ByTable))
	for table, n := range g.progress.ByTable {
		p.ByTable[table] = n
	}
	g.report(p)
}

// broken remembers that what the staging area holds is not known any more.
func (g *staging) broken(err error) error {
	g.fault, g.lost = fmt.Errorf("snapshots: the staging area cannot be written: %w", err), true
	return g.fault
}

// giveUp ends a staging that failed. The staging area stays, unless it cannot be trusted any more.
func (g *staging) giveUp() error {
	err := errors.Join(g.writer.Abort(), g.receiver.Abort())
	if !g.lost {
		if saveErr := g.area.save(); saveErr != nil {
			err = errors.Join(err, g.broken(saveErr))
		}
	}
	if !g.lost {
		return err
	}
	g.store.mu.Lock()
	g.store.area = nil
	g.store.mu.Unlock()
	return errors.Join(err, g.area.discard())
}

// areaFor is the staging area, what this run or an earlier one has left in it, or a new one. One that holds too much that
// the snapshot has no use for is copied.
func (s *RaftStore) areaFor(m *Manifest) (*area, error) {
	s.mu.Lock()
	a := s.area
	s.mu.Unlock()
	var err error
	if a == nil {
		if a, err = s.Store.leftArea(); err != nil {
			s.Logger.Warn("what was staged before is of no use; it is pulled again", "error", err)
			a = nil
		}
	}
	if a == nil {
		a, err = s.Store.newArea()
	} else if waste, useful := a.waste(m); waste > useful+maxWaste {
		a, err = s.moved(a, m)
	}
	if err != nil {
		a = nil
	}
	s.mu.Lock()
	s.area = a
	s.mu.Unlock()
	return a, err
}

// moved is a new area with what is useful of one that is given up.
func (s *RaftStore) moved(from *area, m *Manifest) (*area, error) {
	to, err := s.Store.newArea()
	if err != nil {
		return nil, errors.Join(err, from.discard())
	}
	if err := from.moveTo(to, m); err != nil {
		return nil, errors.Join(err, to.discard(), from.discard())
	}
	return to, from.discard()
}
