package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ballastdb/ballast/internal/faults"
	"github.com/ballastdb/ballast/internal/testcluster"
)

// TestDamagedFollowerStopsItself: a balance changes in a follower's memory. At the next checkpoint it finds that the
// majority has another state, stops, and says why; the others go on; started again it has the majority's state.
func TestDamagedFollowerStopsItself(t *testing.T) {
	b := openBank(t, testcluster.Options{})
	b.credit(8)
	b.checkEqual()
	m := b.followers()[0]
	b.damage(m)
	b.credit(8) // the account is changed properly, too
	b.stopsItself(m)
}

// TestDamagedLeaderStopsItself: the same on the leader. Another one takes over, with the right balances.
func TestDamagedLeaderStopsItself(t *testing.T) {
	b := openBank(t, testcluster.Options{})
	b.credit(8)
	b.checkEqual()
	m := b.leader()
	b.damage(m)
	b.credit(8)
	b.stopsItself(m)
}

// TestDamageThatNobodyTouchesIsFound by the scrub: the digest does not see it.
func TestDamageThatNobodyTouchesIsFound(t *testing.T) {
	b := openBank(t, testcluster.Options{})
	b.credit(8)
	b.checkEqual()
	m := b.leader()
	b.damage(m)
	b.stopsItself(m)
	b.says(m, "was changed in memory")
}

// damage changes a balance in one member's memory.
func (b *bank) damage(m *testcluster.Member) {
	b.t.Helper()
	must(b.t, m.SetFaults(faults.Faults{DamageAccount: "account-1"}))
}

// stopsItself sees a damaged member stop, the others go on, and it come back.
func (b *bank) stopsItself(m *testcluster.Member) {
	b.t.Helper()
	code, err := m.Wait(b.ctx())
	must(b.t, err)
	if code != 1 {
		b.t.Errorf("%s ended with exit code %d, want 1: starting it again is safe", m.Name, code)
	}
	b.says(m, "the state of this member is wrong; it stops", "start it again and it repairs itself")
	if _, err := os.Stat(filepath.Join(m.DataDir(), "condemned")); err != nil {
		b.t.Errorf("nothing keeps the next start from trusting the state: %v", err)
	}
	b.credit(8)
	b.check()
	must(b.t, m.SetFaults(faults.Faults{}))
	must(b.t, m.Start())
	b.credit(8)
	b.checkEqual()
	b.check()
	must(b.t, testcluster.Until(b.ctx(), "the note is gone", func(context.Context) error {
		if _, err := os.Stat(filepath.Join(m.DataDir(), "condemned")); !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("it is there, or cannot be looked for: %v", err)
		}
		return nil
	}))
	b.saysSoon(m, "the state is that of the majority again")
}

// saysSoon waits for a text in a member's log.
func (b *bank) saysSoon(m *testcluster.Member, text string) {
	b.t.Helper()
	must(b.t, testcluster.Until(b.ctx(), "a line in the log of "+m.Name, func(context.Context) error {
		log, err := os.ReadFile(m.LogPath())
		if err == nil && !strings.Contains(string(log), text) {
			err = fmt.Errorf("%q is not in it", text)
		}
		return err
	}))
}

// says looks for each text in a member's log.
func (b *bank) says(m *testcluster.Member, texts ...string) {
	b.t.Helper()
	log, err := os.ReadFile(m.LogPath())
	must(b.t, err)
	for _, text := range texts {
		if !strings.Contains(string(log), text) {
			b.t.Errorf("%q is not in the log of %s", text, m.Name)
		}
	}
}
