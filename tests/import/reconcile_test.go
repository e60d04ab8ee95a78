package importtest

import (
	"encoding/csv"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ballastdb/ballast/client/amount"
	"github.com/ballastdb/ballast/internal/pgtest"
)

// bankRow is an account as the bank has it, in hundredths.
type bankRow struct{ exact, printed int64 }

func bankBalances(t *testing.T, path string) map[string]bankRow {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]bankRow{}
	for _, row := range rows[1:] {
		exact, err := amount.Parse(row[1], 2)
		if err != nil {
			t.Fatal(err)
		}
		printed, err := amount.Parse(row[2], 2)
		if err != nil {
			t.Fatal(err)
		}
		all[row[0]] = bankRow{exact, printed}
	}
	return all
}

// reconciliation is what `ballast reconcile -o json` shows.
type reconciliation struct {
	Compared    int `json:"compared"`
	Agree       int `json:"agree"`
	Sequence    uint64
	Differences []struct {
		Account, Kind, Ours, Theirs, Difference string
		Entries                                 []struct{ Sequence uint64 }
	} `json:"differences"`
}

// reconcile runs the command, which must end with this exit code.
func (c *devCluster) reconcile(t *testing.T, want int, args ...string) (found reconciliation) {
	t.Helper()
	run := c.begin(append([]string{"reconcile", "--ledger", "czk", "--timeout", "30s", "-o", "json"}, args...)...)
	if code := run.exit(); code != want {
		t.Fatalf("%q: exit %d, want %d\n%s%s", args, code, want, run.out.String(), run.err.String())
	}
	if err := json.Unmarshal(run.out.Bytes(), &found); err != nil {
		t.Fatal(err)
	}
	return found
}

// reconcileWithTheBank: the exact balances agree, and of those that the bank printed just the rows that it rounded differ, by as
// much; the same from a file and from a database.
func reconcileWithTheBank(t *testing.T, c *devCluster, data string) {
	t.Helper()
	path := filepath.Join(data, "final_balances.csv")
	bank := bankBalances(t, path)
	check := func(t *testing.T, found reconciliation, tolerance int64) {
		t.Helper()
		got, want := map[string]string{}, map[string]string{}
		for _, d := range found.Differences {
			got[d.Account] = strings.Join([]string{d.Kind, d.Ours, d.Theirs, d.Difference}, " ")
			if len(d.Entries) == 0 {
				t.Errorf("account %s differs, and no entry explains it", d.Account)
			}
		}
		for account, b := range bank {
			if by := b.exact - b.printed; by > tolerance || -by > tolerance {
				want[account] = strings.Join([]string{"differs", amount.Format(b.exact, 2), amount.Format(b.printed, 2), amount.Format(by, 2)}, " ")
			}
		}
		if !maps.Equal(got, want) || found.Compared != len(bank) || found.Agree != len(bank)-len(want) {
			t.Errorf("%d of %d differ, want %d of %d: got %v, want %v", len(got), found.Compared, len(want), len(bank), got, want)
		}
		t.Logf("tolerance %s: %d of %d accounts differ", amount.Format(tolerance, 2), len(got), found.Compared)
	}
	file := []string{path, "--account", "account_id", "--balance"}
	c.reconcile(t, 0, append(file, "balance_exact")...)
	check(t, c.reconcile(t, 5, append(file, "balance_printed")...), 0)
	check(t, c.reconcile(t, 5, append(file, "balance_printed", "--tolerance", "0.10")...), 10)
	c.reconcile(t, 0, append(file, "balance_printed", "--tolerance", "0.30")...)

	exported := filepath.Join(t.TempDir(), "accounts.csv")
	c.must("export", "accounts", exported, "--ledger", "czk")
	c.reconcile(t, 0, exported, "--balance", "posted")

	t.Run("postgres", func(t *testing.T) {
		connect := pgtest.Start(t).Database(t, "bank")
		statements := []string{"CREATE TABLE balances (account bigint, exact numeric, printed numeric)"}
		for account, b := range bank {
			statements = append(statements, "INSERT INTO balances VALUES ("+account+", "+amount.Format(b.exact, 2)+", "+amount.Format(b.printed, 2)+")")
		}
		pgtest.Do(t, connect, statements...)
		query := []string{"--postgres", connect, "--query"}
		c.reconcile(t, 0, append(query, "SELECT account, exact FROM balances")...)
		check(t, c.reconcile(t, 5, append(query, "SELECT account, printed FROM balances")...), 0)
		c.reconcile(t, 0, append(query, "SELECT account, printed FROM balances", "--tolerance", "0.30")...)
	})
}
