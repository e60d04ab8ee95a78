package node

import (
	"context"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/ballastdb/ballast/fsm/proposal"
	"github.com/ballastdb/ballast/logstore"
)

// trims tells what a log is to keep.
type trims chan logstore.Retention

func (c trims) SetRetention(r logstore.Retention) { c <- r }

// TestRetentionWaitsForTheSettings: a member that starts does not know the settings before it has applied its log. With those of
// its newest snapshot, or the defaults, it would let go of what the cluster wants to be kept.
func TestRetentionWaitsForTheSettings(t *testing.T) {
	const now = 1_785_000_000_000_000_000
	f := newFloor(t)
	terms := make(chan uint64) // asked for, one at a time
	told := make(trims, 1)
	ctx, cancel := context.WithCancel(t.Context())
	end := make(chan struct{})
	go func() {
		defer close(end)
		trimLog(ctx, told, f.machine, func() uint64 { return <-terms })
	}()
	defer func() { cancel(); close(terms); <-end }()
	apply := func(index, term uint64, data []byte) {
		f.machine.ApplyBatch([]*raft.Log{{Index: index, Term: term, Type: raft.LogCommand, Data: data}})
	}
	terms <- 0 // nothing is known
	apply(2, 1, proposal.EncodeMarker(now, 1, 1))
	terms <- 2 // the leader's own first entry is not applied here yet
	settings, err := proposal.EncodeSettings(now, 1, "test", []proposal.Setting{{Number: proposal.SettingLogRetentionTime, Value: uint64(24 * time.Hour)}})
	must(t, err)
	apply(3, 1, settings)
	terms <- 2
	select {
	case r := <-told:
		t.Fatalf("the log keeps to %+v before the settings are known", r)
	default:
	}
	apply(4, 2, proposal.EncodeMarker(now, 1, 2))
	terms <- 2
	if r := <-told; r.Age != 24*time.Hour {
		t.Errorf("the log keeps entries for %v, the settings say 24 h", r.Age)
	}
}
