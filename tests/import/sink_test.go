package importtest

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/internal/pgtest"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// TestSinkExactlyOnce: with traffic going on, the sink is killed, its sessions with the database are ended and a leader is killed; in
// the end its tables have what the cluster exports, row by row. A reconciliation beside all of that, as of the sink's position, finds
// nothing.
func TestSinkExactlyOnce(t *testing.T) {
	server := pgtest.Start(t)
	connect := server.Database(t, "books")
	c := startDev(t)
	c.must("ledger", "create", "usd", "--asset", "USD", "--scale", "2")
	load := startLoad(t, strings.Split(c.endpoints, ","))
	sink := func(more ...string) *command {
		return c.begin(append([]string{"sink", "postgres", "--connect", connect, "--batch", "200", "--timeout", "30s"}, more...)...)
	}
	sink("--create", "--once").wait()
	running := sink()
	rng := rand.New(rand.NewPCG(7, 7))
	for round := range 6 {
		load.more(t, 300)
		switch round % 3 {
		case 0:
			if err := running.cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			running.exit()
			running = sink()
		case 1:
			pgtest.Do(t, server.Connect("postgres"), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'books'")
		default:
			if round == 2 {
				c.killLeader()
			}
		}
		time.Sleep(time.Duration(rng.IntN(100)) * time.Millisecond) // no condition: any time will do
	}
	found := c.begin("reconcile", "--ledger", "usd", "--timeout", "30s", "--postgres", connect, "--query", "SELECT id, posted FROM ballast.accounts WHERE NOT system",
		"--position", "SELECT sequence FROM ballast.position")
	if code := found.exit(); code != 0 {
		t.Errorf("reconciled beside the traffic: exit %d\n%s%s", code, found.out.String(), found.err.String())
	}
	t.Log(strings.TrimSpace(found.err.String()))
	load.stop(t)
	if err := running.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := running.exit(); code != 0 {
		t.Errorf("the sink ends with %d\n%s", code, running.err.String())
	}
	sink("--once").wait()
	sameRows(t, c, connect, "accounts", []string{"--system"}, "account", `SELECT id, ledger, posted, held, floor, ceiling, last_sequence,
		concat_ws(' ', CASE WHEN frozen THEN 'frozen' END, CASE WHEN frozen_credits THEN 'frozen_credits' END, CASE WHEN closed THEN 'closed' END, CASE WHEN system THEN 'system' END)
		FROM ballast.accounts ORDER BY opened_sequence, id`, "account", "ledger", "posted", "held", "floor", "ceiling", "last_sequence", "flags")
	sameRows(t, c, connect, "entries", nil, "sequence", `SELECT sequence, kind, ledger, debit_account, credit_account, amount, debit_posted, credit_posted, operation_id, code,
		reference, hold_id, hold_remaining, hold_released, asked, coalesce(reversed_sequence, 0) FROM ballast.entries ORDER BY sequence`,
		"sequence", "kind", "ledger", "debit_account", "credit_account", "amount", "debit_posted", "credit_posted", "operation", "code",
		"reference", "hold", "hold_remaining", "hold_released", "asked", "reversed_sequence")
}

// sameRows compares columns of an export with a query's rows.
func sameRows(t *testing.T, c *devCluster, connect, what string, flags []string, key, query string, columns ...string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), what+".csv")
	c.must(append([]string{"export", what, path, "--bare"}, flags...)...)
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	exported, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	place := map[string]int{}
	for i, name := range exported[0] {
		place[name] = i
	}
	conn, err := pgx.Connect(t.Context(), connect)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	results, err := conn.PgConn().Exec(t.Context(), query).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	rows := results[0].Rows
	if len(rows) != len(exported)-1 || len(rows) < loadAccounts {
		t.Fatalf("%s: the tables have %d rows, the export %d", what, len(rows), len(exported)-1)
	}
	for i, row := range rows {
		var got, want []string
		for j, name := range columns {
			got, want = append(got, string(row[j])), append(want, exported[i+1][place[name]])
		}
		if strings.Join(got, "|") != strings.Join(want, "|") {
			t.Fatalf("%s, %s %s: the tables have\n%q, the export\n%q", what, key, want[0], got, want)
		}
	}
	t.Logf("%d %s are the same", len(rows), what)
}

