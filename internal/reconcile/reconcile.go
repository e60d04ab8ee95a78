// Package reconcile compares the balances of a ledger with those of another book, a CSV file or a query's rows, at one point of the
// log, and says which entries explain each difference.
//
//	theirs, read whole ──┐
//	entries since the point ── ours now, taken back to the point ── differences ── entries of each account that differs
//
// The other book's rows are kept in memory, about 100 bytes and the account's id each; ours pass by one at a time.
package reconcile

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/ballastdb/ballast/client/amount"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// Row is a balance that the other book has.
type Row struct {
	Account, Balance string
	// Place says where it was read, such as "line 7".
	Place string
}

// Theirs is the other book.
type Theirs interface {
	// Rows yields all its rows, in any order, and ends after the first error.
	Rows(ctx context.Context) iter.Seq2[Row, error]
	// Sequence is the sequence number of our newest entry that its rows show; 0: it does not say. Ask it after Rows.
	Sequence() uint64
}

// Ours is the cluster.
type Ours interface {
	// Accounts yields all accounts of a ledger as they are at one index, which the head says.
	Accounts(ctx context.Context, ledger string) (*ballastv1.BooksHead, iter.Seq2[*ballastv1.Account, error], error)
	// Entries yields a ledger's entries above one sequence number and up to another.
	Entries(ctx context.Context, ledger string, after, until uint64) iter.Seq2[*ballastv1.Entry, error]
	// Statement yields an account's entries below a sequence number, newest first.
	Statement(ctx context.Context, account string, before uint64) iter.Seq2[*ballastv1.Entry, error]
}

// Balance is which of an account's amounts is compared.
type Balance string

// Balances.
const (
	Posted    Balance = "posted"
	Held      Balance = "held"
	Available Balance = "available"
)

// Options of a run.
type Options struct {
	// Ledger and Scale of its amounts.
	Ledger string
	Scale  uint32
	// Balance that is compared; empty: Posted.
	Balance Balance
	// Sequence: compare as of this entry; 0: as the other book says, else now. Posted balances only.
	Sequence uint64
	// Tolerance is by how much balances may differ, minor units.
	Tolerance int64
	// Listed: accounts that the other book does not have are not compared.
	Listed bool
	// Zero: an account that one of both does not have counts as one with a balance of 0.
	Zero bool
	// Limit is how many differences are told, Entries how many entries of each, Depth how many entries are searched for the last
	// one at which both agreed.
	Limit, Entries, Depth int
}

// ErrTheirs: the other book cannot be read, or not compared.
var ErrTheirs = errors.New("the other book")

// Run compares. What it did not find equal is in the report; an error says that it could not compare.
func Run(ctx context.Context, ours Ours, theirs Theirs, o Options) (*Report, error) {
	c := &comparison{options: o, report: &Report{Ledger: o.Ledger, scale: o.Scale}}
	if c.options.Balance == "" {
		c.options.Balance = Posted
	}
	if err := c.read(ctx, theirs); err != nil {
		return nil, err
	}
	if c.options.Sequence == 0 {
		c.options.Sequence = theirs.Sequence()
	}
	if c.options.Sequence > 0 && c.options.Balance != Posted {
		return nil, fmt.Errorf("%w: %s balances of the past are not known: compare posted ones, or compare now", ErrTheirs, c.options.Balance)
	}
	if err := c.compare(ctx, ours); err != nil {
		return nil, err
	}
	return c.report, c.explain(ctx, ours)
}

// comparison is one run.
type comparison struct {
	options Options
	theirs  map[string]int64
	// past are the balances at the sequence number that is compared, of accounts that had entries since.
	past   map[string]balance
	head   *ballastv1.BooksHead
	report *Report
}

// balance is one that an account had, or that it was not there.
type balance struct {
	units  int64
	absent bool
}

// read takes in the other book.
func (c *comparison) read(ctx context.Context, theirs Theirs) error {
	c.theirs = map[string]int64{}
	for row, err := range theirs.Rows(ctx) {
		if err != nil {
			return fmt.Errorf("%w: %w", ErrTheirs, err)
		}
		units, err := amount.Parse(row.Balance, c.options.Scale)
		switch {
		case row.Account == "":
			return fmt.Errorf("%w: %s: there is no account", ErrTheirs, row.Place)
		case errors.Is(err, amount.ErrTooManyDecimals):
			return fmt.Errorf("%w: %s: account %q: the balance %s has more decimals than ledger %q, which counts in steps of %s",
				ErrTheirs, row.Place, row.Account, row.Balance, c.options.Ledger, amount.Format(1, c.options.Scale))
		case err != nil:
			return fmt.Errorf("%w: %s: account %q: the balance: %w", ErrTheirs, row.Place, row.Account, err)
		}
		if _, twice := c.theirs[row.Account]; twice {
			return fmt.Errorf("%w: %s: account %q comes twice", ErrTheirs, row.Place, row.Account)
		}
		c.theirs[row.Account] = units
	}
	return nil
}

