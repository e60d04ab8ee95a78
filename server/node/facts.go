package node

import (
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ballastdb/ballast/fsm/ledger"
	"github.com/ballastdb/ballast/logstore"
	"github.com/ballastdb/ballast/server"
	"github.com/ballastdb/ballast/snapshots"
	"github.com/ballastdb/ballast/transport"
)

// facts gathers what every part knows of itself, how the member stands with it. It waits for nothing but short locks:
// each status and each scrape calls it.
func (n *node) facts() server.Facts {
	return n.standing.Facts(n.ownFacts())
}

// ownFacts are facts without a comparison with the leader.
func (n *node) ownFacts() server.Facts {
	applied, _ := n.machine.Applied()
	f := server.Facts{Raft: server.ReadRaft(n.raft, n.id, applied), Disk: n.diskFacts()}
	f.Load.Operations, f.Load.Bytes, f.Load.Proposals = n.coalescer.Load()
	if v := n.comparer.Last(); v.Judgement != server.Undecided {
		f.Verdict = &v
	}
	if n.TLS != nil {
		f.CertificateEnds = n.TLS.Certificate().NotAfter
	}
	f.Log = n.logFacts()
	f.Install = n.staging.facts()
	f.Transfers = n.transferFacts()
	f.Sent = server.SentFacts(n.transport.Sent())
	f.Scrub = n.scrubFacts()
	f.Snapshots = n.snapshotFacts()
	f.Journal = n.journalFacts()
	return f
}

func (n *node) diskFacts() *server.DiskFacts {
	f, s := n.disk.facts(), n.space.State()
	f.Free, f.Size, f.Room, f.Low, f.Reserved, f.ReserveWanted = s.Free, s.Size, s.Level, s.Low, s.Reserved, s.Reserve
	return f
}

func (n *node) logFacts() *server.LogFacts {
	st := n.log.Status()
	f := &server.LogFacts{Kind: string(st.Kind), First: st.First, Last: st.Last, Bytes: st.Bytes, Pins: len(st.Pins)}
	if !st.Oldest.IsZero() {
		f.Age = max(time.Since(st.Oldest), 0)
	}
	f.Writes = server.Distribution{Count: st.Writes.Count, Sum: st.Writes.Total, Below: map[time.Duration]uint64{}}
	sum := uint64(0)
	for i, count := range st.Writes.Buckets[:len(st.Writes.Buckets)-1] { // the last has no bound
		sum += count
		f.Writes.Below[logstore.LatencyBound(i)] = sum
	}
	return f
}

func (n *node) transferFacts() (list []server.TransferFacts) {
	for _, t := range n.transport.Transfers() {
		name, _, _ := strings.Cut(string(t.To), "/")
		list = append(list, server.TransferFacts{
			To: name, Waiting: t.State == transport.TransferWaiting, InstallFacts: installFacts(t.Index, t.Since, t.Progress),
		})
	}
	return list
}

func installFacts(index uint64, since time.Time, p transport.Progress) server.InstallFacts {
	f := server.InstallFacts{
		Index: index, Since: since, Step: p.Phase, PagesTotal: p.PagesTotal, PagesDone: p.PagesDone, PagesReused: p.PagesReused,
		BytesLeader: p.BytesFromLeader, BytesOthers: p.BytesFromOthers, BytesManifest: p.BytesManifest,
	}
	if p.Source != "" {
		name, _, _ := strings.Cut(string(p.Source), "/")
		f.Sources = []string{name}
	}
	return f
}

func (n *node) scrubFacts() (list []server.ScrubFacts) {
	for _, s := range n.scrub.Status() {
		list = append(list, server.ScrubFacts{Part: s.Part, Bytes: s.Bytes, Passes: s.Passes, Last: s.Last, Damaged: s.Found})
	}
	return list
}

func (n *node) snapshotFacts() *server.SnapshotFacts {
	st := n.snapshotter.Status()
	f := &server.SnapshotFacts{
		Taken: st.Taken, Skipped: st.Skipped, Failed: st.Failed, Took: st.Took, Written: st.Bytes,
		Writing: st.Writing, WritingPages: st.Pages, WritingOf: st.OfPages,
	}
	d, ok := n.snapshots.Describe()
	if !ok {
		return f
	}
	f.Index, f.Term, f.Pages, f.Bytes, f.Packs, f.PackBytes = d.Index, d.Term, d.Pages, d.Bytes, len(d.Packs), d.PackBytes
	if info, err := os.Stat(filepath.Join(n.dir.Snapshots(), snapshots.ManifestFile(d.Index, d.Term))); err == nil {
		f.At = info.ModTime()
	}
	return f
}

func (n *node) journalFacts() *server.JournalFacts {
	f := &server.JournalFacts{}
	n.machine.Read(func(s *ledger.State) { f.Entries, f.Bytes = s.Sequence(), s.JournalBytes() })
	p := n.backfill.Progress()
	f.Holes, f.MissingEntries, f.MissingBytes, f.Filled = p.Holes, p.Entries, p.Bytes, p.Fetched
	f.Source, _, _ = strings.Cut(p.From, "/")
	return f
}
