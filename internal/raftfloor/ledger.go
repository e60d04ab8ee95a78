package raftfloor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/fsm"
	"github.com/ballastdb/ballast/fsm/ledger"
	"github.com/ballastdb/ballast/fsm/proposal"
	"github.com/ballastdb/ballast/internal/workload"
	"github.com/ballastdb/ballast/logstore"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
	"github.com/ballastdb/ballast/server"
)

const (
	// callTimeout bounds a call, as the client library's does.
	callTimeout  = 5 * time.Second
	closeTimeout = 10 * time.Second
	// prepareBatch is how many accounts one call opens.
	prepareBatch = 4000
	overdraft    = int64(1) << 40
)

// LedgerFloor is raft and the ledger in one process: three members with the real state machine, journal included, and
// the server's own packing of requests into proposals; without gRPC, admission and the client library. It is a
// workload.Target. It takes no snapshots.
type LedgerFloor struct {
	floor     *Floor
	coalescer *server.Coalescer
	machine   *fsm.FSM // of a member
}

// OpenLedger starts the members on directories made below dir, and waits until one leads.
func OpenLedger(ctx context.Context, dir string, kind logstore.Kind, logger hclog.Logger) (*LedgerFloor, error) {
	l := &LedgerFloor{floor: &Floor{}}
	leader, err := l.floor.start(ctx, dir, kind, logger, func(dir string) (raft.FSM, error) {
		machine, err := fsm.Open(fsm.Config{
			Dir: dir, Logger: logger,
			Fatal: func(err error) { logger.Error("state machine stopped", "error", err) },
		})
		if err != nil {
			return nil, err
		}
		l.machine = machine
		return machine, nil
	})
	if err != nil {
		return nil, errors.Join(err, l.floor.Close())
	}
	follow := &follower{leader: leader}
	for _, m := range l.floor.members {
		follow.members = append(follow.members, m.raft)
	}
	l.coalescer = server.NewCoalescer(server.CoalescerConfig{
		Raft: follow, Stamper: server.NewStamper(time.Now), Logger: logger,
		Seal: server.SealOperations(l.machine.ClusterVersion), Open: server.OpenResponse,
	})
	return l, nil
}

// Close stops the members and waits for them. Their files stay.
func (l *LedgerFloor) Close() error {
	err := l.floor.Close()
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	return errors.Join(err, l.coalescer.Close(ctx))
}

// Prepare makes the ledger and the accounts of a workload.
func (l *LedgerFloor) Prepare(ctx context.Context, accounts int) error {
	create := ledger.Operation{
		Kind: ledger.KindCreateLedger, Ledger: []byte(workload.Ledger), Asset: []byte("USD"), Scale: 6, Attempt: 1, ID: []byte(client.NewID()),
		IssuedAt: time.Now().UnixNano(),
	}
	if err := l.must(ctx, proposal.AppendOperation(nil, &create), 1); err != nil {
		return fmt.Errorf("create the ledger: %w", err)
	}
	for first := 0; first < accounts; first += prepareBatch {
		var encoded []byte
		count := 0
		for i := first; i < min(first+prepareBatch, accounts); i++ {
			op := ledger.Operation{
				Kind: ledger.KindCreateAccount, Credit: []byte(workload.AccountID(i)), Ledger: create.Ledger, HasFloor: true, Floor: -overdraft,
				Attempt: 1, ID: []byte(client.NewID()), IssuedAt: create.IssuedAt,
			}
			encoded = proposal.AppendOperation(encoded, &op)
			count++
		}
		if err := l.must(ctx, encoded, count); err != nil {
			return fmt.Errorf("open accounts: %w", err)
		}
	}
	return nil
}

// Submit has the operations, which are credits, debits and transfers, applied, each under an id of its own.
func (l *LedgerFloor) Submit(ctx context.Context, ops []*ballastv1.Operation) (refused int, err error) {
	encoded := make([]byte, 0, 96*len(ops))
	var op ledger.Operation
	now := time.Now().UnixNano()
	for _, p := range ops {
		op = ledger.Operation{Attempt: 1, ID: []byte(client.NewID()), IssuedAt: now}
		switch k := p.GetKind().(type) {
		case *ballastv1.Operation_Credit:
			op.Kind, op.Credit, op.Amount = ledger.KindCredit, []byte(k.Credit.GetAccount()), k.Credit.GetAmount()
		case *ballastv1.Operation_Debit:
			op.Kind, op.Debit, op.Amount = ledger.KindDebit, []byte(k.Debit.GetAccount()), k.Debit.GetAmount()
		case *ballastv1.Operation_Transfer:
			op.Kind, op.Amount = ledger.KindTransfer, k.Transfer.GetAmount()
			op.Debit, op.Credit = []byte(k.Transfer.GetDebitAccount()), []byte(k.Transfer.GetCreditAccount())
		default:
			return 0, fmt.Errorf("%w: operation %T, expected a credit, a debit or a transfer", client.ErrInvalid, k)
		}
		encoded = proposal.AppendOperation(encoded, &op)
	}
	return l.submit(ctx, encoded, len(ops))
}

func (l *LedgerFloor) submit(ctx context.Context, encoded []byte, count int) (refused int, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	applied, err := l.coalescer.Submit(ctx, encoded, count)
	if err != nil {
		return 0, err
	}
	for i := range applied.Results {
		if applied.Results[i].Code != ledger.CodeApplied {
			refused++
		}
	}
	return refused, nil
}

// must is submit where a refusal is an error.
func (l *LedgerFloor) must(ctx context.Context, encoded []byte, count int) error {
	refused, err := l.submit(ctx, encoded, count)
	if err == nil && refused > 0 {
		err = fmt.Errorf("%d of %d operations were refused, expected none", refused, count)
	}
	return err
}
