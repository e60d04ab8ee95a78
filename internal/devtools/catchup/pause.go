package catchup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/raft"

	"github.com/ballastdb/ballast/fsm"
	"github.com/ballastdb/ballast/fsm/ledger"
	"github.com/ballastdb/ballast/fsm/proposal"
	"github.com/ballastdb/ballast/internal/workload"
)

const (
	// pins is how often the state is pinned.
	pins = 50
	// pinBar is how long that may take.
	pinBar = time.Millisecond
	// perProposal operations are applied at once.
	perProposal = 1000
)

// machine is a state machine by itself, in this process: no raft, no network.
type machine struct {
	fsm   *fsm.FSM
	index uint64
	now   int64
}

// apply applies one proposal.
func (m *machine) apply(data []byte) error {
	m.index++
	answer, ok := m.fsm.Apply(&raft.Log{Index: m.index, Term: 1, Type: raft.LogCommand, Data: data}).(*fsm.Response)
	if !ok {
		return errors.New("the state machine stopped")
	}
	for i := range answer.Results {
		if code := answer.Results[i].Code; code != ledger.CodeApplied {
			return fmt.Errorf("an operation was answered with code %v", code)
		}
	}
	return answer.Err
}

func (m *machine) operations(ops []ledger.Operation) error {
	b := proposal.NewBuilder(1)
	m.now += int64(time.Millisecond)
	for i := range ops {
		ops[i].ID = fmt.Appendf(nil, "%d-%d", m.index, i)
		ops[i].IssuedAt, ops[i].Attempt = m.now, 1
		if err := b.Add(proposal.AppendOperation(nil, &ops[i]), 1); err != nil {
			return err
		}
	}
	return m.apply(b.Finish(m.now))
}

// fill makes accounts as workload.Prepare does.
func (m *machine) fill(ctx context.Context, accounts int) error {
	m.now = time.Now().UnixNano()
	settings, err := proposal.EncodeSettings(m.now, 1, "test", []proposal.Setting{{Number: proposal.SettingIDBudgetBytes, Value: idBudget}})
	if err != nil {
		return err
	}
	if err := errors.Join(m.apply(proposal.EncodeMarker(m.now, 1, 1)), m.apply(settings)); err != nil {
		return err
	}
	err = m.operations([]ledger.Operation{{Kind: ledger.KindCreateLedger, Ledger: []byte(workload.Ledger), Asset: []byte("USD"), Scale: 6}})
	for first := 0; first < accounts && err == nil && ctx.Err() == nil; first += perProposal {
		var ops []ledger.Operation
		for i := first; i < min(first+perProposal, accounts); i++ {
			ops = append(ops, ledger.Operation{Kind: ledger.KindCreateAccount, Credit: []byte(workload.AccountID(i)), Ledger: []byte(workload.Ledger)})
		}
		err = m.operations(ops)
	}
	return errors.Join(err, ctx.Err())
}

// pause measures how long it takes to pin the state for a snapshot, which holds up writers for as long, in this process.
func (r *rig) pause(ctx context.Context) (err error) {
	dir := filepath.Join(r.dir, "machine")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	var died error
	f, err := fsm.Open(fsm.Config{Dir: dir, Fatal: func(err error) { died = err }})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, died, f.Close(), os.RemoveAll(dir)) }()
	m := &machine{fsm: f}
	began := time.Now()
	if err := m.fill(ctx, r.Accounts); err != nil {
		return err
	}
	r.tell("a state machine of %d accounts was made in %v", r.Accounts, time.Since(began))
	var all []time.Duration
	for i := range pins {
		began := time.Now()
		pinned, err := f.PinExact()
		took := time.Since(began)
		if err != nil {
			return err
		}
		all = append(all, took)
		// Writers go on: what they touch is preserved, and the next pin has something to pin.
		err = m.operations([]ledger.Operation{{Kind: ledger.KindCredit, Credit: []byte(workload.AccountID(i % r.Accounts)), Amount: 1}})
		pinned.Release()
		if err != nil {
			return err
		}
	}
	worst := time.Duration(0)
	for _, took := range all {
		worst = max(worst, took)
	}
	r.report.atMost("pause_longest", milliseconds(worst), workload.UnitLatency, milliseconds(pinBar))
	return nil
}
