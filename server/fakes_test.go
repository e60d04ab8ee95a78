package server

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"go.uber.org/goleak"

	"github.com/ballastdb/ballast/fsm/ledger"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds what a test waits for; it is not a claim about speed.
const patience = 10 * time.Second

// testContext ends with the test, or when patience does.
func testContext(t *testing.T) context.Context {
	t.Helper()
	// Not t.Context: cleanups use it too, and that one has ended then.
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// receive takes from c or fails the test.
func receive[T any](t *testing.T, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("waited in vain for %s", what)
		panic("unreachable")
	}
}

// eventually waits until cond holds.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// fakeFuture is a raft future that the test answers.
type fakeFuture struct {
	data     []byte
	index    uint64
	response any
	err      error
	done     chan struct{}
	once     sync.Once
}

func newFuture() *fakeFuture { return &fakeFuture{done: make(chan struct{})} }

func answered(err error) *fakeFuture {
	f := newFuture()
	f.fail(err, 0)
	return f
}

func (f *fakeFuture) Error() error  { <-f.done; return f.err }
func (f *fakeFuture) Response() any { return f.response }
func (f *fakeFuture) Index() uint64 { return f.index }
func (f *fakeFuture) succeed(index uint64, response any) {
	f.once.Do(func() { f.index, f.response = index, response; close(f.done) })
}

func (f *fakeFuture) fail(err error, index uint64) {
	f.once.Do(func() { f.err, f.index = err, index; close(f.done) })
}

// fakeRaft is a Raft whose answers a test sets.
type fakeRaft struct {
	mu            sync.Mutex
	state         raft.RaftState
	term          uint64
	commit, last  uint64
	applied       uint64
	contact       time.Time
	leader        raft.Server
	configuration raft.Configuration
	configIndex   uint64
	verify        error

	// proposals gets a future for each Apply, unless respond is set, which answers it at once.
	proposals chan *fakeFuture
	respond   func(f *fakeFuture)
	// changes records configuration changes and transfers; change, if set, answers them.
	changes []string
	change  func(verb string, id raft.ServerID) *fakeFuture
}

func newFakeRaft() *fakeRaft {
	return &fakeRaft{state: raft.Leader, term: 5, proposals: make(chan *fakeFuture, 1024)}
}

func (r *fakeRaft) with(change func(r *fakeRaft)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(r)
}

func get[T any](r *fakeRaft, field func() T) T {
	r.mu.Lock()
	defer r.mu.Unlock()
	return field()
}

func (r *fakeRaft) Apply(data []byte, _ time.Duration) raft.ApplyFuture {
	f := newFuture()
	f.data = data
	respond := get(r, func() func(*fakeFuture) { return r.respond })
	if respond != nil {
		respond(f)
		return f
	}
	r.proposals <- f
	return f
}

func (r *fakeRaft) State() raft.RaftState  { return get(r, func() raft.RaftState { return r.state }) }
func (r *fakeRaft) CurrentTerm() uint64    { return get(r, func() uint64 { return r.term }) }
func (r *fakeRaft) CommitIndex() uint64    { return get(r, func() uint64 { return r.commit }) }
func (r *fakeRaft) LastIndex() uint64      { return get(r, func() uint64 { return r.last }) }
func (r *fakeRaft) AppliedIndex() uint64   { return get(r, func() uint64 { return r.applied }) }
func (r *fakeRaft) LastContact() time.Time { return get(r, func() time.Time { return r.contact }) }
func (r *fakeRaft) LeaderWithID() (raft.ServerAddress, raft.ServerID) {
	leader := get(r, func() raft.Server { return r.leader })
	return leader.Address, leader.ID
}

func (r *fakeRaft) VerifyLeader() raft.Future {
	return answered(get(r, func() error { return r.verify }))
}

func (r *fakeRaft) GetConfiguration() raft.ConfigurationFuture {
	r.mu.Lock()
	defer r.mu.Unlock()
	return configurationFuture{answered(nil), r.configuration.Clone(), r.configIndex}
}

type configurationFuture struct {
	*fakeFuture
	configuration raft.Configuration
	index         uint64
}

func (f configurationFuture) Configuration() raft.Configuration { return f.configuration }
func (f configurationFuture) Index() uint64                     { return f.index }

func (r *fakeRaft) changed(verb string, id raft.ServerID) *fakeFuture {
	r.mu.Lock()
	r.changes = append(r.changes, verb+" "+string(id))
	change := r.change
	r.mu.Unlock()
	if change != nil {
		return change(verb, id)
	}
	f := newFuture()
	f.succeed(77, nil)
	return f
}

func (r *fakeRaft) BootstrapCluster(c raft.Configuration) raft.Future {
	return r.changed("bootstrap", c.Servers[0].ID)
}

func (r *fakeRaft) AddVoter(id raft.ServerID, _ raft.ServerAddress, _ uint64, _ time.Duration) raft.IndexFuture {
	return r.changed("voter", id)
}

func (r *fakeRaft) AddNonvoter(id raft.ServerID, _ raft.ServerAddress, _ uint64, _ time.Duration) raft.IndexFuture {
	return r.changed("non-voter", id)
}

func (r *fakeRaft) RemoveServer(id raft.ServerID, _ uint64, _ time.Duration) raft.IndexFuture {
	return r.changed("remove", id)
}

func (r *fakeRaft) LeadershipTransferToServer(id raft.ServerID, _ raft.ServerAddress) raft.Future {
	return r.changed("transfer", id)
}

// openTest is a CoalescerConfig.Open for responses of type Applied or error.
func openTest(response any) (Applied, error) {
	switch r := response.(type) {
	case Applied:
		return r, nil
	case error:
		return Applied{}, r
	}
	return Applied{}, errors.New("no response")
}

// numbered is a response of n results with sequence numbers from first.
func numbered(first uint64, n int) Applied {
	a := Applied{LogTime: 42}
	for i := range n {
		a.Results = append(a.Results, ledger.Result{Code: ledger.CodeApplied, Sequence: first + uint64(i)})
	}
	return a
}

// waiting is the number of operations in the queue.
func (c *Coalescer) waiting() int {
	c.queue.mu.Lock()
	defer c.queue.mu.Unlock()
	return c.queue.ops
}