// compare goes through our accounts.
func (c *comparison) compare(ctx context.Context, ours Ours) error {
	sequence := c.options.Sequence
	c.past = map[string]balance{}
	behind := sequence
	if sequence > 0 { // most of what came since, before the accounts are pinned, which costs a member memory
		if err := c.takeBack(ctx, ours, &behind, 0); err != nil {
			return err
		}
	}
	head, accounts, err := ours.Accounts(ctx, c.options.Ledger)
	if err != nil {
		return err
	}
	c.head = head
	if sequence > head.GetSequence() {
		return fmt.Errorf("%w: it shows entry %d, and the newest one is %d: is it of another cluster?", ErrTheirs, sequence, head.GetSequence())
	}
	if sequence > 0 && behind < head.GetSequence() {
		if err := c.takeBack(ctx, ours, &behind, head.GetSequence()); err != nil {
			return err
		}
	}
	if sequence == 0 {
		sequence = head.GetSequence()
	}
	c.report.Index, c.report.Sequence, c.report.LogTime = head.GetIndex(), sequence, head.GetLogTime()
	for a, err := range accounts {
		if err != nil {
			return err
		}
		c.account(a)
	}
	c.unknown()
	return nil
}

// takeBack finds, from the entries behind one, what balances were before: the first entry of an account since says so.
func (c *comparison) takeBack(ctx context.Context, ours Ours, behind *uint64, until uint64) error {
	for e, err := range ours.Entries(ctx, c.options.Ledger, *behind, until) {
		if err != nil {
			return err
		}
		*behind = e.GetSequence()
		for account, before := range before(e) {
			if _, known := c.past[account]; !known {
				c.past[account] = before
			}
		}
	}
	return nil
}

// before yields the balances of an entry's accounts right before it.
func before(e *ballastv1.Entry) iter.Seq2[string, balance] {
	return func(yield func(string, balance) bool) {
		opened := e.GetKind() == ballastv1.EntryKind_ENTRY_KIND_ACCOUNT_CREATED // which has no balance before it
		if a := e.GetDebitAccount(); a != "" && !yield(a, balance{units: e.GetDebitPosted() + moved(e)}) {
			return
		}
		if a := e.GetCreditAccount(); a != "" {
			yield(a, balance{units: e.GetCreditPosted() - moved(e), absent: opened})
		}
	}
}

// account compares one of ours.
func (c *comparison) account(a *ballastv1.Account) {
	mine := balance{units: c.amountOf(a)}
	if past, changed := c.past[a.GetId()]; changed {
		mine = past
	}
	their, listed := c.theirs[a.GetId()]
	delete(c.theirs, a.GetId())
	theirs := balance{units: their, absent: !listed}
	if !listed && c.options.Listed || mine.absent && theirs.absent {
		return
	}
	c.judge(a.GetId(), mine, theirs)
}

func (c *comparison) amountOf(a *ballastv1.Account) int64 {
	switch c.options.Balance {
	case Held:
		return a.GetHeld()
	case Available:
		return a.GetAvailable()
	}
	return a.GetPosted()
}

// unknown goes through what is left of theirs: accounts that we do not have.
func (c *comparison) unknown() {
	left := make([]string, 0, len(c.theirs))
	for account := range c.theirs {
		left = append(left, account)
	}
	slices.Sort(left)
	for _, account := range left {
		c.judge(account, balance{absent: true}, balance{units: c.theirs[account]})
	}
}

// judge notes one account that both or one of both have.
func (c *comparison) judge(account string, ours, theirs balance) {
	r := c.report
	r.Compared++
	d := Difference{Account: account, ours: ours, theirs: theirs, distance: distance(ours.units, theirs.units)}
	switch within := d.distance <= uint64(c.options.Tolerance); {
	case (ours.absent || theirs.absent) && !(c.options.Zero && within):
		d.Kind = MissingThere
		if ours.absent {
			d.Kind = UnknownHere
		}
	case !within:
		d.Kind = Differs
	default:
		if d.distance > 0 {
			r.Tolerated++
		}
		r.Agree++
		return
	}
	r.Differ++
	r.largest = max(r.largest, d.distance)
	if len(r.Differences) < c.options.Limit {
		r.Differences = append(r.Differences, d)
	}
}

// distance is how far two amounts are apart, which may not fit an int64.
func distance(a, b int64) uint64 {
	if a < b {
		a, b = b, a
	}
	return uint64(a) - uint64(b)
}
