package node

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"github.com/ballastdb/ballast/census"
	"github.com/ballastdb/ballast/datadir"
	raftv1 "github.com/ballastdb/ballast/proto/raft/v1"
	"github.com/ballastdb/ballast/transport"
)

const (
	// censusEvery is how often a member that the others list asks again; how much it said since then is what a rolled-back disk
	// may hide.
	censusEvery = 10 * time.Second
	// censusSoon is how often one asks that does not know how it stands.
	censusSoon = time.Second
	// censusRounds bounds how often one census asks those that it has just learnt of.
	censusRounds = 3
	// maxCensus bounds how many are asked: there are at most 128 members.
	maxCensus = 128
)

// registry is what a member knows about how it stands with the others, and they with it.
type registry struct {
	memory *census.Memory
	// token is random, made at this start.
	token uint64
	// standing is the last that was found out; note what an operator should know of it.
	standing atomic.Pointer[census.Standing]
	note     atomic.Pointer[string]
	// wake asks for a census now; there is room for one.
	wake chan struct{}

	mu sync.Mutex
	// callers are addresses of members that take this one for another.
	callers []raft.ServerAddress
}

// openRegistry reads what was heard of the others before.
func (n *node) openRegistry() error {
	var random [8]byte
	if _, err := rand.Read(random[:]); err != nil {
		return fmt.Errorf("make the token of this start: %w", err)
	}
	heard, err := n.dir.Heard()
	if err != nil {
		n.Logger.Warn("what the other members said of themselves cannot be read", "error", err)
	}
	kept := map[string]census.Fact{}
	for _, h := range heard {
		kept[h.ID] = census.Fact{Boots: h.Boots, Token: h.Token, Term: h.Term, Applied: h.Applied}
	}
	n.registry = &registry{memory: census.NewMemory(kept), token: binary.LittleEndian.Uint64(random[:]), wake: make(chan struct{}, 1)}
	return nil
}

// takeFirstCensus asks the other members, before raft runs, whether this one still is what its data directory says. Where too few
// answer the member starts, and is judged as soon as they do.
func (n *node) takeFirstCensus(ctx context.Context) (err error) {
	if err := n.openRegistry(); err != nil {
		return err
	}
	self, err := n.selfOnDisk()
	if err != nil {
		return err
	}
	list, err := n.snapshots.List()
	if err != nil {
		return fmt.Errorf("list the snapshots: %w", err)
	}
	var configuration raft.Configuration
	if len(list) > 0 {
		configuration = list[0].Configuration
	}
	members, err := n.callers()
	if err != nil {
		return err
	}
	defer func() { err = joinClose(err, members) }()
	verdict := n.ask(ctx, members, self, n.knownPeers(configuration))
	if verdict.Final() && self.Last > 0 {
		// Only now is the whole log read for the configuration in it: raft does it again.
		if configuration, self.Configuration, err = lastConfiguration(n.log, list); err != nil {
			return err
		}
		self.Sole = soleVoter(configuration, n.id)
		verdict = n.ask(ctx, members, self, n.knownPeers(configuration))
	}
	if verdict.Final() {
		return n.refuse(verdict, self)
	}
	return nil
}

// refuse is the refusal. A start on a disk that was rolled back is not counted on it: with every try it would come nearer to the count
// that the others remember.
func (n *node) refuse(v census.Verdict, self census.Self) error {
	refused := n.refusal(v, self)
	if v.Standing == census.RolledBack {
		return errors.Join(refused, n.dir.Uncount())
	}
	return refused
}

// boots is how often a member's data directory was opened, as far as this one was told.
func (n *node) boots(id raft.ServerID) uint64 {
	if id == n.id {
		return n.dir.Boots()
	}
	return n.registry.memory.Boots(string(id))
}

// selfOnDisk is what this member says of itself before raft runs.
func (n *node) selfOnDisk() (census.Self, error) {
	self := n.selfSaid()
	var err error
	if self.Last, err = n.log.LastIndex(); err != nil {
		return self, fmt.Errorf("read the raft log: %w", err)
	}
	self.Last = max(self.Last, n.snapshots.NewestIndex())
	self.Term, err = currentTerm(n.log)
	return self, err
}

