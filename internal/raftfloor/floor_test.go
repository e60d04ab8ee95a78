package raftfloor

import (
	"slices"
	"sync"
	"testing"

	"github.com/hashicorp/go-hclog"
	"go.uber.org/goleak"

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
	if want := callers * calls * operations * OperationBytes; leader.machine.bytes != want {
		t.Errorf("the leader applied %d bytes, want %d", leader.machine.bytes, want)
	}
}

// leader is the member that proposals go to.
func (f *Floor) leader() *member {
	i := slices.IndexFunc(f.members, func(m *member) bool { return m.raft == f.packer.leader })
	return f.members[i]
}
