package transport

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// TransferState is where a snapshot's way to a member is.
type TransferState string

const (
	// TransferWaiting waits for others to end; it costs nothing.
	TransferWaiting TransferState = "waiting"
	// TransferSending sends the manifest.
	TransferSending TransferState = "sending"
	// TransferStaging waits for the receiver, which pulls, verifies and installs; Progress tells what it is at.
	TransferStaging TransferState = "staging"
)

// TransferStatus is a snapshot on its way from this member, the leader, to another.
type TransferStatus struct {
	To      raft.ServerID
	Address raft.ServerAddress
	// Index and Term of the snapshot.
	Index, Term uint64
	State       TransferState
	// Since is when the call began, Begun when its turn came; zero: it has not.
	Since, Begun time.Time
	// Progress as the receiver last reported it, at Reported; zero: not yet.
	Progress Progress
	Reported time.Time
}

// transfers are the snapshots on their way: one for each member at most, for raft makes no second call beside one.
type transfers struct {
	mu  sync.Mutex
	all map[*transfer]struct{}
}

type transfer struct {
	owner  *transfers
	status TransferStatus // under owner.mu
}

func (t *transfers) begin(p *peer, r *raft.InstallSnapshotRequest, now time.Time) *transfer {
	t.mu.Lock()
	defer t.mu.Unlock()
	one := &transfer{owner: t, status: TransferStatus{
		To: p.id, Address: p.address, Index: r.LastLogIndex, Term: r.LastLogTerm, State: TransferWaiting, Since: now,
	}}
	if t.all == nil {
		t.all = map[*transfer]struct{}{}
	}
	t.all[one] = struct{}{}
	return one
}

func (t *transfers) end(one *transfer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.all, one)
}

func (t *transfer) set(state TransferState, now time.Time) {
	t.owner.mu.Lock()
	defer t.owner.mu.Unlock()
	t.status.State = state
	if t.status.Begun.IsZero() {
		t.status.Begun = now
	}
}

func (t *transfer) report(p Progress, now time.Time) {
	t.owner.mu.Lock()
	defer t.owner.mu.Unlock()
	t.status.Progress, t.status.Reported = p, now
}

// paceGrowth is the share of the pace that an undisturbed interval adds: from the slowest to a quarter of a gigabyte in about 6 s.
const paceGrowth = 0.25

// Felt reports whether this member sends so much to those that catch up that callers may feel it.
func (t *Transport) Felt() bool { return t.pace.Felt() }

// Transfers are the snapshots on their way from this member, by receiver; Progress.ByTable must not be changed.
func (t *Transport) Transfers() []TransferStatus {
	t.transfers.mu.Lock()
	defer t.transfers.mu.Unlock()
	var list []TransferStatus
	for one := range t.transfers.all {
		list = append(list, one.status)
	}
	slices.SortFunc(list, func(a, b TransferStatus) int { return cmp.Compare(a.To, b.To) })
	return list
}
