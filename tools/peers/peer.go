package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"sort"
	"sync"
	"time"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/internal/childproc"
	"github.com/ballastdb/ballast/internal/devtools/compare"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

const (
	members = 3
	// startTimeout bounds the making of a peer; stopPatience its orderly end.
	startTimeout = time.Minute
	stopPatience = 15 * time.Second
	// callTimeout bounds a call. Longer than that of Ballast's client: slow is not wrong, and slow is to be measured.
	callTimeout = 20 * time.Second
	// lowest is how far below zero an account may go: as low as the workload's accounts in Ballast.
	lowest = -(int64(1) << 40)
)

// processes are a peer's, in the order in which they were started.
type processes struct{ all []*childproc.Process }

func (p *processes) start(spec childproc.Spec) error {
	process, err := childproc.Start(spec)
	if err != nil {
		return err
	}
	p.all = append(p.all, process)
	return nil
}

// PIDs are those of the processes.
func (p *processes) PIDs() (pids []int) {
	for _, process := range p.all {
		pids = append(pids, process.PID())
	}
	return pids
}

// alive says which process has ended.
func (p *processes) alive() error {
	for i, process := range p.all {
		select {
		case <-process.Exited():
			return fmt.Errorf("process %d of %d has ended: %s", i+1, len(p.all), process.Ending())
		default:
		}
	}
	return nil
}

// stop ends all at once and waits for them.
func (p *processes) stop() error {
	var wg sync.WaitGroup
	killed := make([]bool, len(p.all))
	for i, process := range p.all {
		wg.Go(func() { killed[i] = process.Stop(stopPatience) })
	}
	wg.Wait()
	p.all = nil
	for _, k := range killed {
		if k {
			return fmt.Errorf("a process did not stop within %v and was killed", stopPatience)
		}
	}
	return nil
}

// await repeats check until it finds nothing wrong, a process has ended, or the time is over.
func (p *processes) await(ctx context.Context, what string, check func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		if err := p.alive(); err != nil {
			return fmt.Errorf("wait for %s: %w", what, err)
		}
		err := check(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w", what, errors.Join(err, ctx.Err()))
		}
	}
}

// find finds a program on PATH or at one of some other places.
func find(name string, places ...string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return filepath.Abs(path)
	}
	for _, pattern := range places {
		found, _ := filepath.Glob(pattern) // the patterns are well-formed
		sort.Strings(found)
		for i := len(found) - 1; i >= 0; i-- {
			if path, err := exec.LookPath(found[i]); err == nil {
				return filepath.Abs(path)
			}
		}
	}
	return "", fmt.Errorf("%w: no %s on PATH or in %q", compare.ErrMissing, name, places)
}

// ports are free ones.
func ports(n int) (found []int, err error) {
	for range n {
		port, err := compare.FreePort()
		if err != nil {
			return nil, err
		}
		found = append(found, port)
	}
	return found, nil
}

// change is an operation as peers see it: money goes from one account to another, either of which may be missing.
type change struct {
	id       string
	from, to string
	amount   int64
}

func changeOf(op *ballastv1.Operation) (change, error) {
	c := change{id: client.NewID()}
	switch k := op.GetKind().(type) {
	case *ballastv1.Operation_Credit:
		c.to, c.amount = k.Credit.GetAccount(), k.Credit.GetAmount()
	case *ballastv1.Operation_Debit:
		c.from, c.amount = k.Debit.GetAccount(), k.Debit.GetAmount()
	case *ballastv1.Operation_Transfer:
		c.from, c.to, c.amount = k.Transfer.GetDebitAccount(), k.Transfer.GetCreditAccount(), k.Transfer.GetAmount()
	default:
		return c, fmt.Errorf("%w: operation %T, expected a credit, a debit or a transfer", client.ErrInvalid, k)
	}
	return c, nil
}

func changesOf(ops []*ballastv1.Operation) ([]change, error) {
	changes := make([]change, len(ops))
	for i, op := range ops {
		var err error
		if changes[i], err = changeOf(op); err != nil {
			return nil, err
		}
	}
	return changes, nil
}
