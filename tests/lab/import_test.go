//go:build lab

package lab

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ballastdb/ballast/client"
)

// dataVariable names the directory of the real transactions; the default is beside the tree.
const dataVariable = "BALLAST_DATA"

// TestRealTransactions: the real transactions are imported, and meanwhile the leader is killed with -9, a host loses its power
// and comes back, and all three lose power at once. Every row takes effect once: the balances are the bank's own.
func TestRealTransactions(t *testing.T) {
	data := os.Getenv(dataVariable)
	if data == "" {
		data = filepath.Join(module, "../shared/data/czech-bank")
	}
	data, err := filepath.Abs(data)
	must(t, err)
	if _, err := os.Stat(filepath.Join(data, "transactions.csv")); err != nil {
		t.Skipf("the real transactions are not here: %v; %s names their directory", err, dataVariable)
	}
	l := open(t)
	l.follow()
	c := l.connect()
	_, err = c.CreateLedger(l.ctx(), "czk", "CZK", 2)
	must(t, err)
	must(t, sh("cp %s %s/transactions.csv", filepath.Join(data, "transactions.csv"), l.workstation))

	// As many rows a second as leave time for everything that happens meanwhile.
	load := l.shell(l.ctx(), l.ballast("import transactions.csv --ledger czk --id transaction_id --account account_id --kind kind "+
		"--amount amount --time date --expect balance_exact --create-accounts --floor -100000 --rate 400 --timeout 2m -o json"))
	report, err := os.Create(filepath.Join(l.workstation, "report.json"))
	must(t, err)
	defer report.Close()
	said, err := os.Create(filepath.Join(l.workstation, "import.log"))
	must(t, err)
	defer said.Close()
	load.Stdout, load.Stderr = report, said
	must(t, load.Start())

	journal := func(ctx context.Context) (newest uint64, err error) {
		ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
		defer cancel()
		for _, a := range c.Operator().StatusOfAll(ctx) {
			newest = max(newest, a.Status.GetJournalLength())
		}
		return newest, nil
	}
	more := func() {
		t.Helper()
		have, err := journal(l.ctx())
		must(t, err)
		l.rows(journal, have+1000)
	}
	more()
	leader := l.leader(c, l.hosts...)
	l.on(leader, "kill -9 %s", mainPID(l, leader))
	more()
	l.says(leader, "systemctl is-active ballastd || true", "active\n")
	gone := l.but(l.leader(c, l.hosts...))[0]
	must(t, gone.powerOff())
	more()
	l.boot(gone)
	l.leader(c, l.hosts...)
	for _, h := range l.hosts {
		must(t, h.freeze(l.ctx()))
	}
	for _, h := range l.hosts {
		must(t, h.powerCut(l.ctx()))
	}
	l.boot(l.hosts...)

	err = load.Wait()
	told, _ := os.ReadFile(said.Name())
	if err != nil {
		t.Fatalf("ballast import: %v\n%s", err, tail(string(told)))
	}
	l.checkReport(report.Name())
	l.checkBalances(c, filepath.Join(data, "final_balances.csv"))
	l.leader(c, l.hosts...)
}

// rows waits until the journal has as many entries.
func (l *lab) rows(journal func(context.Context) (uint64, error), want uint64) {
	l.t.Helper()
	l.until(fmt.Sprintf("%d entries are in the journal", want), func(ctx context.Context) error {
		have, err := journal(ctx)
		if err == nil && have < want {
			err = fmt.Errorf("there are %d", have)
		}
		return err
	})
}

// checkReport expects every row to have taken effect, and to have left the balance that the bank had.
func (l *lab) checkReport(file string) {
	l.t.Helper()
	text, err := os.ReadFile(file)
	must(l.t, err)
	var report struct {
		Rows      int `json:"rows"`
		Applied   int `json:"applied"`
		Already   int `json:"already_applied"`
		Refused   int `json:"refused"`
		Differing int `json:"differing"`
	}
	must(l.t, json.Unmarshal(text, &report))
	l.t.Logf("import: %+v", report)
	if report.Rows == 0 || report.Applied+report.Already != report.Rows || report.Refused > 0 || report.Differing > 0 {
		l.t.Errorf("the import reports %+v", report)
	}
}

// checkBalances compares every account with the bank's own last balance.
func (l *lab) checkBalances(c *client.Client, file string) {
	l.t.Helper()
	f, err := os.Open(file)
	must(l.t, err)
	defer f.Close()
	lines, err := csv.NewReader(f).ReadAll()
	must(l.t, err)
	for _, line := range lines[1:] {
		want, err := strconv.ParseInt(strings.ReplaceAll(line[1], ".", ""), 10, 64)
		must(l.t, err)
		got, err := c.Account(l.ctx(), line[0])
		must(l.t, err)
		if got.Posted != want {
			l.t.Errorf("account %s has %d, the bank says %d", line[0], got.Posted, want)
		}
	}
	l.t.Logf("%d balances are the bank's", len(lines)-1)
}
