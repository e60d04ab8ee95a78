package node

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/ballastdb/ballast/config"
	"github.com/ballastdb/ballast/datadir"
	"github.com/ballastdb/ballast/logstore"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
	"github.com/ballastdb/ballast/transport"
)

// survivor makes the data directory of a stopped member with money, two of whose three members are lost.
func survivor(t *testing.T, host string, deposits int) config.Config {
	t.Helper()
	c := initialised(t, host)
	r := start(t, c)
	r.status(t)
	_, err := ballastv1.NewOperatorServiceClient(r.conn).Bootstrap(t.Context(), &ballastv1.BootstrapRequest{})
	must(t, err)
	must(t, r.submit(t, &ballastv1.Operation{Kind: &ballastv1.Operation_CreateLedger{CreateLedger: &ballastv1.CreateLedger{Name: "usd", Asset: "USD", Scale: 6}}}))
	must(t, r.submit(t, &ballastv1.Operation{Kind: &ballastv1.Operation_CreateAccount{CreateAccount: &ballastv1.CreateAccount{Account: "alice", Ledger: "usd"}}}))
	for range deposits {
		must(t, r.submit(t, &ballastv1.Operation{Kind: &ballastv1.Operation_Credit{Credit: &ballastv1.Credit{Account: "alice", Amount: 7}}}))
	}
	r.waitServing(t)
	r.end(t)
	// Two more voters, at addresses where nobody is.
	appendConfiguration(t, c.DataDir, func(self raft.Server) []raft.Server {
		return []raft.Server{
			self,
			{ID: transport.ServerID("node-2", uuid.New()), Address: "127.114.0.254:7411"},
			{ID: transport.ServerID("node-3", uuid.New()), Address: "127.114.0.254:7412"},
		}
	})
	return c
}

func appendConfiguration(t *testing.T, dir string, servers func(self raft.Server) []raft.Server) {
	t.Helper()
	s, err := Survey(dir, hclog.NewNullLogger())
	must(t, err)
	log, err := logstore.Open(logstore.Options{Dir: filepath.Join(dir, "raft"), Kind: logstore.WAL, Logger: hclog.NewNullLogger(), Fatal: func(error) {}})
	must(t, err)
	must(t, log.StoreLog(&raft.Log{
		Index: s.Index + 1, Term: s.Term, Type: raft.LogConfiguration, Data: raft.EncodeConfiguration(raft.Configuration{Servers: servers(s.Members[0])}),
	}))
	must(t, log.Close())
}

func plan(t *testing.T, c config.Config, cut func(string, bool) error) *Recovery {
	t.Helper()
	r, err := PlanRecovery(t.Context(), RecoverOptions{Config: c, Logger: hclog.NewNullLogger(), cut: cut})
	must(t, err)
	return r
}

// wantServing starts a member and expects it to lead alone with all of its money.
func wantServing(t *testing.T, c config.Config, posted int64, epoch uint64) {
	t.Helper()
	r := start(t, c)
	defer r.end(t)
	r.waitServing(t)
	accounts, err := ballastv1.NewMoneyServiceClient(r.conn).GetAccounts(t.Context(), &ballastv1.GetAccountsRequest{Ids: []string{"alice"}})
	must(t, err)
	if s := r.status(t); len(s.Members) != 1 || s.RecoveryEpoch != epoch || accounts.Accounts[0].Posted != posted {
		t.Fatalf("recovered: members %v, epoch %d, want %d, accounts %v, want %d", s.Members, s.RecoveryEpoch, epoch, accounts, posted)
	}
}

// Whichever durable step of a recovery is cut short, before it or behind it, no member of the old epoch is left that would lead alone,
// what there was is kept as soon as anything is changed, and the recovery can be done again.
func TestRecoveryCutShortAnywhere(t *testing.T) {
	errCut := errors.New("cut short")
	steps := []string{"keep what there is aside", "mint the recovery epoch", "append the configuration of one member"}
	c := survivor(t, "127.114.0.20", 3)
	pristine := t.TempDir()
	must(t, os.CopyFS(filepath.Join(pristine, "data"), os.DirFS(c.DataDir)))
	for i, step := range steps {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprint(step, ", behind it ", after), func(t *testing.T) {
				dir := c
				dir.DataDir = filepath.Join(t.TempDir(), "data")
				must(t, os.CopyFS(dir.DataDir, os.DirFS(filepath.Join(pristine, "data"))))
				must(t, os.Chmod(dir.DataDir, 0o700))
				r := plan(t, dir, func(at string, behind bool) error {
					if at == step && behind == after {
						return errCut
					}
					return nil
				})
				_, err := r.Do(r.Phrase())
				if !errors.Is(err, errCut) {
					t.Fatal(err)
				}
				s, err := Survey(dir.DataDir, hclog.NewNullLogger())
				must(t, err)
				changed := i > 1 || i == 1 && after
				if kept, err := filepath.Glob(filepath.Join(dir.DataDir, "before-recovery-*")); err != nil || changed && len(kept) != 1 {
					t.Errorf("changed %v, kept %v, %v", changed, kept, err)
				}
				if len(s.Members) == 1 && s.Identity.RecoveryEpoch == 0 {
					t.Fatal("a member of the old epoch would lead alone")
				}
				again := plan(t, dir, nil)
				epoch, err := again.Do(again.Phrase())
				must(t, err)
				if i == 2 && after { // the others differ in where they were cut, not in what is done again
					wantServing(t, dir, 21, epoch)
				}
			})
		}
	}
}

