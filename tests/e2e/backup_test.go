package e2e

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ballastdb/ballast/backup"
	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/internal/testcluster"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// TestBackupAndRestore: a backup is taken of a follower of three members under load, verified, and restored into a new cluster,
// which two empty members join: the same digest at the same index, accounts, ids and statements. The clusters do not take
// each other's members.
func TestBackupAndRestore(t *testing.T) {
	b := openBank(t, testcluster.Options{})
	program := ballastProgram(t)
	must(t, os.Link(b.cluster.Program(), filepath.Join(filepath.Dir(program), "ballastd")))
	ops := transactions(t, b)
	first := b.submitAll(ops)
	want := b.allStatements(ops)

	file := filepath.Join(t.TempDir(), "bank.backup")
	about := b.backUpUnderLoad(program, file)
	b.checkWhoIsAsked(program, file, about)
	wantBallast(b, program, 0, []string{"backup", "verify", file}, "sound", about.Digest, fmt.Sprint(about.Entries))
	checkDamaged(b, program, file)

	to := newEmptyCluster(t)
	checkRefusedRestores(t, b, to, file)
	must(t, to.Member(1).Restore(b.ctx(), file))
	checkRestoredDisk(t, to.Member(1), about)
	restored := formRestored(t, to)
	again := restored.submitAll(ops)
	if !equalResults(again, first) || !again[0].GetReplayed() {
		t.Error("retries of the old ids are not answered with the first answers")
	}
	if got := restored.allStatements(ops); got != want {
		t.Errorf("the statements after the restore are\n%.2000s\nwant\n%.2000s", got, want)
	}
	must(t, to.WaitEqual(restored.ctx()))
	checkStrangers(t, b, restored)
	_, err := restored.client.Credit(restored.ctx(), "account-0", 1)
	must(t, err)
	must(t, to.WaitEqual(restored.ctx()))
}

// transactions are operations of real transactions, where they are here, else made up ones; the accounts that they need are made
// first.
func transactions(t *testing.T, b *bank) (ops []*operation) {
	t.Helper()
	const most = 1500
	rows := [][]string{}
	data, err := os.ReadFile("../../../shared/data/czech-bank/transactions.csv")
	if err != nil {
		t.Logf("the real transactions are not here, others are made up: %v", err)
		for i := range most {
			rows = append(rows, []string{fmt.Sprint(i), fmt.Sprint(i % 97), "", "credit", fmt.Sprintf("%d.25", i)})
		}
	} else if rows, err = csv.NewReader(bytes.NewReader(data)).ReadAll(); err != nil {
		t.Fatal(err)
	} else {
		rows = rows[1 : most+1]
	}
	seen, now := map[string]bool{}, time.Now()
	for i, row := range rows {
		account, floor := "real-"+row[1], int64(-1_000_000_000_000)
		if !seen[account] {
			seen[account] = true
			ops = append(ops, client.NewCreateAccount(account, "usd", client.Limits{Floor: &floor}, client.WithID("account-"+row[1]), client.WithIssuedAt(now)))
		}
		minor, err := strconv.ParseInt(strings.ReplaceAll(row[4], ".", ""), 10, 64)
		must(t, err)
		options := []client.OpOption{client.WithID("transaction-" + row[0]), client.WithIssuedAt(now), client.WithReference(row[2]), client.WithCode(uint32(i))}
		if row[3] == "credit" {
			ops = append(ops, client.NewCredit(account, max(minor, 1), options...))
		} else {
			ops = append(ops, client.NewDebit(account, max(minor, 1), options...))
		}
	}
	return ops
}

// submitAll submits operations in order, and returns the answers.
func (b *bank) submitAll(ops []*operation) (results []*ballastv1.Result) {
	b.t.Helper()
	for len(ops) > 0 {
		n := min(len(ops), 500)
		some, err := b.client.Submit(b.ctx(), ops[:n]...)
		must(b.t, err)
		results, ops = append(results, some...), ops[n:]
	}
	return results
}

func equalResults(a, b []*ballastv1.Result) bool {
	text := func(list []*ballastv1.Result) string {
		out := ""
		for _, r := range list {
			out += fmt.Sprintln(r.GetCode(), r.GetAttempt(), r.GetSequence(), r.GetDebitPosted(), r.GetCreditPosted(), r.GetAvailable(), r.GetAccount())
		}
		return out
	}
	return text(a) == text(b)
}

