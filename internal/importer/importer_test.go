package importer

import (
	"context"
	"errors"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/ballastdb/ballast/client/amount"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func writeFile(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rows.csv")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func optionsFor(path string) Options {
	return Options{
		File: path, Ledger: "czk", CreateAccounts: true, Patience: 10 * time.Second, Classify: classify, firstPause: time.Millisecond,
		Columns: Columns{ID: "id", Account: "account", Kind: "kind", Amount: "amount", Time: "date", Expect: "balance"},
	}
}

const header = "id,account,date,kind,amount,balance\n"

// randomFile makes rows whose balances only come out right in order, and never fall below zero.
func randomFile(seed int64, rows, accounts int) string {
	random := rand.New(rand.NewSource(seed))
	balances := make([]int64, accounts)
	var out strings.Builder
	out.WriteString(header)
	for i := range rows {
		account := random.Intn(accounts)
		kind, units := "credit", 1+random.Int63n(10_000)
		if balances[account] > 0 && random.Intn(2) == 0 {
			kind, units = "debit", 1+random.Int63n(balances[account])
			balances[account] -= units
		} else {
			balances[account] += units
		}
		fmt.Fprintf(&out, "t%d,a%d,1993-01-%02d,%s,%s,%s\n", i, account, 1+i*27/rows, kind,
			amount.Format(units, 2), amount.Format(balances[account], 2))
	}
	return out.String()
}

// Whatever calls fail, before or after they took effect, every row takes effect once and in order within its account,
// and is counted as this run's.
func TestFaultsNeitherDoubleNorReorder(t *testing.T) {
	const rows = 3000
	for seed := range int64(5) {
		path := writeFile(t, randomFile(seed, rows, 40))
		store := newFakeStore()
		store.fault = randomFaults(seed, 0.2)
		report, err := Run(t.Context(), store, optionsFor(path))
		if err != nil {
			t.Fatal(err)
		}
		if report.Applied != rows || report.AlreadyApplied != 0 || !report.Clean() || report.AccountsCreated != 40 {
			t.Fatalf("seed %d: %+v", seed, report)
		}
		if len(store.order) != rows+40 {
			t.Fatalf("seed %d: %d effects", seed, len(store.order))
		}
		again, err := Run(t.Context(), store, optionsFor(path))
		if err != nil || again.Applied != 0 || again.AlreadyApplied != rows || !again.Clean() || again.AccountsCreated != 0 {
			t.Fatalf("seed %d, second run: %+v, %v", seed, again, err)
		}
	}
}

// A run that is cut short is gone on with by the next: same stamp, no doubled row, and the report tells the two apart.
func TestResume(t *testing.T) {
	const rows = 2000
	path := writeFile(t, randomFile(1, rows, 20))
	store := newFakeStore()
	ctx, cancel := context.WithCancel(t.Context())
	store.fault = func(call int, applied bool) error {
		if call == 6 && applied { // answered to nobody: the run ends with this in flight
			cancel()
			return context.Canceled
		}
		return nil
	}
	first, err := Run(ctx, store, optionsFor(path))
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("cut run: %v", err)
	}
	if first.Unknown == 0 || first.Applied+first.Unknown+first.NotSent != rows {
		t.Fatalf("cut run: %+v", first)
	}
	store.fault = nil
	second, err := Run(t.Context(), store, optionsFor(path))
	if err != nil || !second.Clean() {
		t.Fatalf("second run: %+v, %v", second, err)
	}
	if second.AlreadyApplied < first.Applied || second.Applied+second.AlreadyApplied != rows || len(store.order) != rows+20 {
		t.Fatalf("second run: %+v after %+v", second, first)
	}
	if !second.IssuedAt.Equal(first.IssuedAt) {
		t.Fatalf("stamp changed from %v to %v", first.IssuedAt, second.IssuedAt)
	}
}

// Without the state file no row takes effect again, also where the store has forgotten the ids: not in the run that
// finds them, and not in the one that goes on with that run's state. Rows that never took effect are applied.
func TestWithoutStateFileRowsConflict(t *testing.T) {
	const rows, before = 400, 150
	for _, forgotten := range []bool{false, true} {
		content := randomFile(1, rows, 5)
		lines := strings.SplitAfter(content, "\n")
		path := writeFile(t, strings.Join(lines[:1+before], ""))
		store := newFakeStore()
		if _, err := Run(t.Context(), store, optionsFor(path)); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(os.Remove(path+".import"), os.WriteFile(path, []byte(content), 0o600)); err != nil {
			t.Fatal(err)
		}
		store.fault = randomFaults(1, 0.1)
		var stamp time.Time
		for run, applied := range []int64{rows - before, 0} {
			if forgotten && run == 0 {
				store.forget()
			}
			report, err := Run(t.Context(), store, optionsFor(path))
			if err != nil || report.RefusedReasons["conflict"] != before || report.Clean() ||
				report.Applied != applied || report.AlreadyApplied != rows-before-applied {
				t.Fatalf("forgotten %v, run %d: %+v, %v", forgotten, run, report, err)
			}
			if !strings.Contains(report.RefusedRows[0].Detail, "state file of that import") {
				t.Errorf("%+v", report.RefusedRows[0])
			}
			if run > 0 && !report.IssuedAt.Equal(stamp) {
				t.Errorf("stamp changed from %v to %v", stamp, report.IssuedAt)
			}
			stamp = report.IssuedAt
			if len(store.order) != rows+5 {
				t.Fatalf("forgotten %v, run %d: %d effects", forgotten, run, len(store.order))
			}
		}
	}
}

