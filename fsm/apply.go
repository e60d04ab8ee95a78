package fsm

import (
	"fmt"

	"github.com/hashicorp/raft"

	"github.com/ballastdb/ballast/fsm/ledger"
	"github.com/ballastdb/ballast/fsm/proposal"
	"github.com/ballastdb/ballast/internal/guard"
)

// Response answers a proposal: what a raft.ApplyFuture's Response returns, as *Response.
type Response struct {
	// Results has one for each operation of the proposal, in order.
	Results []ledger.Result
	// LogTime after it, Unix nanoseconds.
	LogTime int64
	// Err: a command other than operations was refused, or (ErrShuttingDown) it was not applied by this process.
	Err error
}

// Apply is raft.FSM's; raft uses ApplyBatch.
func (f *FSM) Apply(log *raft.Log) any { return f.ApplyBatch([]*raft.Log{log})[0] }

// ApplyBatch is raft.BatchingFSM's: it applies committed entries in order. The answer to a command is a *Response, to
// anything else nil. The data of the entries is neither changed nor kept: raft's log cache and its requests share it.
func (f *FSM) ApplyBatch(logs []*raft.Log) []any {
	responses := make([]any, len(logs))
	if len(logs) > 0 && !guard.On(guardAppliedIndex) {
		last := logs[len(logs)-1]
		f.applied.publish(last.Index, last.Term) // what raft's own AppliedIndex means: queued
	}
	for i, log := range logs {
		r, err := f.apply(log)
		switch {
		case err == nil:
			f.applied.publish(log.Index, log.Term)
		case f.Halted() == nil: // not because nothing is applied any more: this entry is why
			f.die(fmt.Errorf("log entry %d of term %d: %w", log.Index, log.Term, err))
		}
		if log.Type == raft.LogCommand {
			if err != nil {
				r = &Response{Err: err}
			}
			responses[i] = r
		}
	}
	if len(logs) > 0 {
		f.replayed(logs[len(logs)-1].Index)
	}
	return responses
}

// apply applies one entry. After an error it has changed nothing that anybody may see.
func (f *FSM) apply(log *raft.Log) (*Response, error) {
	var p proposal.Proposal
	var undecodable error
	if log.Type == raft.LogCommand {
		p, undecodable = f.decoder.Decode(log.Data)
	}
	if p.Kind == proposal.KindSettings {
		defer f.tellUpkeep() // when mu is released
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.halted(); err != nil {
		return nil, err
	}
	if log.Index <= f.index {
		return nil, fmt.Errorf("%w: index %d is applied already", ErrOrder, f.index)
	}
	if undecodable != nil {
		return nil, undecodable
	}
	f.overtake(log.Index)
	var r *Response
	if log.Type == raft.LogCommand {
		var err error
		if r, err = f.command(log, &p); err != nil {
			return nil, err
		}
	}
	f.index, f.term = log.Index, log.Term
	f.since.Entries++
	f.since.LogBytes += uint64(len(log.Data)) + entryOverhead
	if log.Type == raft.LogConfiguration {
		f.since.Configuration = log.Index
	}
	if p.Kind == proposal.KindMark {
		f.reachMark()
	}
	return r, nil
}

// command applies a proposal to the state and the journal. The caller holds mu.
func (f *FSM) command(log *raft.Log, p *proposal.Proposal) (*Response, error) {
	if err := f.state.check(p); err != nil {
		return nil, err
	}
	if err := f.start(); err != nil {
		return nil, err
	}
	f.out.Results, f.out.Entries, f.out.Hashes = nil, f.out.Entries[:0], f.out.Hashes[:0] // the results go to the proposer for good
	refused := f.state.apply(log.Index, log.Term, p, &f.out)
	if len(f.out.Hashes) > 0 {
		if err := f.journal.Append(f.out.Entries, f.out.Hashes); err != nil {
			return nil, err
		}
	}
	return &Response{Results: f.out.Results, LogTime: f.state.books.LogTime(), Err: refused}, nil
}

// start empties the journal before the first entry of a log that begins without a snapshot: the replay writes all of it
// again.
func (f *FSM) start() error {
	if f.started {
		return nil
	}
	f.started = true
	return f.journal.Truncate(0, 0)
}
