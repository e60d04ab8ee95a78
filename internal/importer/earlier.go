package importer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// statementReaders is how many accounts' statements are read at a time.
const statementReaders = 8

// noteEarlier finds the rows that an import with another stamp applied, and sees to it that there is a state file.
//
// The store recognises a row by its operation id only as long as it remembers the id. Once the state file is gone a new
// stamp makes old rows look new, and after the id window nothing would keep them from taking effect again. So a run that
// has to make a stamp first walks the statements of the file's accounts; rows whose ids stand there are never sent. The
// state file keeps up to which entry that was looked at: a run that goes on with it must leave out the same rows.
func (r *run) noteEarlier(ctx context.Context) error {
	known, err := readState(r.StateFile, r.plan.sum)
	missing := errors.Is(err, os.ErrNotExist)
	if err != nil && !missing {
		return err
	}
	look := earlier{run: r, before: known.earlier, lines: make(map[int]struct{})}
	if missing {
		for _, a := range r.plan.accounts {
			look.before = max(look.before, a.lastSequence)
		}
	}
	if look.before > 0 {
		if err := look.walkAll(ctx); err != nil {
			return err
		}
	}
	r.plan.ids.lines = nil // no longer needed; a large part of what a run holds
	r.plan.earlier = look.lines
	if n := len(look.lines); n > 0 {
		r.Progress.Note(fmt.Sprintf("%d rows took effect in an earlier import whose state file is missing (%s was not there): "+
			"they are not sent again and count as refused, conflict", n, r.StateFile))
	}
	if !missing {
		r.issuedAt = known.issuedAt
		if known.fileChanged {
			r.Progress.Note(r.File + " has changed since its first import; rows imported then are recognised by their ids")
		}
		return nil
	}
	if len(look.lines) == 0 {
		look.before = 0 // nothing to look for again
	}
	if r.issuedAt, err = r.stamp(ctx); err != nil {
		return err
	}
	return makeState(r.StateFile, r.plan.sum, r.issuedAt, look.before)
}

// earlier looks for the file's rows among entries that are there already. It holds one page for each reader, and the
// lines that it found.
type earlier struct {
	*run
	before uint64 // the newest entry to look at

	found sync.Mutex // guards what follows
	lines map[int]struct{}
	seen  int // accounts
	told  time.Time
}

func (e *earlier) walkAll(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(statementReaders)
	e.told = e.Clock()
	for _, id := range e.plan.order {
		a := e.plan.accounts[id]
		if !a.exists || a.problem != "" {
			continue
		}
		if ctx.Err() != nil {
			break
		}
		group.Go(func() error { return e.walk(ctx, id) })
	}
	return group.Wait()
}

// walk goes back through one account's statement, a page at a time.
func (e *earlier) walk(ctx context.Context, account string) error {
	for before := e.before + 1; ; {
		var entries []*ballastv1.Entry
		var next uint64
		err := e.persist(ctx, func(ctx context.Context) (err error) {
			entries, next, err = e.store.Statement(ctx, account, before)
			return err
		})
		if err != nil {
			return fmt.Errorf("look for rows of an earlier import in the statement of account %q: %w", account, err)
		}
		if next >= before {
			return fmt.Errorf("the statement of account %q goes on at entry %d after one before entry %d", account, next, before)
		}
		before = next
		e.note(entries, before == 0)
		if before == 0 {
			return nil
		}
	}
}

// note picks the rows of the file out of a page, and tells from time to time how far the search is.
func (e *earlier) note(entries []*ballastv1.Entry, last bool) {
	e.found.Lock()
	defer e.found.Unlock()
	for _, entry := range entries {
		if line, of := e.plan.ids.find(entry.GetOperationId()); of {
			e.lines[line] = struct{}{}
		}
	}
	if last {
		e.seen++
	}
	if now := e.Clock(); now.Sub(e.told) >= noteEvery {
		e.told = now
		e.Progress.Note(fmt.Sprintf("looking for rows of an earlier import: %d of %d accounts", e.seen, len(e.plan.order)))
	}
}
