// Package importer loads a CSV file of credits and debits into a ledger: every row at most once, in the file's order
// within an account, over any number of runs.
//
// A run has four steps. Nothing changes in the store before the third.
//
//  1. Check: the whole file is read; a malformed row stops the import (or is skipped, on request).
//  2. State: the stamp that all operations of the file carry is read from the state file, or made and fsynced there.
//     Where it is made, rows that an earlier import applied are looked for first, in the accounts' statements.
//  3. Accounts: unknown ones are created, on request.
//  4. Rows: read again and sent. An account belongs to one lane, a lane has one batch in flight, so order within an
//     account is kept while many accounts move. A batch whose outcome is not known is sent again as it was.
//
// A crash at any point is mended by running again: ids and stamp are the same, so what took effect is recognised.
package importer

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// Store is what an import needs of the client library. Calls are bounded by their context.
type Store interface {
	// Submit applies operations in order and answers each.
	Submit(ctx context.Context, ops ...*ballastv1.Operation) ([]*ballastv1.Result, error)
	// Accounts reads up to 1,000 accounts, linearizable; ids that no account has are left out. logTime is that of the
	// state that was read, Unix nanoseconds.
	Accounts(ctx context.Context, ids []string) (found []*ballastv1.Account, logTime int64, err error)
	// Statement reads a page of an account's entries, newest first, with sequence numbers below before. next is the
	// before of the page that follows; 0: there is none.
	Statement(ctx context.Context, account string, before uint64) (entries []*ballastv1.Entry, next uint64, err error)
	// Ledgers reads all ledgers.
	Ledgers(ctx context.Context) ([]*ballastv1.Ledger, error)
	// Now is this machine's time, corrected by what the answers to Submit told of the cluster's.
	Now() time.Time
}

// Failure says what a failed call of Store means for the import.
type Failure int

// Failures.
const (
	// Permanent: the same call cannot succeed.
	Permanent Failure = iota
	// Unavailable: nothing was done, try again.
	Unavailable
	// Unknown: the operations may have taken effect; try again with the same ids.
	Unknown
)

// Columns names the columns of the file.
type Columns struct {
	// ID, Account, Kind and Amount are required.
	ID, Account, Kind, Amount string
	// Time is the entry's event time, Expect the account's balance after the row. Empty: not read.
	Time, Expect string
}

// Options of an import.
type Options struct {
	// File is the CSV file; it must be a regular file, because it is read twice.
	File string
	// StateFile keeps the stamp of the file's operations. Empty: File + ".import".
	StateFile string
	Columns   Columns
	// Ledger that all accounts of the file belong to.
	Ledger string
	// IDPrefix is put before each row's id to make the operation's id.
	IDPrefix string
	// Attempt of all operations, from 1; 0 is read as 1.
	Attempt uint32
	// CreateAccounts opens accounts that do not exist, with the floor Floor (a decimal, at most 0; empty: 0).
	CreateAccounts bool
	Floor          string
	// Tolerance by which a balance may differ from the expected one, a decimal; empty: 0.
	Tolerance string
	// SkipBad leaves malformed rows out instead of stopping at them.
	SkipBad bool
	// Rate limits rows a second; 0: no limit.
	Rate float64
	// Patience is how long unavailability is waited out without any progress.
	Patience time.Duration
	// CallTimeout bounds one call; 0: 5 s, and never more than Patience.
	CallTimeout time.Duration
	// Classify tells what an error of Store means.
	Classify func(error) Failure
	// Describe puts an error of Store into words for people; nil: its own text.
	Describe func(error) string
	Progress Progress
	// Clock measures waits; nil: time.Now.
	Clock func() time.Time

	firstPause time.Duration // between two tries of a call; doubled up to maxPause
}

const (
	lanes     = 32
	batchRows = 256 // rows of one Submit, at most
	laneQueue = 512 // rows that wait for a lane, at most
)

// UsageError says that the options or the file's header do not fit: nothing was sent.
type UsageError struct{ Problem string }

// Error is the problem.
func (e *UsageError) Error() string { return e.Problem }

// BadRowsError says that rows of the file cannot be imported: nothing was sent.
type BadRowsError struct {
	// Rows are the first of them, at most maxListed, and of an account that cannot be used its first one alone; Count is
	// how many there are.
	Rows  []BadRow
	Count int
	// Reasons is how long Rows would be without a bound.
	Reasons int
	// Accounts is how many accounts cannot be used, because they do not exist or belong to another ledger.
	Accounts int
}

