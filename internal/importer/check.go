package importer

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"slices"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"

	"github.com/ballastdb/ballast/client/amount"
)

// maxListed bounds the rows that a report or an error names one by one.
const maxListed = 1000

// BadRow is a row that was not sent.
type BadRow struct {
	// Line of the file, from 1 for the header.
	Line int `json:"line"`
	// Reason why it cannot be imported.
	Reason string `json:"reason"`
}

// plan is what the check found in the file.
type plan struct {
	rows     int64 // good ones
	sum      [sha256.Size]byte
	content  *blocks
	accounts map[string]*account
	order    []string // accounts as they first appear

	ids     idLines          // until earlier is known
	earlier map[int]struct{} // lines of rows that an import with another stamp applied

	bad      []BadRow // the first maxListed
	badCount int
	// reasons is how many different things are wrong: a bad row each, but all rows of an unusable account are one.
	reasons int
	// unusable accounts: missing ones, and those of another ledger.
	unusable int
	badLines map[int]struct{}
}

// account is one that the file names.
type account struct {
	exists       bool
	rows         int64  // good ones of the file
	lastSequence uint64 // its newest entry before this run
	problem      string // why rows of it cannot be imported
	named        bool   // problem has been told
}

func (p *plan) addBad(line int, reason string) {
	if _, known := p.badLines[line]; known {
		return
	}
	p.markBad(line)
	p.reasons++
	if len(p.bad) < maxListed {
		p.bad = append(p.bad, BadRow{Line: line, Reason: reason})
	}
}

// markBad leaves a row out that is bad for a reason which another row named.
func (p *plan) markBad(line int) {
	p.badLines[line] = struct{}{}
	p.badCount++
}

// check reads the whole file.
func (r *run) check() (*plan, error) {
	content := newBlocks()
	reader, err := newRowReader(io.TeeReader(r.file, content), r.Columns, r.IDPrefix, r.scale)
	if err != nil {
		return nil, err
	}
	p := &plan{accounts: make(map[string]*account), badLines: make(map[int]struct{})}
	p.ids = idLines{seed: maphash.MakeSeed(), lines: make(map[[2]uint64]int)}
	for {
		var next row
		err := reader.next(&next)
		var bad *badRow
		switch {
		case errors.Is(err, io.EOF):
			p.sum, p.content = content.finish(), content
			return p, nil
		case errors.As(err, &bad):
			p.addBad(bad.line, bad.reason)
			continue
		case err != nil:
			return nil, fmt.Errorf("read %s: %w", r.File, err)
		}
		if first, seen := p.ids.add(next.id, next.line); seen {
			p.addBad(next.line, fmt.Sprintf("id %q: line %d has it too", next.id, first))
			continue
		}
		p.add(&next)
	}
}

func (p *plan) add(next *row) {
	p.rows++
	if p.accounts[next.account] == nil {
		p.accounts[next.account] = &account{}
		p.order = append(p.order, next.account)
	}
	p.accounts[next.account].rows++
}

// sortBad puts rows that were found bad in more than one pass into the file's order.
func (p *plan) sortBad() {
	slices.SortFunc(p.bad, func(a, b BadRow) int { return a.Line - b.Line })
}

// idLines remembers the line of each id, by 128 bits of a seeded hash: 24 bytes a row, whatever the ids' length.
type idLines struct {
	seed  maphash.Seed
	lines map[[2]uint64]int
}

func (x *idLines) add(id string, line int) (first int, seen bool) {
	key := x.key(id)
	if first, seen = x.lines[key]; !seen {
		x.lines[key] = line
	}
	return first, seen
}

// find is the line that has this id.
func (x *idLines) find(id string) (line int, found bool) {
	line, found = x.lines[x.key(id)]
	return line, found
}

func (x *idLines) key(id string) [2]uint64 {
	return [2]uint64{maphash.String(x.seed, id), maphash.String(x.seed, "\x00"+id)}
}

// findLedger reads the ledger's scale and what depends on it.
func (r *run) findLedger(ctx context.Context) error {
	var ledgers []*ballastv1.Ledger
	err := r.persist(ctx, func(ctx context.Context) (err error) {
		ledgers, err = r.store.Ledgers(ctx)
		return err
	})
	if err != nil {
		return err
	}
	i := slices.IndexFunc(ledgers, func(l *ballastv1.Ledger) bool { return l.GetName() == r.Ledger })
	if i < 0 {
		return fmt.Errorf("there is no ledger %q; make it with: ballast ledger create %s --asset ASSET --scale N", r.Ledger, r.Ledger)
	}
	r.scale, r.asset = ledgers[i].GetScale(), ledgers[i].GetAsset()
	if r.floor, err = optionalAmount(r.Floor, r.scale); err != nil || r.floor > 0 {
		return &UsageError{Problem: fmt.Sprintf("--floor %s: it must be a decimal of at most %d places, 0 or below", r.Floor, r.scale)}
	}
	if r.tolerance, err = optionalAmount(r.Tolerance, r.scale); err != nil || r.tolerance < 0 {
		return &UsageError{Problem: fmt.Sprintf("--tolerance %s: it must be a decimal of at most %d places, 0 or above", r.Tolerance, r.scale)}
	}
	return nil
}

func optionalAmount(text string, scale uint32) (int64, error) {
	if text == "" {
		return 0, nil
	}
	return amount.Parse(text, scale)
}
