package node

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

var (
	errRaftSilent = errors.New("raft's main loop does not answer")
	errApplyStuck = errors.New("the state machine has not finished the batch that it is at since the last look")
)

// pulse tells whether the two loops that do everything here still turn: raft's main loop and the one that feeds the state
// machine. It asks neither for a leader nor for a majority: an idle member, or one that is cut off, is alive.
type pulse struct {
	raft interface{ VerifyLeader() raft.Future }
	fed  *fedMachine

	asking atomic.Bool // a question to raft has not been answered yet
	batch  uint64      // that the state machine was at when last looked; only one goroutine looks
}

// alive asks both, until ctx ends. Not for several goroutines.
func (p *pulse) alive(ctx context.Context) error {
	if err := p.askRaft(ctx); err != nil {
		return err
	}
	begun, done := p.fed.begun.Load(), p.fed.done.Load()
	stuck := begun != done && begun == p.batch
	p.batch = 0
	if begun != done {
		p.batch = begun
	}
	if stuck {
		return errApplyStuck
	}
	return nil
}

// askRaft sends its main loop a question that every state of it answers. What the answer is does not matter.
func (p *pulse) askRaft(ctx context.Context) error {
	if !p.asking.CompareAndSwap(false, true) {
		return errRaftSilent
	}
	answered := make(chan struct{})
	go func() { // ends when raft answers, which it does at its shutdown at the latest
		defer close(answered)
		_ = p.raft.VerifyLeader().Error()
		p.asking.Store(false)
	}()
	select {
	case <-answered:
		return nil
	case <-ctx.Done():
		return errRaftSilent
	}
}

// fedMachine is the state machine as raft feeds it, with a count of what was begun and done.
type fedMachine struct {
	machine
	begun, done atomic.Uint64
	applied     func(entries int, took time.Duration) // told of every batch; nil: nobody is
	// configured is the newest configuration that was committed since the start; nil: none.
	configured atomic.Pointer[indexedConfiguration]
}

// machine is what raft needs of the state machine.
type machine interface {
	raft.FSM
	raft.BatchingFSM
}

// ApplyBatch implements raft.BatchingFSM.
func (m *fedMachine) ApplyBatch(logs []*raft.Log) []any {
	m.begun.Add(1)
	defer m.done.Add(1)
	begun := time.Now()
	answers := m.machine.ApplyBatch(logs)
	for _, log := range logs {
		if log.Type == raft.LogConfiguration {
			m.configured.Store(&indexedConfiguration{raft.DecodeConfiguration(log.Data), log.Index})
		}
	}
	if m.applied != nil {
		m.applied(len(logs), time.Since(begun))
	}
	return answers
}

// Apply implements raft.FSM.
func (m *fedMachine) Apply(log *raft.Log) any {
	m.begun.Add(1)
	defer m.done.Add(1)
	return m.machine.Apply(log)
}

// Restore implements raft.FSM.
func (m *fedMachine) Restore(r io.ReadCloser) error {
	m.begun.Add(1)
	defer m.done.Add(1)
	return m.machine.Restore(r)
}
