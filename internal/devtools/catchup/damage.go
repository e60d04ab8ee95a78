package catchup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"time"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/internal/testcluster"
	"github.com/ballastdb/ballast/internal/workload"
)

// damageKind is one way in which files of a member go bad.
type damageKind struct {
	name string
	// files are candidates, and done what becomes of one of them.
	files func(*testcluster.Member) ([]string, error)
	done  func(path string) error
}

func damageKinds() []damageKind {
	return []damageKind{
		{"page", files("snapshots", ".pack"), flip},
		{"pack", files("snapshots", ".pack"), os.Remove},
		{"manifest", newestManifest, flip},
		{"journal_segment", files("journal", ""), flip},
	}
}

// files of a folder, the largest first.
func files(folder, suffix string) func(*testcluster.Member) ([]string, error) {
	return func(m *testcluster.Member) ([]string, error) {
		paths, _ := filesOf(m, folder, suffix)
		return paths, nil
	}
}

func newestManifest(m *testcluster.Member) ([]string, error) {
	_, path, err := newestSnapshot(m)
	if path == "" {
		return nil, err
	}
	return []string{path}, err
}

// flip turns over the bits of a byte in the middle of a file.
func flip(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if len(data) == 0 {
		return fmt.Errorf("%s is empty", path)
	}
	data[len(data)/2] ^= 0xff
	return os.WriteFile(path, data, 0o600)
}

const (
	// damageWithin is how long a member may take to say what is wrong and to be as the others again.
	damageWithin = 90 * time.Second
	exitRefused  = 78
)

// damageSaid is how a member speaks of damage.
var damageSaid = regexp.MustCompile(`(?i)is damaged|corrupt|checksum|not on this disk|no such file`)

// damage damages files of a follower that does not run, one kind after another, and starts it again.
func damage(ctx context.Context, r *rig) error {
	if err := r.form(ctx, shape{voters: 3}); err != nil {
		return err
	}
	if err := r.shortLog(ctx); err != nil {
		return err
	}
	if err := r.snapshotNow(ctx); err != nil {
		return err
	}
	for _, kind := range damageKinds() {
		if err := r.damageOnce(ctx, kind); err != nil {
			return fmt.Errorf("%s: %w", kind.name, err)
		}
	}
	return nil
}

func (r *rig) damageOnce(ctx context.Context, kind damageKind) error {
	leader, err := r.leader(ctx)
	if err != nil {
		return err
	}
	m := r.others(leader)[0]
	if err := m.Stop(ctx); err != nil {
		return err
	}
	paths, err := kind.files(m)
	if err != nil {
		return err
	}
	if len(paths) == 0 {
		return errors.New("there is no such file")
	}
	if err := kind.done(paths[0]); err != nil {
		return err
	}
	mark := r.markLogs()
	began := time.Now()
	if err := m.Start(); err != nil {
		return err
	}
	outcome := r.await(ctx, m, kind)
	lines, err := mark.said(m, damageSaid)
	if err != nil {
		return err
	}
	r.tell("%s of %s: %s after %v", kind.name, m.Name, outcome, time.Since(began).Round(time.Millisecond))
	for _, line := range lines[:min(len(lines), 3)] {
		r.report.note("%s: %s said: %v", kind.name, m.Name, line)
	}
	r.report.holds(kind.name+"/said", len(lines) > 0)
	r.report.holds(kind.name+"/repaired_or_refused", outcome == repaired || outcome == refused)
	r.report.add(kind.name+"/repaired", boolean(outcome == repaired), unitBool)
	r.report.add(kind.name+"/seconds", time.Since(began).Seconds(), unitSeconds)
	if outcome == repaired {
		return nil
	}
	return r.replace(ctx, m)
}

// Outcomes of damage.
const (
	repaired = "repaired"
	refused  = "refused to start"
	ended    = "ended"
	unlike   = "not like the others"
)

// await waits until the member is as the others, or has ended.
func (r *rig) await(ctx context.Context, m *testcluster.Member, kind damageKind) string {
	ctx, cancel := context.WithTimeout(ctx, damageWithin)
	defer cancel()
	err := testcluster.Until(ctx, m.Name+" is as the others", func(ctx context.Context) error {
		if !m.Running() {
			return testcluster.Final(errors.New(ended))
		}
		look, done := context.WithTimeout(ctx, 3*time.Second)
		defer done()
		if err := r.cluster.WaitEqual(look); err != nil {
			return err
		}
		return r.sameStatement(look, m)
	})
	if err == nil {
		return repaired
	}
	if !m.Running() {
		if code, err := m.Wait(ctx); err == nil && code == exitRefused {
			return refused
		}
		return ended
	}
	r.report.note("%s: %v", kind.name, err)
	return unlike
}

// sameStatement compares the member's own, whole statements of some accounts with the leader's.
func (r *rig) sameStatement(ctx context.Context, m *testcluster.Member) error {
	alone, err := client.New([]string{m.ClientAddress}, client.WithTimeout(callTimeout))
	if err != nil {
		return err
	}
	defer alone.Close()
	for _, i := range r.some(min(10, r.Accounts)) {
		want, err := entries(ctx, r.client, i)
		if err != nil {
			return err
		}
		got, err := entries(ctx, alone, i, client.Stale())
		if err != nil {
			return err
		}
		if !bytes.Equal(got, want) {
			return testcluster.Final(fmt.Errorf("the statement of %s is another on %s", workload.AccountID(i), m.Name))
		}
	}
	return nil
}

// entries of an account, as bytes to compare.
func entries(ctx context.Context, c *client.Client, account int, options ...client.ReadOption) (all []byte, err error) {
	for entry, err := range c.Statement(ctx, workload.AccountID(account), 0, options...) {
		if err != nil {
			return nil, err
		}
		all = fmt.Appendf(all, "%d %d %d %s\n", entry.GetSequence(), entry.GetAmount(), entry.GetLogTime(), entry.GetReference())
	}
	return all, nil
}

// replace makes an unrepaired member new under its name, as a person would, so that the next kind finds three members.
func (r *rig) replace(ctx context.Context, m *testcluster.Member) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := m.Kill(); err != nil {
		return err
	}
	if _, err := r.client.Operator().RemoveMember(ctx, m.Name, true); err != nil {
		return err
	}
	if err := errors.Join(m.Wipe(ctx), m.Start()); err != nil {
		return err
	}
	if err := r.cluster.Join(ctx, m, true); err != nil {
		return err
	}
	if err := r.snapshotNow(ctx); err != nil {
		return err
	}
	_, err := r.equal(ctx, time.Minute)
	return err
}

func boolean(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
