package linearizability

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/anishathalye/porcupine"
	"google.golang.org/grpc"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/internal/testcluster"
	"github.com/ballastdb/ballast/internal/wait"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
	"github.com/ballastdb/ballast/tests/linearizability/history"
	"github.com/ballastdb/ballast/tests/linearizability/network"
)

// Config of a run.
type Config struct {
	Seed uint64
	// RoundLength is how long one round's faults last. Each round has a ledger and a history of its own, so that what is
	// checked at once, and the memory that it takes, stay bounded.
	RoundLength time.Duration
	// Faults to draw from; nil: all.
	Faults []Fault
	// Pictures is a folder for porcupine's picture of a history that is not linearizable; empty: none is made.
	Pictures string
	Log      func(format string, args ...any)
}

const (
	clients     = 3 // each shared by several workers
	workers     = 12
	cells       = 5
	think       = 30 * time.Millisecond
	settleLimit = 90 * time.Second
	searchLimit = 60 * time.Second
)

// Round runs one round on a cluster and returns its verdict. An error means that the round could not be run, or that a
// member ended by itself, or that the cluster did not recover when all faults were healed.
func Round(ctx context.Context, cluster *testcluster.Cluster, cfg Config, number int) (*history.Verdict, error) {
	r := rand.New(rand.NewPCG(cfg.Seed, uint64(number)))
	from := cfg.Faults
	if from == nil {
		from = all
	}
	steps := Schedule(r, cfg.RoundLength, from)
	seed := r.Uint64()
	recorder := history.NewRecorder()
	between, err := network.New(planOf(seed), cluster.Endpoints(), func(c network.Copy) { recordCopy(recorder, c) })
	if err != nil {
		return nil, err
	}
	defer between.Close()
	run := &round{Config: cfg, name: fmt.Sprintf("s%d-r%d", cfg.Seed, number), cluster: cluster, network: between, recorder: recorder}
	for range clients {
		c, err := client.New(cluster.Endpoints(), client.WithDialOptions(grpc.WithContextDialer(between.Dial)))
		if err != nil {
			return nil, err
		}
		defer c.Close()
		run.clients = append(run.clients, c)
	}
	return run.do(ctx, steps, seed)
}

func planOf(seed uint64) network.Plan {
	return network.Plan{
		Seed: seed, Delayed: 0.05, LongestDelay: 300 * time.Millisecond,
		Copied: 0.1, CopiedRefused: 0.5, LatestCopy: 3 * time.Second,
	}
}

type round struct {
	Config
	name     string
	cluster  *testcluster.Cluster
	network  *network.Network
	recorder *history.Recorder
	clients  []*client.Client
	digests  history.Digests
	// early are violations seen before the faults began.
	early []history.Violation
}

func (r *round) do(ctx context.Context, steps []Step, seed uint64) (*history.Verdict, error) {
	initial, err := r.prepare(ctx)
	if err != nil {
		return nil, fmt.Errorf("prepare the accounts: %w", err)
	}
	work := &load{clients: r.clients, workers: workers, ids: r.name, seed: seed, think: think, recorder: r.recorder}
	for first := 0; first < len(initial); first += history.CellSize {
		var cell []string
		for _, a := range initial[first : first+history.CellSize] {
			cell = append(cell, a.GetId())
		}
		work.cells = append(work.cells, cell)
	}
	working, stop := context.WithCancel(ctx)
	worked := make(chan struct{})
	go func() { defer close(worked); work.run(working) }()
	trouble := &nemesis{
		cluster: r.cluster, network: r.network, digests: &r.digests, log: r.Log,
		killed: map[*testcluster.Member]bool{}, terminated: map[*testcluster.Member]bool{},
	}
	err = trouble.run(ctx, steps)
	stop()
	<-worked
	r.network.WaitForCopies()
	if err != nil {
		return nil, err
	}
	return r.settle(ctx, initial)
}

