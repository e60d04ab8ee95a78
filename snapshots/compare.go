package snapshots

import (
	"github.com/ballastdb/ballast/fsm/page"
)

// compare finds out, page by page, what is here already, and collects what is not. In this order: the state in memory,
// which the next one shares the page with; the staging area; the newest snapshot. What memory alone has goes to the staging
// area too, since the snapshot must not depend on memory.
func (g *staging) compare() error {
	g.progress.Phase = PhaseComparing
	for _, t := range g.theirs.tables {
		if err := g.receiver.Reserve(t.id, int(t.record), t.first, t.count); err != nil {
			return err
		}
	}
	return g.theirs.each(func(i int, t *tableRef, id page.ID) error {
		if err := g.alive(); err != nil {
			return err
		}
		if err := g.comparePage(i, t, id); err != nil || g.area.unsavedPages() < saveEvery {
			return err
		}
		return g.save()
	})
}

func (g *staging) comparePage(i int, t *tableRef, id page.ID) error {
	ref := &g.theirs.pages[i]
	shared, damaged, err := g.receiver.Share(id, ref.index, ref.checksum, g.buf)
	if err != nil {
		return err
	}
	if damaged {
		g.store.Logger.Error("a page in memory is damaged; it is taken from elsewhere", "table", id.Table, "page", id.Number, "index", ref.index)
	}
	here, held, err := g.find(id, *ref, shared)
	switch {
	case err != nil:
		return err
	case !shared && !held:
		return g.want(i, t, id, damaged)
	case !shared:
		if err := g.receiver.Page(page.Page{ID: id, Index: ref.index, Data: g.buf}); err != nil {
			return err
		}
	case !held:
		if here, err = g.keep(page.Page{ID: id, Index: ref.index, Data: g.buf}, ref.checksum); err != nil {
			return err
		}
	}
	*ref = here
	g.progress.PagesDone++
	g.progress.PagesReused++
	return nil
}

// find looks for exactly this page on the disk, and where it lies. Unless it is shared it is read into buf.
func (g *staging) find(id page.ID, ref pageRef, shared bool) (pageRef, bool, error) {
	buf := g.buf
	if shared {
		buf = g.spare
	}
	if a, ok := g.area.pages[id]; ok && a.index == ref.index && a.checksum == ref.checksum {
		here, good, err := g.area.get(id, buf)
		if err != nil {
			return here, false, g.broken(err)
		}
		if good {
			here.pack, g.used = g.writer.place, true
			return here, true, nil
		}
	}
	if !g.writer.has(id, ref) {
		return ref, false, nil
	}
	base := g.writer.base
	at, _ := base.find(id)
	here := base.pages[at]
	if shared {
		return here, true, nil
	}
	if err := base.openPacks[here.pack].read(id, here, buf); err != nil {
		g.store.damaged(err)
		return ref, false, nil
	}
	return here, true, nil
}

// want notes that a page must be pulled, and which older version of it is here.
func (g *staging) want(i int, t *tableRef, id page.ID, damaged bool) error {
	p := pending{place: i, id: id, size: int(t.record)}
	index := g.theirs.pages[i].index
	if p.size > 0 && !damaged {
		if held := g.receiver.Held(id, g.buf); held < index {
			p.held = held
		}
		if a, ok := g.area.pages[id]; ok && a.index > p.held && a.index < index {
			p.held, p.area = a.index, true
		}
	}
	g.wants = append(g.wants, p)
	return nil
}

// keep writes a page to the staging area.
func (g *staging) keep(p page.Page, checksum uint64) (pageRef, error) {
	here, err := g.area.add(p, checksum)
	if err != nil {
		return here, g.broken(err)
	}
	here.pack, g.used = g.writer.place, true
	return here, nil
}

// save makes what the staging area holds durable, so that it need not all be written out at the end, and is not lost in between.
func (g *staging) save() error {
	if err := g.area.save(); err != nil {
		return g.broken(err)
	}
	return nil
}
