package fsm

import (
	"container/heap"
	"context"
	"sync"
)

// applied is the index that the state is known to show, and those who wait for one. A waiter costs an entry in a heap
// and no goroutine.
type applied struct {
	mu          sync.Mutex
	index, term uint64
	stopped     error // nothing will be applied any more
	waiting     waiters
}

type waiter struct {
	index uint64
	done  chan struct{} // closed when reached or stopped
	pos   int           // in the heap; -1: no longer there
}

// publish announces that the state shows everything up to index. It never goes back.
func (a *applied) publish(index, term uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if index < a.index {
		return
	}
	a.index, a.term = index, term
	for len(a.waiting) > 0 && a.waiting[0].index <= index {
		close(heap.Pop(&a.waiting).(*waiter).done)
	}
}

func (a *applied) get() (index, term uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.index, a.term
}

// stop ends all waiting, now and later, for what has not been applied.
func (a *applied) stop(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stopped == nil {
		a.stopped = err
	}
	for len(a.waiting) > 0 {
		close(heap.Pop(&a.waiting).(*waiter).done)
	}
}

// wait waits for an index, the context's end or stop, whichever comes first.
func (a *applied) wait(ctx context.Context, index uint64) error {
	w := a.enter(index)
	if w != nil {
		select {
		case <-w.done:
		case <-ctx.Done():
			a.leave(w)
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.index >= index:
		return nil
	case a.stopped != nil:
		return a.stopped
	}
	return ctx.Err()
}

// enter is nil if there is nothing to wait for.
func (a *applied) enter(index uint64) *waiter {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.index >= index || a.stopped != nil {
		return nil
	}
	w := &waiter{index: index, done: make(chan struct{})}
	heap.Push(&a.waiting, w)
	return w
}

func (a *applied) leave(w *waiter) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if w.pos >= 0 {
		heap.Remove(&a.waiting, w.pos)
	}
}

// waiters is a heap, the lowest index first.
type waiters []*waiter

func (w waiters) Len() int           { return len(w) }
func (w waiters) Less(i, j int) bool { return w[i].index < w[j].index }

func (w waiters) Swap(i, j int) {
	w[i], w[j] = w[j], w[i]
	w[i].pos, w[j].pos = i, j
}

// Push is heap.Interface's.
func (w *waiters) Push(x any) {
	one := x.(*waiter)
	one.pos = len(*w)
	*w = append(*w, one)
}

// Pop is heap.Interface's.
func (w *waiters) Pop() any {
	last := len(*w) - 1
	one := (*w)[last]
	one.pos = -1
	(*w)[last] = nil
	*w = (*w)[:last]
	return one
}
