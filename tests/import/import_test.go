package importtest

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// Every balance comes out to the last digit, no entry is doubled,
// a second import applies nothing, every member has the same digest.
func TestRealTransactionsWithTheLeaderKilledTwice(t *testing.T) {
	data := bankData(t)
	c := startDev(t)
	c.must("ledger", "create", "czk", "--asset", "CZK", "--scale", "2")

	command := []string{
		"import", filepath.Join(data, "transactions.csv"), "--state", filepath.Join(t.TempDir(), "state"), "--ledger", "czk",
		"--id", "transaction_id", "--account", "account_id", "--kind", "kind", "--amount", "amount", "--time", "date",
		"--expect", "balance_exact", "--create-accounts", "--floor=-100000", "-o", "json",
	}
	first := c.begin(append(command, "--rate", "4000")...)
	for rows := range 2 {
		c.waitForEntries(uint64(592 + 5000*(rows+1)))
		c.killLeader()
	}
	report := readReport(t, first.wait())
	if report.Applied != 23723 || report.AlreadyApplied != 0 || report.Refused != 0 || report.Differing != 0 {
		t.Errorf("first import: %+v", report)
	}
	checkBalances(t, c, filepath.Join(data, "final_balances.csv"))
	entries := c.status().JournalLength
	if want := uint64(1 + 592 + 23723); entries != want {
		t.Errorf("%d entries in the journal, want %d: the ledger, the accounts, the rows", entries, want)
	}

	report = readReport(t, c.must(command...))
	if report.Applied != 0 || report.AlreadyApplied != 23723 || report.Refused != 0 || report.Differing != 0 {
		t.Errorf("second import: %+v", report)
	}
	checkBalances(t, c, filepath.Join(data, "final_balances.csv"))
	if now := c.waitForEqualDigests(); now.JournalLength != entries {
		t.Errorf("the second import took the journal from %d to %d entries", entries, now.JournalLength)
	}

	reconcileWithTheBank(t, c, data)

	c.stop()
	c = c.startAgain()
	checkBalances(t, c, filepath.Join(data, "final_balances.csv"))
}

// killLeader kills the leader's process as kill -9 does; ballast dev starts it again.
func (c *devCluster) killLeader() {
	c.t.Helper()
	for _, m := range c.waitForLeader().Members {
		if m.Role == "leader" {
			c.t.Logf("killing %s, process %d", m.Name, m.PID)
			if err := syscall.Kill(m.PID, syscall.SIGKILL); err != nil {
				c.t.Fatal(err)
			}
		}
	}
}

type report struct {
	Applied        int `json:"applied"`
	AlreadyApplied int `json:"already_applied"`
	Refused        int `json:"refused"`
	Differing      int `json:"differing"`
}

func readReport(t *testing.T, out string) report {
	t.Helper()
	var r report
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	return r
}

// checkBalances compares every account with the file, as texts, to the last digit.
func checkBalances(t *testing.T, c *devCluster, path string) {
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
	want := make(map[string]string)
	for _, row := range rows[1:] {
		want[row[0]] = row[1]
	}
	var got struct {
		Accounts []struct{ ID, Posted string } `json:"accounts"`
	}
	if err := json.Unmarshal([]byte(c.must("account", "list", "--ledger", "czk", "-o", "json")), &got); err != nil {
		t.Fatal(err)
	}
	for _, account := range got.Accounts {
		if want[account.ID] != account.Posted {
			t.Errorf("account %s has %s, want %s", account.ID, account.Posted, want[account.ID])
		}
		delete(want, account.ID)
	}
	if len(want) > 0 {
		t.Errorf("%d accounts are missing", len(want))
	}
}

// bankData is the folder of the real transactions.
func bankData(t *testing.T) string {
	t.Helper()
	data, err := filepath.Abs("../../../shared/data/czech-bank")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(data, "transactions.csv")); err != nil {
		t.Skipf("the real transactions are not here: %v", err)
	}
	return data
}
