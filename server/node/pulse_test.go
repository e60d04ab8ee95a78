package node

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
)

// loops are a raft and a state machine that answer when they are let.
type loops struct {
	raft, apply chan struct{}
}

type answer struct{ when <-chan struct{} }

func (a answer) Error() error { <-a.when; return raft.ErrNotLeader }

func (l *loops) VerifyLeader() raft.Future { return answer{l.raft} }

func (l *loops) ApplyBatch(logs []*raft.Log) []any { <-l.apply; return make([]any, len(logs)) }

func (l *loops) Apply(*raft.Log) any { <-l.apply; return nil }

func (l *loops) Restore(io.ReadCloser) error { <-l.apply; return nil }

func (l *loops) Snapshot() (raft.FSMSnapshot, error) { return nil, raft.ErrNothingNewToSnapshot }

func TestPulse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &loops{raft: make(chan struct{}), apply: make(chan struct{})}
		fed := &fedMachine{machine: l}
		p := &pulse{raft: l, fed: fed}
		look := func(want error) {
			t.Helper()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if err := p.alive(ctx); !errors.Is(err, want) {
				t.Fatalf("%v, want %v", err, want)
			}
		}
		look(errRaftSilent)
		look(errRaftSilent) // the first question is still open: no second one is asked
		close(l.raft)       // it is answered, that this member does not lead
		synctest.Wait()
		look(nil)
		look(nil) // idle

		go fed.ApplyBatch([]*raft.Log{{}, {}, {}})
		synctest.Wait()
		look(nil) // it may have just begun
		look(errApplyStuck)
		l.apply <- struct{}{}
		synctest.Wait()
		look(nil)

		for range 3 { // busy is not stuck
			go fed.ApplyBatch(nil)
			synctest.Wait()
			look(nil)
			l.apply <- struct{}{}
			synctest.Wait()
		}
	})
}
