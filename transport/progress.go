package transport

import (
	"maps"
	"math"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	raftv1 "github.com/ballastdb/ballast/proto/raft/v1"
)

// maxPhaseBytes bounds the word for a phase.
const maxPhaseBytes = 32

func progressToWire(p Progress) *raftv1.InstallSnapshotProgress {
	m := &raftv1.InstallSnapshotProgress{
		Phase: p.Phase[:min(len(p.Phase), maxPhaseBytes)], PagesTotal: p.PagesTotal, PagesDone: p.PagesDone, PagesReused: p.PagesReused,
		BytesFromLeader: p.BytesFromLeader, BytesFromOthers: p.BytesFromOthers, BytesManifest: p.BytesManifest, Source: []byte(p.Source),
	}
	for table, bytes := range p.ByTable {
		if m.BytesByTable == nil {
			m.BytesByTable = map[uint32]uint64{}
		}
		m.BytesByTable[uint32(table)] = bytes
	}
	return m
}

// progressFromWire drops what no correct member sends: it is only shown.
func progressFromWire(m *raftv1.InstallSnapshotProgress) Progress {
	p := Progress{
		Phase: m.GetPhase()[:min(len(m.GetPhase()), maxPhaseBytes)], PagesTotal: m.GetPagesTotal(), PagesDone: m.GetPagesDone(), PagesReused: m.GetPagesReused(),
		BytesFromLeader: m.GetBytesFromLeader(), BytesFromOthers: m.GetBytesFromOthers(), BytesManifest: m.GetBytesManifest(),
	}
	if len(m.GetSource()) <= maxNameBytes+1+uuidTextBytes {
		p.Source = raft.ServerID(m.GetSource())
	}
	for table, bytes := range m.GetBytesByTable() {
		if table > math.MaxUint8 {
			continue
		}
		if p.ByTable == nil {
			p.ByTable = map[uint8]uint64{}
		}
		p.ByTable[uint8(table)] = bytes
	}
	return p
}

// reporter sends the newest progress to the leader now and then, where there was any: the counts may stay the same, while the
// receiver only computes, and the leader must know all the same that it is not stuck. It alone sends on the stream.
type reporter struct {
	mu     sync.Mutex
	latest Progress
	notes  uint64 // how often there was progress

	end  func()        // has it send no more; does not wait
	done chan struct{} // closed when it does not
}

// report starts a reporter; end must be called. It may hang in send until the stream is over.
func (t *Transport) report(every time.Duration, send func(*raftv1.InstallSnapshotResponse) error) *reporter {
	stop := make(chan struct{})
	r := &reporter{end: sync.OnceFunc(func() { close(stop) }), done: make(chan struct{})}
	t.running.Go(func() {
		defer close(r.done)
		tick := time.NewTicker(every)
		defer tick.Stop()
		var said uint64
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
			}
			now, notes := r.get()
			if notes == said {
				continue
			}
			said = notes
			m := &raftv1.InstallSnapshotResponse{Part: &raftv1.InstallSnapshotResponse_Progress{Progress: progressToWire(now)}}
			if send(m) != nil {
				return // the stream is over
			}
		}
	})
	return r
}

// note is what a Stager calls.
func (r *reporter) note(p Progress) {
	p.ByTable = maps.Clone(p.ByTable)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.latest = p
	r.notes++
}

// phase changes only the word.
func (r *reporter) phase(word string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.latest.Phase = word
	r.notes++
}

func (r *reporter) get() (latest Progress, notes uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.latest, r.notes
}
