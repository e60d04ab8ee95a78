package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/internal/exporter"
	"github.com/ballastdb/ballast/internal/render"
	"github.com/ballastdb/ballast/internal/timetext"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

const exportHelp = `All rows are as they are at one point of the log, which the last line says: it is there only where all
rows are. Amounts are decimals of their ledger, exactly. FILE appears when all of it is there; what is
there already stays, unless --force. - is standard output: without the last line, or with an exit code
other than 0, it is of no use. A follower is asked, so that callers do not feel it, and memory does not
grow with the number of rows. --timeout bounds how long a member is looked for, not the export.`

// exporting is what both exports are asked with.
type exporting struct {
	source booksSource
	format string
	ledger string
	force  bool
	bare   bool
}

func (e *exporting) addFlags(flags *pflag.FlagSet) {
	e.source.addFlags(flags)
	flags.StringVar(&e.format, "format", "", "csv or ndjson (default: by the name of FILE, else csv)")
	flags.StringVar(&e.ledger, "ledger", "", "only of this `ledger`")
	flags.BoolVar(&e.force, "force", false, "replace FILE where it exists")
	flags.BoolVar(&e.bare, "bare", false, "rows alone, without the last line; not for standard output")
}

// chosen is the format that is asked for.
func (e *exporting) chosen(file string) (exporter.Format, error) {
	if e.bare && file == "-" {
		return "", usagef("--bare: standard output needs its last line, which tells that all of it is there: name a file")
	}
	if e.format == "" {
		switch filepath.Ext(file) {
		case ".ndjson", ".jsonl", ".json":
			return exporter.NDJSON, nil
		}
		return exporter.CSV, nil
	}
	format, err := exporter.ParseFormat(e.format)
	if err != nil {
		return "", usagef("--format: %v", err)
	}
	return format, nil
}

func newExportAccountsCommand(a *app) *cobra.Command {
	var e exporting
	var system bool
	cmd := &cobra.Command{
		Use:     "accounts FILE",
		Short:   "Write all accounts and their balances",
		Long:    "Write all accounts with their balances, in order of opening.\n\n" + exportHelp,
		Example: "  ballast export accounts balances.csv --ledger usd\n  ballast export accounts - --format ndjson | gzip > balances.ndjson.gz",
		Args:    args("FILE"),
	}
	cmd.RunE = a.connected(func(ctx context.Context, c *client.Client, args []string) error {
		return export(ctx, a, c, &e, "accounts", args[0], exporter.Accounts, func(ctx context.Context, r booksRequest) (*client.Books[*ballastv1.Account], error) {
			return c.ExportAccounts(ctx, r.endpoint, &ballastv1.ExportAccountsRequest{
				LeastIndex: r.least, FromLeader: r.fromLeader, Ledger: e.ledger, IncludeSystem: system,
			})
		})
	})
	e.addFlags(cmd.Flags())
	cmd.Flags().BoolVar(&system, "system", false, "also the ledgers' own accounts, where credits come from and debits go")
	return cmd
}

func newExportEntriesCommand(a *app) *cobra.Command {
	var e exporting
	var after, until uint64
	cmd := &cobra.Command{
		Use:     "entries FILE",
		Short:   "Write all entries",
		Long:    "Write all entries, in order of their sequence numbers.\n\n" + exportHelp,
		Example: "  ballast export entries entries.csv\n  ballast export entries new.ndjson --after 24316 --ledger usd",
		Args:    args("FILE"),
	}
	cmd.RunE = a.connected(func(ctx context.Context, c *client.Client, args []string) error {
		if until > 0 && until <= after {
			return usagef("--until %d: it must be above --after %d", until, after)
		}
		return export(ctx, a, c, &e, "entries", args[0], exporter.Entries, func(ctx context.Context, r booksRequest) (*client.Books[*ballastv1.Entry], error) {
			return c.ExportEntries(ctx, r.endpoint, &ballastv1.ExportEntriesRequest{
				LeastIndex: r.least, FromLeader: r.fromLeader, Ledger: e.ledger, AfterSequence: after, UntilSequence: until,
			})
		})
	})
	e.addFlags(cmd.Flags())
	cmd.Flags().Uint64Var(&after, "after", 0, "only entries with a `sequence` number above this")
	cmd.Flags().Uint64Var(&until, "until", 0, "only entries with a `sequence` number up to this (default: the newest)")
	return cmd
}

// export takes books from a member and writes them into a file.
func export[T any](
	ctx context.Context, a *app, c *client.Client, e *exporting, what, file string,
	writer func(io.Writer, exporter.Format) (*exporter.Writer[T], error),
	open func(context.Context, booksRequest) (*client.Books[T], error),
) error {
	format, err := e.chosen(file)
	if err != nil {
		return err
	}
	to, err := a.wholeTarget(file, e.force)
	if err != nil {
		return err
	}
	books, err := openBooks(ctx, a, c, e.source, open)
	if err != nil {
		return errors.Join(err, to.drop())
	}
	defer books.Close()
	w, err := writer(to.out, format)
	if err == nil {
		err = copyRows(a, books, w)
	}
	if err == nil {
		err = w.End(what, books.Head, e.bare)
	}
	if err != nil {
		return errors.Join(err, to.drop())
	}
	if err := to.keep(e.force); err != nil {
		return err
	}
	view := &exportView{
		File: file, Export: what, Rows: w.Rows(), Index: books.Head.GetIndex(), Sequence: books.Head.GetSequence(),
		LogTime: timetext.Format(books.Head.GetLogTime()), Cluster: books.Head.GetClusterId(), Member: books.Head.GetMember(),
	}
	if file == "-" { // standard output is the export's
		a.note("%d %s at index %d, from %s", view.Rows, what, view.Index, view.Member)
		return nil
	}
	return a.write(view.grid(), view)
}

// copyRows writes all rows that come.
func copyRows[T any](a *app, books *client.Books[T], w *exporter.Writer[T]) error {
	tick := a.newTicker()
	for row, err := range books.Rows() {
		if err != nil {
			return brokeOff(err, w.Rows())
		}
		if err := w.Write(row); err != nil {
			return err
		}
		tick.at(w.Rows(), books.Head.GetExpectedRows())
	}
	return nil
}

// exportView is an export that was written, in JSON.
type exportView struct {
	File     string `json:"file"`
	Export   string `json:"export"`
	Rows     uint64 `json:"rows"`
	Index    uint64 `json:"index"`
	Sequence uint64 `json:"sequence"`
	LogTime  string `json:"log_time"`
	Cluster  string `json:"cluster"`
	Member   string `json:"member"`
}

func (v *exportView) grid() *render.Grid {
	g := &render.Grid{Columns: []render.Column{
		{Name: "file"}, {Name: "rows", Right: true}, {Name: "index", Right: true}, {Name: "sequence", Right: true}, {Name: "log_time"}, {Name: "member"}, {Name: "cluster", Wide: true},
	}}
	g.Add(v.File, fmt.Sprint(v.Rows), fmt.Sprint(v.Index), fmt.Sprint(v.Sequence), v.LogTime, v.Member, v.Cluster)
	return g
}