// load is traffic of all kinds on a few accounts, which goes on through failures.
type load struct {
	client *client.Client
	cancel context.CancelFunc
	ended  sync.WaitGroup

	mu   sync.Mutex
	done int
	news *sync.Cond
}

const loadAccounts = 20

func startLoad(t *testing.T, endpoints []string) *load {
	t.Helper()
	c, err := client.New(endpoints, client.WithTimeout(30*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	for i := range loadAccounts {
		if _, err := c.CreateAccount(t.Context(), account(i), "usd", client.Limits{}); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	l := &load{client: c, cancel: cancel}
	l.news = sync.NewCond(&l.mu)
	for worker := range 4 {
		l.ended.Go(func() { l.work(ctx, rand.New(rand.NewPCG(uint64(worker), 3))) })
	}
	t.Cleanup(func() {
		cancel()
		l.ended.Wait()
		_ = c.Close()
	})
	return l
}

func account(i int) string { return fmt.Sprintf("customer-%02d", i) }

// work does operations one after the other, whatever comes of them.
func (l *load) work(ctx context.Context, rng *rand.Rand) {
	var holds []string
	for ctx.Err() == nil {
		op := l.next(rng, &holds)
		_, err := l.client.Submit(ctx, op)
		if hold := op.GetHold(); hold != nil && err == nil {
			holds = append(holds, op.GetId())
		}
		l.mu.Lock()
		l.done++
		l.news.Broadcast()
		l.mu.Unlock()
	}
}

func (l *load) next(rng *rand.Rand, holds *[]string) *ballastv1.Operation {
	a, b, units := account(rng.IntN(loadAccounts)), account(rng.IntN(loadAccounts)), 1+rng.Int64N(5000)
	kind := rng.IntN(10)
	if len(*holds) > 0 && kind >= 7 {
		hold := (*holds)[0]
		*holds = (*holds)[1:]
		if kind == 7 {
			return client.NewVoidHold(hold)
		}
		return client.NewCaptureHold(hold, client.Capture{})
	}
	switch kind {
	case 0, 1, 2:
		return client.NewCredit(a, units, client.WithReference("order, \"one\""), client.WithCode(42))
	case 3:
		return client.NewDebit(a, units)
	case 4:
		return client.NewTransferUpTo(a, "", units)
	case 5:
		ceiling := int64(100_000_000)
		return client.NewSetLimits(a, client.Limits{Ceiling: &ceiling})
	case 6:
		if a != b {
			return client.NewTransfer(a, b, units)
		}
	}
	return client.NewHold(a, units/10+1, client.HoldTerms{Timeout: time.Duration(1+rng.IntN(2000)) * time.Millisecond})
}

// more waits for n more operations.
func (l *load) more(t *testing.T, n int) {
	t.Helper()
	late := time.AfterFunc(patience, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.done += n
		t.Error(errors.New("the traffic came to rest"))
		l.news.Broadcast()
	})
	defer late.Stop()
	l.mu.Lock()
	defer l.mu.Unlock()
	for until := l.done + n; l.done < until; {
		l.news.Wait()
	}
}

// stop ends the traffic, and waits until the holds that are left have expired: what is compared afterwards stays as it is.
func (l *load) stop(t *testing.T) {
	t.Helper()
	l.cancel()
	l.ended.Wait()
	for i := range loadAccounts {
		for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
			a, err := l.client.Account(t.Context(), account(i))
			if err == nil && a.GetHeld() == 0 {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("account %s: %v, %v", account(i), a, err)
			}
		}
	}
}
