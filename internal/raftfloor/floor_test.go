package raftfloor

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"go.uber.org/goleak"

	"github.com/ballastdb/ballast/internal/workload"
	"github.com/ballastdb/ballast/logstore"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// What callers are told is done has been applied, and nothing runs after Close.
func TestFloorAppliesWhatItAnswers(t *testing.T) {
	defer goleak.VerifyNone(t)
	f, err := Open(t.Context(), t.TempDir(), logstore.Bolt, hclog.NewNullLogger())
	if err != nil {
		t.Fatal(err)
	}
	const callers, calls, operations = 8, 5, 3
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for range calls {
				if _, err := f.Submit(t.Context(), make([]*ballastv1.Operation, operations)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	leader := f.leader()
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if want := callers * calls * operations * OperationBytes; leader.machine.(*counter).bytes != want {
		t.Errorf("the leader applied %d bytes, want %d", leader.machine.(*counter).bytes, want)
	}
}

// The second floor does what it is asked for: money moves and nothing is refused.
func TestLedgerFloorKeepsBooks(t *testing.T) {
	defer goleak.VerifyNone(t)
	l, err := OpenLedger(t.Context(), t.TempDir(), logstore.Bolt, hclog.NewNullLogger())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}()
	if err := l.Prepare(t.Context(), 10); err != nil {
		t.Fatal(err)
	}
	config := workload.Config{
		Name: "test", Accounts: 10, Mix: workload.Mix{Credit: 1, Debit: 1, Transfer: 2}, Callers: 4, Operations: 3, Duration: 200 * time.Millisecond,
	}
	result, err := workload.Run(t.Context(), config, l)
	if err != nil {
		t.Fatal(err)
	}
	if result.Operations == 0 || result.Refused > 0 || result.Failed > 0 {
		t.Errorf("%d operations, %d refused, %d calls failed: %v", result.Operations, result.Refused, result.Failed, result.LastFailure)
	}
}

// leader is the member that proposals go to.
func (f *Floor) leader() *member {
	i := slices.IndexFunc(f.members, func(m *member) bool { return m.raft == f.packer.leader })
	return f.members[i]
}