// The stamp is on the disk before the first change is sent.
func TestStateBeforeSending(t *testing.T) {
	path := writeFile(t, randomFile(1, 10, 2))
	store := newFakeStore()
	var missing error
	store.fault = func(call int, _ bool) error {
		if call > 2 { // ledgers and accounts were read
			if _, err := os.Stat(path + ".import"); err != nil {
				missing = err
			}
		}
		return nil
	}
	if _, err := Run(t.Context(), store, optionsFor(path)); err != nil || missing != nil {
		t.Fatal(err, missing)
	}
}

func TestMalformedRowsStopBeforeSending(t *testing.T) {
	path := writeFile(t, "\xEF\xBB\xBF"+header+
		"1,a,1993-01-01,credit,10.00,10.00\n"+
		"2,a,1993-01-01,credit,1.005,\n"+
		"3,a,1993-01-01,gift,1.00,\n"+
		"4,@czk/debits,1993-01-01,credit,1.00,\n"+
		"5,a,01/02/1993,credit,1.00,\n"+
		"6,a,1993-01-01,credit\n"+
		"1,a,1993-01-01,credit,10.00,10.00\n"+
		"8,a,1993-01-01,credit,-1.00,\n"+
		",a,1993-01-01,credit,1.00,\n"+
		"10,a,1993-01-01,credit,1.00,1e2\n"+
		"11,a,1993-01-01,cre\"dit,1.00,\n"+
		"12,a,1993-01-02,debit,4.00,6\n")
	store := newFakeStore()
	_, err := Run(t.Context(), store, optionsFor(path))
	var bad *BadRowsError
	if !errors.As(err, &bad) || bad.Count != 10 {
		t.Fatalf("got %v", err)
	}
	for i, want := range []string{
		`line 3: amount: too many decimals: "1.005", expected at most 2`,
		`line 4: kind "gift": it must be credit or debit`,
		`line 5: account "@czk/debits": ids that begin with @ are the store's own`,
		`line 6: time "01/02/1993": it must look like`,
		`line 7: has 4 fields, the header has 6`,
		`line 8: id "1": line 2 has it too`,
		`line 9: amount "-1.00": it must be positive`,
		`line 10: id "": it is empty`,
		`line 11: expected balance: not a decimal number: "1e2"`,
		`line 12: is not CSV: bare "`,
	} {
		if line := strings.Split(err.Error(), "\n  ")[i+1]; !strings.HasPrefix(line, want) {
			t.Errorf("row %d: %s\nwant %s", i, line, want)
		}
	}
	if len(store.order) != 0 {
		t.Fatal("something was sent")
	}
	if _, err := os.Stat(path + ".import"); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("state file: %v", err)
	}

	options := optionsFor(path)
	options.SkipBad = true
	report, err := Run(t.Context(), store, options)
	if err != nil || report.Applied != 2 || report.Skipped != 10 || report.Rows != 12 || !report.Clean() {
		t.Fatalf("%+v, %v", report, err)
	}
}

func TestUnclosedQuoteIsBounded(t *testing.T) {
	path := writeFile(t, header+"1,a,\""+strings.Repeat("x", 2*maxRowLen))
	if _, err := Run(t.Context(), newFakeStore(), optionsFor(path)); !errors.Is(err, errRowTooLong) {
		t.Fatalf("got %v", err)
	}
}

func TestUnknownAndForeignAccountsStopBeforeSending(t *testing.T) {
	path := writeFile(t, header+"1,a,,credit,1.00,\n2,y,,credit,1.00,\n3,a,,credit,1.00,\n")
	store := newFakeStore()
	yen := writeFile(t, "id,account,date,kind,amount,balance\n9,y,,credit,1,\n")
	options := optionsFor(yen)
	options.Ledger = "jpy"
	if _, err := Run(t.Context(), store, options); err != nil {
		t.Fatal(err)
	}
	options = optionsFor(path)
	options.CreateAccounts = false
	_, err := Run(t.Context(), store, options)
	var bad *BadRowsError
	if !errors.As(err, &bad) || bad.Count != 3 {
		t.Fatalf("got %v", err)
	}
	if bad.Rows[0].Line != 2 || !strings.Contains(bad.Rows[0].Reason, "--create-accounts") ||
		bad.Rows[1].Line != 3 || !strings.Contains(bad.Rows[1].Reason, `belongs to ledger "jpy", not "czk"`) {
		t.Fatalf("got %v", err)
	}
	if len(bad.Rows) != 2 || bad.Reasons != 2 || bad.Accounts != 2 || !strings.Contains(bad.Rows[0].Reason, "rows of this account: 2") {
		t.Fatalf("an account is named more than once: %v", err)
	}
	options = optionsFor(path)
	options.SkipBad = true
	report, err := Run(t.Context(), store, options)
	if err != nil || report.Applied != 2 || report.Skipped != 1 || store.accounts["y"].GetPosted() != 1 {
		t.Fatalf("%+v, %v", report, err)
	}
}