// allStatements is every account that operations made with all its entries, as text.
func (b *bank) allStatements(ops []*operation) string {
	b.t.Helper()
	var out strings.Builder
	for _, op := range ops {
		account := op.GetCreateAccount().GetAccount()
		if account == "" {
			continue
		}
		a, err := b.client.Account(b.ctx(), account)
		must(b.t, err)
		fmt.Fprintln(&out, a.GetId(), a.GetPosted(), a.GetHeld(), a.GetFloor(), a.GetVersion())
		for e, err := range b.client.Statement(b.ctx(), account, 0) {
			must(b.t, err)
			fmt.Fprintln(&out, e.GetSequence(), e.GetOperationId(), e.GetLogTime(), e.GetAmount(), e.GetReference(), e.GetCode())
		}
	}
	return out.String()
}

// backUpUnderLoad takes a backup while other accounts are credited.
func (b *bank) backUpUnderLoad(program, file string) (about backup.About) {
	b.t.Helper()
	ctx, stop := context.WithCancel(b.ctx())
	var load sync.WaitGroup
	load.Go(func() {
		for ctx.Err() == nil {
			if _, err := b.client.Credit(ctx, "account-1", 1); err != nil && ctx.Err() == nil {
				b.t.Error(err)
			}
		}
	})
	out := b.ballastOut(program, "backup", file, "-o", "json", "--timeout", "1m")
	stop()
	load.Wait()
	must(b.t, json.Unmarshal([]byte(out), &about))
	return about
}

// ballastOut is what a command line that succeeds prints to standard output.
func (b *bank) ballastOut(program string, args ...string) string {
	b.t.Helper()
	cmd := exec.CommandContext(b.ctx(), program, args...)
	cmd.Env = append(cmd.Environ(), "BALLAST_ENDPOINTS="+strings.Join(b.cluster.Endpoints(), ","))
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		b.t.Fatalf("ballast %s: %v\n%s", strings.Join(args, " "), err, said.String())
	}
	return string(out)
}

// checkWhoIsAsked: the backup came from a follower; the leader gives one only when it is asked for by name; a file that is there
// stays.
func (b *bank) checkWhoIsAsked(program, file string, about backup.About) {
	t := b.t
	t.Helper()
	leader := b.leader()
	if about.Member == leader.Name {
		t.Errorf("the backup came from the leader, %s", about.Member)
	}
	_, err := b.client.Operator().Backup(b.ctx(), leader.ClientAddress, 0, false)
	if err == nil || !strings.Contains(err.Error(), "this member leads") {
		t.Errorf("asked for a backup the leader answers %v", err)
	}
	_, err = b.client.Operator().Backup(b.ctx(), b.followers()[0].ClientAddress, about.Index+1_000_000, false)
	if err == nil || !strings.Contains(err.Error(), "its newest is of") {
		t.Errorf("asked for a backup that is newer than its snapshot a follower answers %v", err)
	}
	before, err := os.ReadFile(file)
	must(t, err)
	wantBallast(b, program, 1, []string{"backup", file}, "exists and is kept")
	wantBallast(b, program, 0, []string{"backup", file + ".2", "--newest", "--from", leader.Name}, leader.Name)
	wantBallast(b, program, 0, []string{"backup", file + ".2", "--newest", "--force"})
	again, err := os.ReadFile(file)
	must(t, err)
	if !bytes.Equal(before, again) {
		t.Error("the file changed")
	}
	if _, err := backup.Check(strings.NewReader(b.ballastOut(program, "backup", "-", "--newest")), nil); err != nil {
		t.Errorf("what went to standard output is %v", err)
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(file), "*.incomplete")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %q, %v", left, err)
	}
}

// checkDamaged: a backup that was cut off, or altered in the middle, is refused with the place.
func checkDamaged(b *bank, program, file string) {
	b.t.Helper()
	good, err := os.ReadFile(file)
	must(b.t, err)
	altered := bytes.Clone(good)
	altered[len(altered)/2] ^= 1
	for what, content := range map[string][]byte{"cut": good[:len(good)-7], "altered": altered} {
		must(b.t, os.WriteFile(file+"."+what, content, 0o600))
		wantBallast(b, program, 1, []string{"backup", "verify", file + "." + what}, "the backup is damaged", "at byte")
	}
}

