package node

import (
	"github.com/ballastdb/ballast/fsm/ledger"
	"github.com/ballastdb/ballast/server"
)

// facts gathers what every part knows of itself, how the member stands with it. It waits for nothing but short locks:
// each status and each scrape calls it.
func (n *node) facts() server.Facts {
	return n.standing.Facts(n.ownFacts())
}

// ownFacts are facts without a comparison with the leader.
func (n *node) ownFacts() server.Facts {
	applied, _ := n.machine.Applied()
	f := server.Facts{Raft: server.ReadRaft(n.raft, n.id, applied), Disk: n.disk.facts()}
	f.Load.Operations, f.Load.Bytes, f.Load.Proposals = n.coalescer.Load()
	if v := n.comparer.Last(); v.Judgement != server.Undecided {
		f.Verdict = &v
	}
	f.Log = n.logFacts()
	f.Snapshots = n.snapshotFacts()
	f.Journal = n.journalFacts()
	return f
}

func (n *node) logFacts() *server.LogFacts {
	first, err := n.cache.FirstIndex()
	if err != nil {
		return nil
	}
	last, err := n.cache.LastIndex()
	if err != nil {
		return nil
	}
	return &server.LogFacts{Kind: n.Config.LogStore, First: first, Last: last}
}

func (n *node) snapshotFacts() *server.SnapshotFacts {
	return &server.SnapshotFacts{Index: n.snapshots.NewestIndex()}
}

func (n *node) journalFacts() *server.JournalFacts {
	f := &server.JournalFacts{}
	n.machine.Read(func(s *ledger.State) { f.Entries, f.Bytes = s.Sequence(), s.JournalBytes() })
	return f
}