// selfRunning is what it says while raft runs. What is applied is read before where the log ends, and the term last.
func (n *node) selfRunning() census.Self {
	self := n.selfSaid()
	self.Applied, _ = n.machine.Applied()
	self.Last = n.raft.LastIndex()
	self.Term = n.raft.CurrentTerm()
	self.Configuration = n.committedConfiguration().index
	if configuration, err := latestConfiguration(n.raft); err == nil {
		self.Sole = soleVoter(configuration, n.id)
	}
	return self
}

// selfSaid is what stays the same while it runs.
func (n *node) selfSaid() census.Self {
	return census.Self{
		ID: string(n.id), Address: n.Config.MemberAddress, Epoch: n.identity.Epoch,
		Fact: census.Fact{Boots: n.dir.Boots(), Token: n.registry.token},
	}
}

// startCensus asks again and again while the member runs, and answers the others.
func (n *node) startCensus() error {
	n.undo.pushClose("end the census", run(n.keepCensus))
	return nil
}

func (n *node) keepCensus(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-n.registry.wake:
		case <-ctx.Done():
			n.keepHeard()
			return
		}
		if n.census(ctx) {
			return
		}
		n.keepHeard()
		timer.Reset(n.untilNextCensus())
	}
}

func (n *node) untilNextCensus() time.Duration {
	standing := n.registry.standing.Load()
	if _, leader := n.raft.LeaderWithID(); leader != "" && standing != nil && *standing == census.Listed {
		return censusEvery
	}
	return censusSoon
}

// census asks once; done: this member ends by it.
func (n *node) census(ctx context.Context) (done bool) {
	configuration, err := latestConfiguration(n.raft)
	if err != nil {
		return false
	}
	self := n.selfRunning()
	verdict := n.ask(ctx, n.transport, self, append(n.registry.calling(), configuration.Servers...))
	if ctx.Err() != nil {
		return true
	}
	n.registry.standing.Store(&verdict.Standing)
	if !verdict.Final() {
		return false
	}
	refused := n.refuse(verdict, self)
	n.Logger.Error("this member must not take part any more; it stops", "reason", refused)
	n.gate.Condemn("stops, because it is refused (" + string(verdict.Standing) + "); its log says what to do; calls go to the other members")
	n.failed <- refused
	return true
}

// ask asks everybody, those too that the answers tell of, and judges.
func (n *node) ask(ctx context.Context, through *transport.Transport, self census.Self, servers []raft.Server) census.Verdict {
	var answers []census.Answer
	asked := map[raft.ServerAddress]bool{raft.ServerAddress(self.Address): true}
	for range censusRounds {
		var next []raft.ServerAddress
		for _, s := range servers {
			if !asked[s.Address] && len(asked) < maxCensus {
				asked[s.Address] = true
				next = append(next, s.Address)
			}
		}
		if len(next) == 0 {
			break
		}
		got := askAll(ctx, through, self, n.identity, next)
		answers, servers = append(answers, got...), nil
		for _, a := range got {
			for _, m := range a.Members {
				servers = append(servers, raft.Server{ID: raft.ServerID(m.ID), Address: raft.ServerAddress(m.Address)})
			}
		}
	}
	n.noteHistories(self, answers)
	return census.Judge(self, answers)
}

// askAll asks at all addresses at once.
func askAll(ctx context.Context, through *transport.Transport, self census.Self, identity transport.Identity, addresses []raft.ServerAddress) []census.Answer {
	said := &raftv1.CensusRequest{
		ClusterId: identity.ClusterID[:], RecoveryEpoch: self.Epoch, Id: []byte(self.ID), Boots: self.Boots, BootToken: self.Token,
		Term: self.Term, LastIndex: self.Last, AppliedIndex: self.Applied,
	}
	found := make([]*raftv1.CensusResponse, len(addresses))
	var all sync.WaitGroup
	for i, address := range addresses {
		all.Go(func() {
			if answer, err := through.Census(ctx, address, said); err == nil { // who is silent says nothing
				found[i] = answer
			}
		})
	}
	all.Wait()
	var answers []census.Answer
	for _, a := range found {
		if a != nil {
			answers = append(answers, answerFromWire(a))
		}
	}
	return answers
}