// newEmptyCluster is a cluster of which nothing runs.
func newEmptyCluster(t *testing.T) *testcluster.Cluster {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	to, err := testcluster.New(ctx, testcluster.Options{Dir: t.TempDir()})
	must(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(to.Logs(80))
		}
		must(t, to.Close())
	})
	return to
}

// checkRefusedRestores: into the cluster that the backup is of, or from one that is damaged, nothing is restored, and what is left of
// the try is refused by a start with the way out.
func checkRefusedRestores(t *testing.T, b *bank, to *testcluster.Cluster, file string) {
	t.Helper()
	m := to.Member(1)
	must(t, os.RemoveAll(m.DataDir()))
	run := func(args ...string) (string, int) {
		out, err := exec.CommandContext(b.ctx(), to.Program(), args...).CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			t.Fatalf("ballastd %s: %v\n%s", args[0], err, out)
		}
		return string(out), exit.ExitCode()
	}
	config := filepath.Join(m.Dir, "ballastd.toml")
	out, code := run("restore", file, "--config", config, "--cluster-id", b.cluster.ID.String(), "--name", m.Name)
	if _, err := os.Stat(m.DataDir()); code != 1 || !strings.Contains(out, "expected the UUID of a new cluster") || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("into the same cluster: exit %d, %v\n%s", code, err, out)
	}
	out, code = run("restore", file+".cut", "--config", config, "--cluster-id", to.ID.String(), "--name", m.Name)
	if code != 1 || !strings.Contains(out, "the backup is damaged") {
		t.Errorf("from a damaged backup: exit %d\n%s", code, out)
	}
	out, code = run("run", "--config", config)
	if code != 78 || !strings.Contains(out, "ballastd restore again") {
		t.Errorf("started on half a restore: exit %d\n%s", code, out)
	}
}

// checkRestoredDisk looks at what was restored before anything runs on it.
func checkRestoredDisk(t *testing.T, m *testcluster.Member, about backup.About) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), filepath.Join(m.Dir, "..", "ballastd"), "snapshot", "verify", "--data-dir", m.DataDir(), "-o", "json").CombinedOutput()
	must(t, err)
	var look struct {
		Sound    bool
		Snapshot struct {
			Index  uint64
			Digest string
		}
		Journal struct{ Entries uint64 }
	}
	must(t, json.Unmarshal(out, &look))
	if !look.Sound || look.Snapshot.Index != about.Index || look.Snapshot.Digest != about.Digest || look.Journal.Entries != about.Entries {
		t.Errorf("restored %+v, the backup is of %+v", look, about)
	}
}

// formRestored starts the members of a restored cluster: the first leads by itself, the others join it.
func formRestored(t *testing.T, to *testcluster.Cluster) *bank {
	t.Helper()
	must(t, to.StartAll())
	c, err := client.New(to.Endpoints())
	must(t, err)
	t.Cleanup(func() { must(t, c.Close()) })
	b := &bank{t: t, cluster: to, client: c}
	must(t, to.Member(1).WaitAnswers(b.ctx()))
	for _, m := range to.Members[1:] {
		must(t, to.Join(b.ctx(), m, true))
	}
	_, err = to.WaitLeader(b.ctx())
	must(t, err)
	return b
}

// checkStrangers: neither cluster takes a member of the other.
func checkStrangers(t *testing.T, a, b *bank) {
	t.Helper()
	for _, pair := range [][2]*bank{{a, b}, {b, a}} {
		m := pair[1].cluster.Member(2)
		self, err := m.Status(pair[1].ctx())
		must(t, err)
		_, err = pair[0].leader().Operator().AddMember(pair[0].ctx(), &ballastv1.AddMemberRequest{
			Id: self.GetId(), ClusterId: self.GetClusterId(),
			MemberAddress: m.MemberAddress, ClientAddress: m.ClientAddress, OperatorAddress: m.OperatorAddress,
		})
		if status.Code(err) != codes.FailedPrecondition || !strings.Contains(err.Error(), "cluster_id") {
			t.Errorf("a member of the other cluster is answered %v", err)
		}
	}
}