// A recovery keeps what there was, and goes on with all of it; without the phrase nothing happens.
func TestRecovery(t *testing.T) {
	c := survivor(t, "127.114.0.21", 2)
	before := contents(t, c.DataDir)
	r := plan(t, c, nil)
	if !strings.Contains(r.Lost(), "node-2/") || !strings.Contains(r.Lost(), "127.114.0.254:7412") {
		t.Errorf("given up: %s", r.Lost())
	}
	for _, phrase := range []string{"", "yes", strings.ToUpper(r.Phrase()), r.Phrase() + " "} {
		if _, err := r.Do(phrase); !errors.Is(err, ErrPhrase) {
			t.Errorf("phrase %q: %v", phrase, err)
		}
	}
	epoch, err := r.Do(r.Phrase())
	must(t, err)
	kept := contents(t, filepath.Join(c.DataDir, fmt.Sprint("before-recovery-", epoch)))
	if len(kept) != len(before) {
		t.Errorf("kept %d files of %d", len(kept), len(before))
	}
	for path, sum := range before {
		below, err := filepath.Rel(c.DataDir, path)
		must(t, err)
		if kept[filepath.Join(c.DataDir, fmt.Sprint("before-recovery-", epoch), below)] != sum {
			t.Errorf("%s was not kept as it was", below)
		}
	}
	wantServing(t, c, 14, epoch)
	// It can be done again, should it be needed once more: what was kept before stays.
	appendConfiguration(t, c.DataDir, func(self raft.Server) []raft.Server {
		return []raft.Server{self, {ID: transport.ServerID("node-9", uuid.New()), Address: "127.114.0.254:7419"}}
	})
	r = plan(t, c, nil)
	second, err := r.Do(r.Phrase())
	must(t, err)
	if second <= epoch {
		t.Errorf("epoch %d after %d", second, epoch)
	}
	wantServing(t, c, 14, second)
	if again := contents(t, filepath.Join(c.DataDir, fmt.Sprint("before-recovery-", epoch))); len(again) != len(kept) {
		t.Errorf("of what was kept first, %d files of %d are left", len(again), len(kept))
	}
}

// What is in the way of a recovery is found before anything is changed.
func TestRecoveryRefused(t *testing.T) {
	c := survivor(t, "127.114.0.22", 1)
	further := c
	further.DataDir = filepath.Join(t.TempDir(), "data")
	must(t, os.CopyFS(further.DataDir, os.DirFS(c.DataDir)))
	must(t, os.Chmod(further.DataDir, 0o700))
	appendConfiguration(t, further.DataDir, func(self raft.Server) []raft.Server { return []raft.Server{self} })
	foreign := initialised(t, "127.114.0.23")
	for name, row := range map[string]struct {
		dir     string
		compare []string
		says    string
	}{
		"one that has more": {c.DataDir, []string{further.DataDir}, "recover that member instead"},
		"another cluster's": {c.DataDir, []string{foreign.DataDir}, "no data at all"},
		"nothing there":     {foreign.DataDir, nil, "no data at all"},
		"missing":           {c.DataDir + "x", nil, "nothing there"},
	} {
		of := c
		of.DataDir = row.dir
		_, err := PlanRecovery(t.Context(), RecoverOptions{Config: of, Compare: row.compare, Logger: hclog.NewNullLogger()})
		if err == nil || !strings.Contains(err.Error(), row.says) {
			t.Errorf("%s: %v, want %q", name, err, row.says)
		}
	}
	if r, err := PlanRecovery(t.Context(), RecoverOptions{Config: further, Compare: []string{c.DataDir}, Logger: hclog.NewNullLogger()}); err != nil || len(r.Compared) != 1 {
		t.Errorf("the one that has more: %v", err)
	}
	r := start(t, c)
	r.status(t)
	_, err := PlanRecovery(t.Context(), RecoverOptions{Config: c, Logger: hclog.NewNullLogger()})
	if !isRefused(err, datadir.Locked) {
		t.Errorf("of a member that runs: %v", err)
	}
	r.end(t)
}
