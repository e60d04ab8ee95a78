package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/internal/durable"
	"github.com/ballastdb/ballast/internal/importer"
	"github.com/ballastdb/ballast/internal/render"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// importTimeout is the default for an import, where --timeout is how long nothing may move: a leader's election at full
// load, or a member's restart, must fit well within.
const importTimeout = 30 * time.Second

const importHelp = `Import the rows of a CSV file, each a credit or a debit, in the file's order within an account.

The file's first line names its columns; flags say which column is which. Each row's id, with
--id-prefix before it, is its operation id, so a row takes effect at most once over any number of runs.
A state file (--state) keeps the stamp of the first run: leave it beside the file. Run the same command
again after any interruption. Without that file, rows that an earlier import applied are looked for in
the accounts' statements; they are not sent, and count as refused with the reason conflict.

The whole file is checked before anything is sent. Exits 0 if every row took effect, now or earlier,
with the expected balance; 1 where rows were refused or differ. --timeout is how long the cluster may
be unavailable without any progress, 30s by default.`

func newImportCommand(a *app) *cobra.Command {
	var options importer.Options
	var reportFile string
	cmd := &cobra.Command{
		Use:   "import FILE.csv",
		Short: "Load credits and debits from a CSV file",
		Long:  importHelp,
		Example: "  ballast import rows.csv --ledger usd --id transaction_id --account account_id --kind kind --amount amount\n" +
			"  ballast import rows.csv --ledger usd --create-accounts --floor -100.00 --expect balance --report report.json",
		Args: args("FILE.csv"),
	}
	cmd.RunE = a.connectedImport(cmd, &options, &reportFile)
	flags := cmd.Flags()
	flags.StringVar(&options.Columns.ID, "id", "id", "`column` of the row's id, unique in the file")
	flags.StringVar(&options.Columns.Account, "account", "account", "`column` of the account")
	flags.StringVar(&options.Columns.Kind, "kind", "kind", "`column` that says credit or debit")
	flags.StringVar(&options.Columns.Amount, "amount", "amount", "`column` of the amount, a positive decimal")
	flags.StringVar(&options.Columns.Time, "time", "", "`column` of the entry's event time (default: none)")
	flags.StringVar(&options.Columns.Expect, "expect", "", "`column` of the balance after the row, compared with the ledger's (default: none)")
	flags.StringVar(&options.Ledger, "ledger", "", "the `ledger` that the accounts belong to")
	flags.BoolVar(&options.CreateAccounts, "create-accounts", false, "open accounts that do not exist")
	flags.StringVar(&options.Floor, "floor", "", "lowest `balance` of accounts that are opened, such as -100.00 (default 0)")
	flags.StringVar(&options.IDPrefix, "id-prefix", "", "`text` before each id; ids are unique over the whole store")
	flags.Uint32Var(&options.Attempt, "attempt", 1, "raise it to try refused rows again on purpose")
	flags.Float64Var(&options.Rate, "rate", 0, "at most this many `rows` a second (default: no limit)")
	flags.StringVar(&options.Tolerance, "tolerance", "", "`amount` by which a balance may differ from the expected one (default 0)")
	flags.BoolVar(&options.SkipBad, "skip-bad", false, "leave malformed rows out instead of stopping before anything is sent")
	flags.StringVar(&options.StateFile, "state", "", "state `file` (default: FILE.csv.import)")
	flags.StringVar(&reportFile, "report", "", "write a report to this `file`, JSON")
	return cmd
}

func (a *app) connectedImport(cmd *cobra.Command, options *importer.Options, reportFile *string) func(*cobra.Command, []string) error {
	body := a.connected(func(ctx context.Context, c *client.Client, args []string) error {
		options.File, options.Patience, options.Classify = args[0], a.timeout, classify
		options.Progress, options.Describe = a.progress(), inWords
		report, err := importer.Run(ctx, importStore{c}, *options)
		var bad *importer.BadRowsError
		if report == nil || errors.As(err, &bad) { // nothing was sent; the error names the rows
			return errors.Join(err, writeReport(report, *reportFile))
		}
		return a.finishImport(report, *reportFile, err)
	})
	return func(_ *cobra.Command, args []string) error {
		if options.Ledger == "" {
			return usagef("--ledger is missing: which ledger do the file's accounts belong to? (see: ballast ledger list)")
		}
		if err := reportWritable(*reportFile); err != nil {
			return err
		}
		if !cmd.Flags().Changed("timeout") {
			a.timeout = importTimeout
		}
		return body(cmd, args)
	}
}

// progress is a bar on a terminal and plain lines elsewhere.
func (a *app) progress() importer.Progress {
	if file, ok := a.err.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		return importer.NewBar(a.err)
	}
	return importer.NewLines(a.err)
}

