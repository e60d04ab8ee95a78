package main

import (
	"bufio"
	"context"
	"fmt"
	"iter"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/internal/reconcile"
	"github.com/ballastdb/ballast/internal/render"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

const reconcileHelp = `Compare the balances of a ledger, as they are at one point of the log, with those of another book: a CSV
file whose first line names its columns (- is standard input), or the rows of a PostgreSQL query. Every
account that differs is listed with the entries that explain it: those since the newest one after which our
balance was theirs, or, where there is none, its newest.

--at compares with our balances as they were right after an entry, --position has a query tell which: what
the other book does not have yet is then no difference.

Exit codes: 0 equal within the tolerance; 5 differences were found; 6 it could not be compared, for a reason
that the text names; 2 usage; 3 the cluster was unavailable.`

// reconciling is what the verb is asked with.
type reconciling struct {
	source    booksSource
	options   reconcile.Options
	tolerance string
	balance   string
	csv       reconcile.CSV
	postgres  reconcile.Postgres
}

func newReconcileCommand(a *app) *cobra.Command {
	var r reconciling
	cmd := &cobra.Command{
		Use:   "reconcile [FILE.csv]",
		Short: "Compare a ledger's balances with those of another book",
		Long:  reconcileHelp,
		Example: "  ballast reconcile bank.csv --ledger czk --account account_id --balance balance_printed --tolerance 0.30\n" +
			"  ballast reconcile --ledger usd --postgres 'host=/run/postgresql dbname=billing' --query 'select id, balance from accounts'",
		Args: args("[FILE.csv]"),
	}
	cmd.RunE = a.connected(func(ctx context.Context, c *client.Client, args []string) error {
		theirs, done, err := r.theirs(a, args)
		if err != nil {
			return err
		}
		defer done()
		report, err := a.reconcile(ctx, c, &r, theirs)
		if err != nil {
			return notCompared(err)
		}
		return a.tellReport(report)
	})
	flags := cmd.Flags()
	flags.StringVar(&r.options.Ledger, "ledger", "", "the `ledger` whose accounts are compared")
	flags.StringVar(&r.csv.Account, "account", "account", "`column` of the account")
	flags.StringVar(&r.csv.Balance, "balance", "balance", "`column` of the balance, a decimal")
	flags.StringVar(&r.postgres.Connect, "postgres", "", "`connection` string of a PostgreSQL database; passwords are better kept in PGPASSFILE")
	flags.StringVar(&r.postgres.Query, "query", "", "`SQL` that answers two columns, accounts and balances")
	flags.StringVar(&r.postgres.AsOf, "position", "", "`SQL` that answers the sequence number of the newest entry that those balances show")
	flags.Uint64Var(&r.options.Sequence, "at", 0, "compare with the balances right after this entry, a `sequence` number (default: now)")
	flags.StringVar(&r.balance, "of", string(reconcile.Posted), "which of our balances: posted, held or available")
	flags.StringVar(&r.tolerance, "tolerance", "0", "`amount` by which a balance may differ")
	flags.BoolVar(&r.options.Listed, "listed", false, "only accounts that the other book has")
	flags.BoolVar(&r.options.Zero, "missing-as-zero", false, "an account that one of both does not have counts as one with a balance of 0")
	flags.IntVar(&r.options.Limit, "limit", 1000, "at most this many differences are listed; all are counted")
	flags.IntVar(&r.options.Entries, "entries", 5, "at most this many entries of each difference; 0: none")
	flags.IntVar(&r.options.Depth, "depth", 1000, "search this many entries of each for the newest after which both agreed")
	r.source.addFlags(flags)
	return cmd
}

// theirs is the other book; done closes it.
func (r *reconciling) theirs(a *app, args []string) (book reconcile.Theirs, done func(), err error) {
	switch {
	case r.options.Ledger == "":
		return nil, nil, usagef("--ledger is missing: which ledger's accounts are compared? (see: ballast ledger list)")
	case r.options.Limit < 0 || r.options.Entries < 0 || r.options.Depth < 0:
		return nil, nil, usagef("--limit %d, --entries %d, --depth %d: they must be 0 or more", r.options.Limit, r.options.Entries, r.options.Depth)
	case (len(args) == 1) == (r.postgres.Connect != ""):
		return nil, nil, usagef("give a file or --postgres, one of both")
	case (r.postgres.Connect != "") != (r.postgres.Query != "") || r.postgres.AsOf != "" && r.postgres.Connect == "":
		return nil, nil, usagef("--postgres and --query belong together, and --position to both")
	case r.options.Sequence > 0 && r.postgres.AsOf != "":
		return nil, nil, usagef("--at and --position both say as of when: give one of them")
	}
	switch r.options.Balance = reconcile.Balance(r.balance); r.options.Balance {
	case reconcile.Posted, reconcile.Held, reconcile.Available:
	default:
		return nil, nil, usagef("--of %s: it must be posted, held or available", r.balance)
	}
	if r.postgres.Connect != "" {
		r.postgres.Timeout = a.timeout
		return &r.postgres, func() {}, nil
	}
	r.csv.AsOf = r.options.Sequence
	if args[0] == "-" {
		r.csv.In = a.in
		return &r.csv, func() {}, nil
	}
	file, err := os.Open(args[0])
	if err != nil {
		return nil, nil, codeError{code: exitNotCompared, err: err}
	}
	r.csv.In = bufio.NewReaderSize(file, 1<<16)
	return &r.csv, func() { _ = file.Close() }, nil // it was only read
}

func (a *app) reconcile(ctx context.Context, c *client.Client, r *reconciling, theirs reconcile.Theirs) (*reconcile.Report, error) {
	denominated, err := ofLedger(ctx, c, r.options.Ledger)
	if err != nil {
		return nil, err
	}
	r.options.Scale = denominated.scale
	if r.options.Tolerance, err = denominated.parse("--tolerance", r.tolerance); err != nil {
		return nil, err
	}
	if r.options.Tolerance < 0 {
		return nil, usagef("--tolerance %s: it must not be negative", r.tolerance)
	}
	return reconcile.Run(ctx, &ourBooks{a, c, r.source}, theirs, r.options)
}

// notCompared is the exit code of what kept both from being compared.
func notCompared(err error) error {
	if code := exitCode(err); code == exitUsage || code == exitUnavailable {
		return codeError{code: code, err: err}
	}
	return codeError{code: exitNotCompared, err: err}
}

// tellReport writes what was found and decides the exit code.
func (a *app) tellReport(report *reconcile.Report) error {
	view := report.View()
	if len(view.Differences) > 0 || a.format != render.Table {
		if err := a.write(differenceGrid(view), view); err != nil {
			return err
		}
	}
	if a.format == render.Table {
		tellEntries(a, view)
	}
	a.note("%s", summary(view))
	if view.Equal {
		return nil
	}
	return codeError{code: exitDiffers}
}

// summary says in a line what was compared and what came of it.
func summary(v *reconcile.View) string {
	text := fmt.Sprintf("%d accounts of %s compared as of entry %d (index %d): ", v.Compared, v.Ledger, v.Sequence, v.Index)
	if v.Equal {
		text += "all agree"
	} else {
		text += fmt.Sprintf("%d differ, by up to %s; %d agree", v.Differ, v.Largest, v.Agree)
	}
	if v.Tolerated > 0 {
		text += fmt.Sprintf(", %d of them within the tolerance", v.Tolerated)
	}
	if v.Untold > 0 {
		text += fmt.Sprintf("; %d more that differ are not listed (--limit)", v.Untold)
	}
	return text
}

func differenceGrid(v *reconcile.View) *render.Grid {
	g := &render.Grid{Columns: []render.Column{
		{Name: "account"},
		{Name: "kind"},
		{Name: "ours", Right: true},
		{Name: "theirs", Right: true},
		{Name: "difference", Right: true},
		{Name: "agreed_at", Right: true},
		{Name: "since", Right: true},
		{Name: "entries", Wide: true},
	}}
	for _, d := range v.Differences {
		agreed, entries := "", make([]string, len(d.Entries))
		if d.AgreedAt > 0 {
			agreed = strconv.FormatUint(d.AgreedAt, 10)
		}
		for i, e := range d.Entries {
			entries[i] = strconv.FormatUint(e.Sequence, 10)
		}
		g.Add(d.Account, string(d.Kind), d.Ours, d.Theirs, d.Difference, agreed, strconv.Itoa(d.Since), strings.Join(entries, " "))
	}
	return g
}

// tellEntries shows people the entries of each difference.
func tellEntries(a *app, v *reconcile.View) {
	for _, d := range v.Differences {
		if len(d.Entries) == 0 {
			continue
		}
		why := "its newest entries; none after which both agreed was found"
		if d.AgreedAt > 0 {
			why = fmt.Sprintf("%d entries since both agreed at entry %d", d.Since, d.AgreedAt)
		}
		fmt.Fprintf(a.out, "\n%s: %s\n", d.Account, why)
		g := &render.Grid{Columns: []render.Column{
			{Name: "sequence", Right: true},
			{Name: "log_time"},
			{Name: "kind"},
			{Name: "amount", Right: true},
			{Name: "posted", Right: true},
			{Name: "operation"},
			{Name: "reference"},
		}}
		for _, e := range d.Entries {
			g.Add(strconv.FormatUint(e.Sequence, 10), e.LogTime, e.Kind, e.Amount, e.Posted, e.Operation, e.Reference)
		}
		_ = render.Write(a.out, render.Table, g, nil) // the table before it was written
	}
}

// ourBooks is the cluster as the comparison sees it.
type ourBooks struct {
	a      *app
	c      *client.Client
	source booksSource
}

// Accounts is reconcile.Ours'.
func (b *ourBooks) Accounts(ctx context.Context, ledger string) (*ballastv1.BooksHead, iter.Seq2[*ballastv1.Account, error], error) {
	books, err := openBooks(ctx, b.a, b.c, b.source, func(ctx context.Context, r booksRequest) (*client.Books[*ballastv1.Account], error) {
		return b.c.ExportAccounts(ctx, r.endpoint, &ballastv1.ExportAccountsRequest{LeastIndex: r.least, FromLeader: r.fromLeader, Ledger: ledger})
	})
	if err != nil {
		return nil, nil, err
	}
	return books.Head, books.Rows(), nil
}

// Entries is reconcile.Ours'.
func (b *ourBooks) Entries(ctx context.Context, ledger string, after, until uint64) iter.Seq2[*ballastv1.Entry, error] {
	return func(yield func(*ballastv1.Entry, error) bool) {
		books, err := openBooks(ctx, b.a, b.c, b.source, func(ctx context.Context, r booksRequest) (*client.Books[*ballastv1.Entry], error) {
			return b.c.ExportEntries(ctx, r.endpoint, &ballastv1.ExportEntriesRequest{
				LeastIndex: r.least, FromLeader: r.fromLeader, Ledger: ledger, AfterSequence: after, UntilSequence: until,
			})
		})
		if err == nil && books.Head.GetSequence() < until {
			books.Close()
			err = fmt.Errorf("%s has entries up to %d, expected %d: run it again, or without --stale", books.Head.GetMember(), books.Head.GetSequence(), until)
		}
		if err != nil {
			yield(nil, err)
			return
		}
		for entry, err := range books.Rows() {
			if !yield(entry, err) || err != nil {
				return
			}
		}
	}
}

// Statement is reconcile.Ours'.
func (b *ourBooks) Statement(ctx context.Context, account string, before uint64) iter.Seq2[*ballastv1.Entry, error] {
	options := []client.ReadOption{client.WithPageSize(100)}
	if b.source.stale {
		options = append(options, client.Stale())
	}
	return b.c.Statement(ctx, account, before, options...)
}