func answerFromWire(a *raftv1.CensusResponse) census.Answer {
	answer := census.Answer{
		ID: string(a.GetId()), Epoch: a.GetRecoveryEpoch(), Configuration: a.GetConfigurationIndex(), Committed: a.GetCommitted(),
	}
	for _, m := range a.GetMembers() {
		answer.Members = append(answer.Members, census.Member{ID: string(m.GetId()), Address: string(m.GetAddress()), Voter: m.GetVoter()})
	}
	if r := a.GetRemembered(); r != nil {
		answer.Remembered = &census.Fact{Boots: r.GetBoots(), Token: r.GetBootToken(), Term: r.GetTerm(), Applied: r.GetAppliedIndex()}
	}
	return answer
}

// answerCensus tells another member how this one sees it, and remembers what it said.
func (n *node) answerCensus(said *raftv1.CensusRequest) *raftv1.CensusResponse {
	answer := &raftv1.CensusResponse{RecoveryEpoch: n.identity.Epoch, Id: []byte(n.id)}
	configuration := n.committedConfiguration()
	answer.ConfigurationIndex, answer.Committed = configuration.index, configuration.index > 0
	listed := false
	for _, s := range configuration.Servers {
		answer.Members = append(answer.Members, &raftv1.CensusMember{Id: []byte(s.ID), Address: []byte(s.Address), Voter: s.Suffrage == raft.Voter})
		listed = listed || string(s.ID) == string(said.GetId())
	}
	if !listed || said.GetRecoveryEpoch() != n.identity.Epoch {
		return answer
	}
	if f := n.registry.memory.Hear(census.Self{
		ID: string(said.GetId()), Last: said.GetLastIndex(),
		Fact: census.Fact{Boots: said.GetBoots(), Token: said.GetBootToken(), Term: said.GetTerm(), Applied: said.GetAppliedIndex()},
	}); f != nil {
		answer.Remembered = &raftv1.CensusMemory{Boots: f.Boots, BootToken: f.Token, Term: f.Term, AppliedIndex: f.Applied}
	}
	return answer
}

// noteMisaddressed remembers where a member is that takes this one for another, and has it asked.
func (n *node) noteMisaddressed(_ raft.ServerID, address raft.ServerAddress) {
	r := n.registry
	r.mu.Lock()
	known := slices.Contains(r.callers, address)
	if !known && len(r.callers) < maxCensus {
		r.callers = append(r.callers, address)
	}
	r.mu.Unlock()
	if known {
		return // the next census asks it anyway
	}
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

func (r *registry) calling() (servers []raft.Server) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, address := range r.callers {
		servers = append(servers, raft.Server{Address: address})
	}
	return servers
}

// noteHistories has the status say that members of another recovery epoch run.
func (n *node) noteHistories(self census.Self, answers []census.Answer) {
	text := ""
	for _, a := range answers {
		if a.Epoch != self.Epoch && self.Last > 0 {
			text = fmt.Sprintf("%s is of recovery epoch %d, this member of %d: the cluster was recovered without one of them, and "+
				"that of the lower number must be stopped for good", a.ID, a.Epoch, self.Epoch)
		}
	}
	if before := n.registry.note.Swap(&text); text != "" && (before == nil || *before != text) {
		n.Logger.Error("two histories of this cluster run", "found", text)
	}
}

// keepHeard notes on the disk what the others said, for after a restart.
func (n *node) keepHeard() {
	configuration, err := latestConfiguration(n.raft)
	if err != nil {
		return
	}
	var members []string
	for _, s := range configuration.Servers {
		members = append(members, string(s.ID))
	}
	err = n.registry.memory.Keep(members, func(facts map[string]census.Fact) error {
		var heard []datadir.Heard
		for _, id := range members {
			if f, ok := facts[id]; ok {
				heard = append(heard, datadir.Heard{ID: id, Boots: f.Boots, Token: f.Token, Term: f.Term, Applied: f.Applied})
			}
		}
		return n.dir.WriteHeard(heard)
	})
	if err != nil {
		n.Logger.Warn("what the other members said could not be noted", "error", err)
	}
}