// finishImport writes the report and decides the exit code.
func (a *app) finishImport(report *importer.Report, reportFile string, err error) error {
	if failed := writeReport(report, reportFile); failed != nil {
		err = errors.Join(err, failed)
	}
	if failed := a.write(reportGrid(report), report); failed != nil {
		err = errors.Join(err, failed)
	}
	for i, row := range report.RefusedRows {
		if i == 10 {
			break
		}
		a.note("line %d: %s of %s to account %s refused: %s%s", row.Line, row.Kind, row.Amount, row.Account, row.Reason, inBrackets(row.Detail))
	}
	for i, row := range report.DifferingRows {
		if i == 10 {
			break
		}
		a.note("line %d: account %s: balance %s, expected %s", row.Line, row.Account, row.Balance, row.Expected)
	}
	for i, row := range report.SkippedRows {
		if i == 10 {
			break
		}
		a.note("line %d skipped: %s", row.Line, row.Reason)
	}
	switch {
	case err != nil && report.Unknown > 0:
		return codeError{code: exitUnknown, err: fmt.Errorf("the outcome of %d rows is not known: %w", report.Unknown, err)}
	case err != nil:
		return importError(err)
	case !report.Clean():
		return fmt.Errorf("%d rows refused, %d differ from the expected balance", report.Refused, report.Differing)
	}
	return nil
}

// writeReport writes the report to a file, where both are there.
func writeReport(report *importer.Report, path string) error {
	if report == nil || path == "" {
		return nil
	}
	var data bytes.Buffer
	if err := errors.Join(render.WriteJSON(&data, report), durable.WriteFile(path, data.Bytes(), 0o644)); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// reportWritable finds out, before anything is sent, that a report could not be written at the end. It leaves a report
// that is there as it is.
func reportWritable(path string) error {
	if path == "" {
		return nil
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return usagef("--report %s: it is there and is no regular file; nothing was sent", path)
	}
	// The report is written beside its place and renamed.
	probe, err := os.CreateTemp(filepath.Dir(path), ".ballast-report-*")
	if err != nil {
		return usagef("--report %s: a file cannot be made there (%v); nothing was sent", path, err)
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}

func importError(err error) error {
	var gaveUp *importer.GaveUpError
	if errors.As(err, &gaveUp) {
		code := exitUnavailable
		if gaveUp.Unknown {
			code = exitUnknown
		}
		return codeError{code: code, err: err}
	}
	return codeError{code: max(exitCode(err), exitFailed), err: err}
}

func inBrackets(text string) string {
	if text == "" {
		return ""
	}
	return " (" + text + ")"
}

func reportGrid(report *importer.Report) *render.Grid {
	g := &render.Grid{}
	var cells []string
	for _, c := range []struct {
		name  string
		count int64
	}{
		{"rows", report.Rows},
		{"applied", report.Applied},
		{"already_applied", report.AlreadyApplied},
		{"refused", report.Refused},
		{"differing", report.Differing},
		{"skipped", report.Skipped},
		{"unknown", report.Unknown},
		{"not_sent", report.NotSent},
		{"accounts_created", report.AccountsCreated},
	} {
		g.Columns = append(g.Columns, render.Column{Name: c.name, Right: true})
		cells = append(cells, strconv.FormatInt(c.count, 10))
	}
	g.Columns = append(g.Columns, render.Column{Name: "seconds", Right: true})
	g.Add(append(cells, strconv.FormatFloat(report.Seconds, 'f', 2, 64))...)
	return g
}

// classify tells the importer what an error of the client library means.
func classify(err error) importer.Failure {
	switch {
	case errors.Is(err, client.ErrUnknownOutcome):
		return importer.Unknown
	case errors.Is(err, client.ErrInvalid):
		return importer.Permanent
	case errors.Is(err, client.ErrUnavailable), errors.Is(err, client.ErrNotDone), errors.Is(err, context.DeadlineExceeded):
		return importer.Unavailable
	}
	return importer.Permanent
}

// importStore is the client library as the importer sees it.
type importStore struct{ *client.Client }

func (s importStore) Accounts(ctx context.Context, ids []string) ([]*ballastv1.Account, int64, error) {
	answer, err := s.Client.Accounts(ctx, ids)
	return answer.GetAccounts(), answer.GetState().GetLogTime(), err
}

// statementPage is how many entries are asked for at a time.
const statementPage = 1000

func (s importStore) Statement(ctx context.Context, account string, before uint64) ([]*ballastv1.Entry, uint64, error) {
	var page []*ballastv1.Entry
	for entry, err := range s.Client.Statement(ctx, account, before, client.WithPageSize(statementPage)) {
		if err != nil {
			return nil, 0, err
		}
		if page = append(page, entry); len(page) == statementPage {
			return page, entry.GetSequence(), nil // what follows is another page
		}
	}
	return page, 0, nil
}

func (s importStore) Ledgers(ctx context.Context) ([]*ballastv1.Ledger, error) {
	return s.Client.Ledgers(ctx)
}
