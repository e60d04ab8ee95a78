package catchup

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/internal/testcluster"
	"github.com/ballastdb/ballast/internal/workload"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// callTimeout bounds each call of the load: the client's default, as callers have it.
const callTimeout = client.DefaultTimeout

// logLines of each member are told where a case fails, so much of each.
const logLines, logColumns = 8, 240

// rig is a case under way: its clusters, one at a time, and its report.
type rig struct {
	Options
	dir    string
	report *Report
	began  time.Time

	clusters int // made so far
	cluster  *testcluster.Cluster
	client   *client.Client
}

// shape of a cluster.
type shape struct {
	voters, nonVoters int
	// idle members have a data directory and a process, and have not been joined.
	idle int
}

func (r *rig) tell(format string, args ...any) {
	if r.Tell != nil {
		r.Tell(fmt.Sprintf("%6.1fs  ", time.Since(r.began).Seconds()) + fmt.Sprintf(format, args...))
	}
}

// scaled is a time of a phase: as given, or in a smoke run a tenth, at most two seconds.
func (r *rig) scaled(d time.Duration) time.Duration {
	if r.Smoke {
		return min(d/10, 2*time.Second)
	}
	return d
}

// idBudget of all cases but those that count bytes: as many ids as callers that retry for seconds need.
const idBudget = 64 << 20

// seedAbove so many accounts they are made on one member, and the others get a snapshot of it: two processors make them
// for six members too slowly.
const seedAbove = 2_000_000

// form makes and forms a new cluster in place of the one before, with a client, and with accounts in it. Operation ids are
// kept within idBudget, so that the state is accounts for the most part.
func (r *rig) form(ctx context.Context, s shape) error {
	if err := r.close(); err != nil {
		return err
	}
	level := r.LogLevel
	if level == "" {
		level = "info"
	}
	r.clusters++
	options := testcluster.Options{
		Members: s.voters + s.nonVoters + s.idle, NonVoters: s.nonVoters, Idle: s.idle,
		Dir: filepath.Join(r.dir, fmt.Sprintf("cluster-%d", r.clusters)), Config: map[string]string{"log_level": level},
	}
	seed := r.Accounts > seedAbove && options.Members > 1
	if seed {
		options.NonVoters, options.Idle = 0, options.Members-1
	}
	var err error
	if r.cluster, err = testcluster.New(ctx, options); err != nil {
		return err
	}
	if err := r.cluster.StartAll(); err != nil {
		return err
	}
	if err := r.cluster.Form(ctx); err != nil {
		return err
	}
	// A client's own address list must not lead it to members that are not there to stay.
	r.client, err = client.New(r.cluster.Endpoints()[:s.voters], client.WithTimeout(callTimeout))
	if err != nil {
		return err
	}
	if err := r.prepare(ctx); err != nil || !seed {
		return err
	}
	return r.sow(ctx, s)
}

// prepare makes the accounts.
func (r *rig) prepare(ctx context.Context) error {
	if err := r.set(ctx, smallIDs(idBudget)); err != nil {
		return err
	}
	began := time.Now()
	if err := workload.Prepare(ctx, r.client, r.Accounts); err != nil {
		return err
	}
	took := time.Since(began)
	r.tell("%d accounts made in %.1f s: %.0f a second", r.Accounts, took.Seconds(), float64(r.Accounts)/took.Seconds())
	return nil
}

// sow gives the state of the first member to the others of the shape, which are joined by it.
func (r *rig) sow(ctx context.Context, s shape) error {
	before, err := r.client.Operator().Settings(ctx)
	if err != nil {
		return err
	}
	fast := uint64(1 << 30)
	if err := errors.Join(r.shortLog(ctx), r.set(ctx, &ballastv1.Settings{TransferRate: &fast})); err != nil {
		return err
	}
	if err := r.snapshotNow(ctx); err != nil {
		return err
	}
	began := time.Now()
	for _, m := range r.cluster.Members[1 : s.voters+s.nonVoters] {
		if err := r.cluster.Join(ctx, m, m.Number <= s.voters); err != nil {
			return err
		}
		if _, err := r.applied(ctx, 5*time.Minute, m); err != nil {
			return err
		}
	}
	r.tell("the other members had the accounts after %v", time.Since(began))
	return r.set(ctx, before)
}

// close ends the cluster.
func (r *rig) close() error {
	var errs []error
	if r.client != nil {
		errs = append(errs, r.client.Close())
		r.client = nil
	}
	if r.cluster != nil {
		errs = append(errs, r.cluster.Close())
		r.cluster = nil
	}
	return errors.Join(errs...)
}

// tellLogs shows the ends of the members' logs.
func (r *rig) tellLogs() {
	if r.cluster == nil || r.Tell == nil {
		return
	}
	for line := range strings.Lines(r.cluster.Logs(logLines)) {
		line = strings.TrimRight(line, "\n")
		r.Tell(line[:min(len(line), logColumns)])
	}
}

// set changes replicated settings.
func (r *rig) set(ctx context.Context, s *ballastv1.Settings) error {
	_, err := r.client.Operator().SetSettings(ctx, s)
	return err
}

// smallIDs has operation ids take at most so many bytes: the oldest are forgotten, and what was issued before them is refused.
func smallIDs(bytes uint64) *ballastv1.Settings {
	return &ballastv1.Settings{IdWindow: durationpb.New(time.Minute), IdBudgetBytes: &bytes}
}

// leader answers who leads, and the member's process id.
func (r *rig) leader(ctx context.Context) (*testcluster.Member, error) {
	return r.cluster.WaitLeader(ctx)
}

// others are all members but those given.
func (r *rig) others(not ...*testcluster.Member) (others []*testcluster.Member) {
	for _, m := range r.cluster.Members {
		excepted := false
		for _, n := range not {
			excepted = excepted || m == n
		}
		if !excepted {
			others = append(others, m)
		}
	}
	return others
}

// equal waits until all members that run are the same, and answers how long that took.
func (r *rig) equal(ctx context.Context, within time.Duration) (time.Duration, error) {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	err := r.cluster.WaitEqual(ctx)
	return time.Since(began), err
}

// applied waits until the members have applied what the leader had committed when asked.
func (r *rig) applied(ctx context.Context, within time.Duration, members ...*testcluster.Member) (time.Duration, error) {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	leader, err := r.leader(ctx)
	if err != nil {
		return 0, err
	}
	s, err := leader.Status(ctx)
	if err != nil {
		return 0, err
	}
	for _, m := range members {
		err := testcluster.Until(ctx, fmt.Sprintf("%s has applied %d", m.Name, s.CommitIndex), func(ctx context.Context) error {
			own, err := m.Status(ctx)
			if err == nil && own.AppliedIndex < s.CommitIndex {
				err = fmt.Errorf("it has applied %d", own.AppliedIndex)
			}
			return err
		})
		if err != nil {
			return 0, err
		}
	}
	return time.Since(began), nil
}
