package node

import (
	"context"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/ballastdb/ballast/logstore"
	"github.com/ballastdb/ballast/transport"
)

// TestOffersAreJudged: what the log and the state of a member say to snapshots of committed entries.
func TestOffersAreJudged(t *testing.T) {
	logOf := func(first, last, term uint64) []*raft.Log {
		logs := markers(first, last)
		for _, l := range logs {
			l.Term = term
		}
		return logs
	}
	for name, c := range map[string]struct {
		log         []*raft.Log
		applied     uint64
		index, term uint64
		want        transport.Verdict
	}{
		"a new member":                              {nil, 0, 10, 3, transport.Wanted},
		"the log ends before it":                    {logOf(2, 9, 1), 9, 10, 3, transport.Wanted},
		"the log ends with it":                      {logOf(2, 10, 3), 5, 10, 3, transport.Held},
		"the log goes beyond it":                    {logOf(2, 20, 3), 20, 10, 3, transport.Held},
		"the log ends with another entry":           {logOf(2, 10, 2), 5, 10, 3, transport.Conflicting},
		"the log goes another way before it":        {logOf(2, 20, 2), 5, 10, 3, transport.Conflicting},
		"the log begins beyond it":                  {logOf(15, 20, 3), 20, 10, 3, transport.Outgrown},
		"the state is past it, and there is no log": {nil, 20, 10, 3, transport.Outgrown},
		"the state is at it, and there is no log":   {nil, 10, 10, 3, transport.Outgrown},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFloor(t)
			log, err := logstore.Open(logstore.Options{
				Dir: t.TempDir(), Kind: logstore.Bolt, Logger: hclog.NewNullLogger(), Fatal: func(err error) { t.Error(err) },
			})
			must(t, err)
			defer func() { must(t, log.Close()) }()
			f.log = log
			must(t, log.StoreLogs(c.log))
			if c.applied > 0 {
				f.machine.ApplyBatch(markers(2, c.applied))
			}
			found, err := f.judgeOffer(c.index, c.term)
			if err != nil || found != c.want {
				t.Errorf("found %v, %v, want %v", found, err, c.want)
			}
		})
	}
}

// TestTheQueueIsWaitedFor until it is empty, and no longer than the caller waits.
func TestTheQueueIsWaitedFor(t *testing.T) {
	left := 5
	if err := quiet(t.Context(), func() bool { left--; return left == 0 }); err != nil || left != 0 {
		t.Errorf("%v, and %d left", err, left)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := quiet(ctx, func() bool { return false }); err == nil {
		t.Error("a queue that is never empty is empty")
	}
}

// TestOutgrownIsHeard: that a member needs a newer snapshot is remembered, once, for the one who takes it.
func TestOutgrownIsHeard(t *testing.T) {
	n := newNode(Options{Logger: hclog.NewNullLogger()})
	n.noteOutgrown()
	n.noteOutgrown() // does not wait
	select {
	case <-n.outgrown:
	default:
		t.Error("nobody hears that a newer snapshot is needed")
	}
}