func TestRefusedAndDifferingRows(t *testing.T) {
	path := writeFile(t, header+
		"1,a,1993-01-01,credit,10.00,10.00\n"+
		"2,a,1993-01-01,debit,150.00,-140.00\n"+ // above the floor: refused
		"3,a,1993-01-01,debit,20.00,-10.10\n"+ // -10.00: within the tolerance
		"4,a,1993-01-01,credit,5.00,-10.00\n") // -5.00
	options := optionsFor(path)
	options.Floor, options.Tolerance, options.IDPrefix = "-100", "0.10", "bank-"
	store := newFakeStore()
	report, err := Run(t.Context(), store, options)
	if err != nil || report.Applied != 3 || report.Refused != 1 || report.Differing != 1 || report.Clean() {
		t.Fatalf("%+v, %v", report, err)
	}
	if got, want := report.RefusedRows[0], (RefusedRow{
		Line: 3, ID: "bank-2", Account: "a", Kind: "debit", Amount: "150.00",
		Reason: "insufficient_funds", Detail: "asked 150.00, available 110.00",
	}); got != want {
		t.Errorf("refused %+v, want %+v", got, want)
	}
	if got, want := report.DifferingRows[0], (DifferingRow{
		Line: 5, ID: "bank-4", Account: "a", Expected: "-10.00", Balance: "-5.00", Difference: "5.00",
	}); got != want {
		t.Errorf("differing %+v, want %+v", got, want)
	}
	// The refusal is final; a higher attempt tries again, and applies nothing twice.
	store.accounts["a"].Floor = -1_000_00
	again, err := Run(t.Context(), store, options)
	if err != nil || again.Refused != 1 || again.Applied != 0 {
		t.Fatalf("%+v, %v", again, err)
	}
	options.Attempt = 2
	raised, err := Run(t.Context(), store, options)
	if err != nil || raised.Refused != 0 || raised.Applied != 1 || raised.AlreadyApplied != 3 {
		t.Fatalf("%+v, %v", raised, err)
	}
}

func TestGivesUpWithoutProgress(t *testing.T) {
	for _, lost := range []error{errUnavailable, errUnknown} {
		path := writeFile(t, randomFile(1, 10, 2))
		store := newFakeStore()
		store.fault = func(call int, _ bool) error {
			if call > 3 { // accounts are open
				return lost
			}
			return nil
		}
		options := optionsFor(path)
		options.Patience = 150 * time.Millisecond
		report, err := Run(t.Context(), store, options)
		var gaveUp *GaveUpError
		if !errors.As(err, &gaveUp) || !errors.Is(err, lost) {
			t.Fatalf("got %v", err)
		}
		if (report.Unknown > 0) != (lost == errUnknown) || report.Unknown+report.NotSent != 10 {
			t.Fatalf("%v: %+v", lost, report)
		}
	}
}

func TestPermanentErrorEndsTheImport(t *testing.T) {
	store := newFakeStore()
	store.fault = func(call int, _ bool) error {
		if call > 3 {
			return errPermanent
		}
		return nil
	}
	if _, err := Run(t.Context(), store, optionsFor(writeFile(t, randomFile(1, 10, 2)))); !errors.Is(err, errPermanent) {
		t.Fatalf("got %v", err)
	}
}

func TestUsage(t *testing.T) {
	path := writeFile(t, header+"1,a,,credit,1.00,\n")
	for want, change := range map[string]func(*Options){
		`no column "konto"; it has: id, account`: func(o *Options) { o.Columns.Account = "konto" },
		"--floor 1: it must":                     func(o *Options) { o.Floor = "1" },
		"--floor -0.001: it must":                func(o *Options) { o.Floor = "-0.001" },
		"--tolerance -1: it must":                func(o *Options) { o.Tolerance = "-1" },
		"--kind is not given":                    func(o *Options) { o.Columns.Kind = "" },
		"not a regular file":                     func(o *Options) { o.File = filepath.Dir(path) },
		"rate -1":                                func(o *Options) { o.Rate = -1 },
	} {
		options := optionsFor(path)
		change(&options)
		_, err := Run(t.Context(), newFakeStore(), options)
		var usage *UsageError
		if !errors.As(err, &usage) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestAccountOperation(t *testing.T) {
	long := strings.Repeat("x", maxAccountLen)
	ids := []string{accountOperation("", "a"), accountOperation("p-", "a"), accountOperation("", long), accountOperation("p-", long)}
	if ids[0] != "account:a" || ids[1] != "p-account:a" {
		t.Errorf("got %q", ids)
	}
	for i, id := range ids {
		if len(id) > maxIDLen || slices.Contains(ids[:i], id) {
			t.Errorf("%q of %d bytes among %q", id, len(id), ids)
		}
	}
}