// prepare makes the round's ledger and accounts and reads them.
func (r *round) prepare(ctx context.Context) ([]*ballastv1.Account, error) {
	ctx, cancel := context.WithTimeout(ctx, settleLimit)
	defer cancel()
	id := func(what string) []client.OpOption {
		return []client.OpOption{client.WithID(r.name + "-" + what), client.WithIssuedAt(time.Now())}
	}
	c := r.clients[0]
	if _, err := c.CreateLedger(ctx, r.name, "NEM", 2, id("ledger")...); err != nil {
		return nil, err
	}
	var ids []string
	for i := range cells * history.CellSize {
		account := fmt.Sprintf("%s/a%d", r.name, i)
		floor := int64(-(i % 3) * 50)
		if _, err := c.CreateAccount(ctx, account, r.name, client.Limits{Floor: &floor}, id(account)...); err != nil {
			return nil, err
		}
		ids = append(ids, account)
	}
	for {
		answer, err := c.Accounts(ctx, ids)
		if err != nil {
			return nil, err
		}
		if len(answer.GetUnknown()) == 0 {
			return answer.GetAccounts(), nil
		}
		r.early = append(r.early, history.Violation{
			Kind:    history.NotLinearizable,
			Message: fmt.Sprintf("%q were made, and a read that began afterwards does not find them", answer.GetUnknown()),
		})
		if err := wait.For(ctx, 100*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

// settle waits until the healed cluster agrees with itself, asks it what happened, and checks the history.
func (r *round) settle(ctx context.Context, initial []*ballastv1.Account) (*history.Verdict, error) {
	ctx, cancel := context.WithTimeout(ctx, settleLimit)
	defer cancel()
	if _, err := r.cluster.WaitLeader(ctx); err != nil {
		return nil, fmt.Errorf("all faults are healed: %w", err)
	}
	truth, err := askTruth(ctx, r.clients[0], r.name, r.recorder)
	if err != nil {
		return nil, fmt.Errorf("all faults are healed: %w", err)
	}
	equal := r.cluster.WaitEqual(ctx)
	for _, s := range r.cluster.Statuses(ctx) {
		r.digests.Add(s.GetName(), s.GetCheckpoints())
	}
	verdict := history.Check(r.recorder.Calls(), initial, truth, searchLimit)
	verdict.Violations = append(append(r.early, verdict.Violations...), r.digests.Check()...)
	if equal != nil {
		verdict.Violations = append(verdict.Violations, history.Violation{Kind: history.DigestsDiffer, Message: equal.Error()})
	}
	r.Log("%s", r.summary(verdict))
	return verdict, r.draw(verdict)
}

// summary counts what the round was made of: a run in which nothing was unknown or refused has tested little.
func (r *round) summary(v *history.Verdict) string {
	counts := map[history.Outcome]int{}
	copies, refused := 0, 0
	for _, c := range r.recorder.Calls() {
		counts[c.Outcome]++
		if c.LateCopy {
			copies++
		}
		if len(c.Results) > 0 && c.Results[0].GetCode() != ballastv1.ResultCode_RESULT_CODE_APPLIED {
			refused++
		}
	}
	return fmt.Sprintf("%s: %d attempts and %d reads checked; calls: %d answered (%d refused), %d not done, %d unknown, %d late copies; "+
		"digests of all members compared at %d indexes; %d violations, %d cells undecided", r.name, v.Attempts, v.Reads,
		counts[history.Answered], refused, counts[history.NotDone], counts[history.Unknown], copies,
		r.digests.Compared(len(r.cluster.Members)), len(v.Violations), v.Undecided)
}

// draw writes porcupine's picture of a cell that is not linearizable.
func (r *round) draw(v *history.Verdict) error {
	if v.Info == nil || r.Pictures == "" {
		return nil
	}
	path := filepath.Join(r.Pictures, r.name+".html")
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	r.Log("picture of the history: %s", path)
	return errors.Join(porcupine.Visualize(*v.Model, *v.Info, out), out.Close())
}