// Error names the first rows by line and reason.
func (e *BadRowsError) Error() string {
	accounts := ""
	if e.Accounts > 0 {
		accounts = fmt.Sprintf(", also for %d accounts that cannot be used", e.Accounts)
	}
	text := fmt.Sprintf("%d of the file's rows cannot be imported%s; nothing was sent (--skip-bad leaves them out):", e.Count, accounts)
	for i, row := range e.Rows {
		if i == 20 {
			return text + fmt.Sprintf("\n  and %d more", e.Reasons-i)
		}
		text += fmt.Sprintf("\n  line %d: %s", row.Line, row.Reason)
	}
	return text
}

// GaveUpError says that the store stayed unavailable for longer than the import was asked to wait.
type GaveUpError struct {
	// Waited is how long there was no progress.
	Waited time.Duration
	// Unknown: at least one operation was sent whose outcome is not known.
	Unknown bool
	// Last error of the store.
	Last error
}

// Error says what to do.
func (e *GaveUpError) Error() string {
	return fmt.Sprintf("no progress for %s: %v; run the same command again to go on, no row is applied twice",
		e.Waited.Round(100*time.Millisecond), e.Last)
}

// Unwrap is the store's last error.
func (e *GaveUpError) Unwrap() error { return e.Last }

// Run imports a file. The report is there whenever something may have been sent, also beside an error, and beside a
// *BadRowsError; refused and differing rows are no error. Errors: *UsageError, *BadRowsError, *GaveUpError, the context's, the file system's and
// those that Options.Classify calls permanent.
func Run(ctx context.Context, store Store, options Options) (*Report, error) {
	o, err := options.withDefaults()
	if err != nil {
		return nil, err
	}
	file, err := os.Open(o.File)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, &UsageError{Problem: o.File + " is not a regular file; the import reads it twice"}
	}
	r := &run{Options: o, store: store, file: file, lastProgress: o.Clock()}
	defer r.Progress.Done()
	if err := r.prepare(ctx); err != nil {
		return r.report, err
	}
	started := o.Clock()
	err = r.createAccounts(ctx)
	if err == nil {
		err = r.send(ctx)
	}
	r.report.finish(o.Clock().Sub(started))
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("stopped (%w); run the same command again to go on, no row is applied twice", ctx.Err())
	}
	return r.report, err
}

func (o Options) withDefaults() (Options, error) {
	if o.StateFile == "" {
		o.StateFile = o.File + ".import"
	}
	if o.Attempt == 0 {
		o.Attempt = 1
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Describe == nil {
		o.Describe = error.Error
	}
	if o.firstPause == 0 {
		o.firstPause = firstPause
	}
	if o.Progress == nil {
		o.Progress = silent{}
	}
	if o.Rate < 0 || o.Rate > 1e9 {
		return o, &UsageError{Problem: fmt.Sprintf("rate %g: it must lie between 0 (no limit) and 1e9 rows a second", o.Rate)}
	}
	if o.Patience <= 0 {
		return o, &UsageError{Problem: fmt.Sprintf("timeout %s: it must be positive", o.Patience)}
	}
	if o.CallTimeout <= 0 {
		o.CallTimeout = 5 * time.Second
	}
	o.CallTimeout = min(o.CallTimeout, o.Patience)
	for _, c := range []struct{ flag, name string }{
		{"id", o.Columns.ID}, {"account", o.Columns.Account}, {"kind", o.Columns.Kind}, {"amount", o.Columns.Amount},
	} {
		if c.name == "" {
			return o, &UsageError{Problem: "the column for --" + c.flag + " is not given"}
		}
	}
	return o, nil
}

// run is one import under way.
type run struct {
	Options
	store Store
	file  *os.File

	scale            uint32
	asset            string
	logTime          int64 // of the newest state that was read; 0: none
	floor, tolerance int64
	issuedAt         int64
	plan             *plan
	report           *Report

	mu           sync.Mutex // guards report's counts and what follows
	lastProgress time.Time
	lastNote     time.Time
	waiting      bool
}

// prepare does everything that changes nothing in the store.
func (r *run) prepare(ctx context.Context) error {
	if err := r.findLedger(ctx); err != nil {
		return err
	}
	var err error
	if r.plan, err = r.check(); err != nil {
		return err
	}
	if err := r.readAccounts(ctx); err != nil {
		return err
	}
	if r.plan.badCount > 0 && !r.SkipBad {
		r.report = newReport(r)
		r.report.finish(0)
		return &BadRowsError{Rows: r.plan.bad, Count: r.plan.badCount, Reasons: r.plan.reasons, Accounts: r.plan.unusable}
	}
	if err := r.noteEarlier(ctx); err != nil {
		return err
	}
	r.report = newReport(r)
	return nil
}
