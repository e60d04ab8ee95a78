package importer

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"time"

	"golang.org/x/sync/errgroup"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// send sends the rows: one reader, many lanes. An account is always on the same lane.
func (r *run) send(ctx context.Context) error {
	r.Progress.Start(r.plan.rows)
	group, ctx := errgroup.WithContext(ctx)
	queues := make([]chan row, lanes)
	pace := newPace(r.Rate)
	for i := range queues {
		queues[i] = make(chan row, laneQueue)
		group.Go(func() error { return r.lane(ctx, queues[i], pace) })
	}
	group.Go(func() error {
		defer func() {
			for _, queue := range queues {
				close(queue)
			}
		}()
		return r.eachRow(func(next *row) error {
			if _, earlier := r.plan.earlier[next.line]; earlier {
				r.recordEarlier(next)
				return ctx.Err()
			}
			select {
			case queues[laneOf(next.account)] <- *next:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	})
	return group.Wait()
}

func laneOf(account string) int {
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(account)) // never fails
	return int(hash.Sum32() % lanes)
}

// lane sends its rows in order, one batch at a time.
func (r *run) lane(ctx context.Context, queue <-chan row, pace *pace) error {
	batch := make([]row, 0, pace.batch())
	for {
		batch = batch[:0]
		first, open := <-queue
		if !open {
			return nil
		}
		batch = fill(append(batch, first), queue)
		if err := ctx.Err(); err != nil {
			return err
		}
		ops := make([]*ballastv1.Operation, len(batch))
		for i := range batch {
			ops[i] = r.operation(&batch[i])
		}
		leave, err := pace.enter(ctx, len(batch))
		if err != nil {
			return err
		}
		results, unknown, err := r.submit(ctx, ops)
		leave()
		if unknown && err != nil {
			r.countUnknown(len(batch))
		}
		if err != nil {
			return err
		}
		r.record(batch, results)
		r.Progress.Add(int64(len(batch)))
	}
}

// fill takes what is waiting, as far as batch has room, and does not wait for more.
func fill(batch []row, queue <-chan row) []row {
	for len(batch) < cap(batch) {
		select {
		case next, open := <-queue:
			if !open {
				return batch
			}
			batch = append(batch, next)
		default:
			return batch
		}
	}
	return batch
}

func (r *run) operation(next *row) *ballastv1.Operation {
	op := &ballastv1.Operation{Id: next.id, Attempt: r.Attempt, IssuedAt: r.issuedAt, EventTime: next.eventTime}
	if next.credit {
		op.Kind = &ballastv1.Operation_Credit{Credit: &ballastv1.Credit{Account: next.account, Amount: next.units}}
	} else {
		op.Kind = &ballastv1.Operation_Debit{Debit: &ballastv1.Debit{Account: next.account, Amount: next.units}}
	}
	return op
}

// submit sends operations until they are answered. Beside an error, unknown tells that they may have taken effect.
func (r *run) submit(ctx context.Context, ops []*ballastv1.Operation) (results []*ballastv1.Result, unknown bool, err error) {
	err = r.persist(ctx, func(ctx context.Context) (err error) {
		results, err = r.store.Submit(ctx, ops...)
		unknown = unknown || err != nil && r.Classify(err) == Unknown
		return err
	})
	var gaveUp *GaveUpError
	if errors.As(err, &gaveUp) {
		gaveUp.Unknown = unknown
	}
	if err == nil && len(results) != len(ops) {
		err = fmt.Errorf("the store answered %d results to %d operations", len(results), len(ops))
	}
	return results, unknown, err
}

const (
	firstPause = 50 * time.Millisecond
	maxPause   = time.Second
	noteEvery  = 2 * time.Second
)

// persist repeats a call until it succeeds or fails for good, as long as something makes progress.
func (r *run) persist(ctx context.Context, call func(context.Context) error) error {
	started := r.Clock()
	for pause := r.firstPause; ; pause = min(2*pause, maxPause) {
		attempt, cancel := context.WithTimeout(ctx, r.callTimeout(started))
		err := call(attempt)
		cancel()
		if err == nil {
			r.progressed()
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if r.Classify(err) == Permanent {
			return err
		}
		if waited := r.stalled(started, err); waited >= r.Patience {
			return &GaveUpError{Waited: waited, Last: err}
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

// callTimeout bounds a call, so that waiting does not last much longer than was asked for.
func (r *run) callTimeout(started time.Time) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.lastProgress.After(started) {
		started = r.lastProgress
	}
	left := r.Patience - r.Clock().Sub(started)
	return min(r.CallTimeout, max(left, r.firstPause))
}

func (r *run) progressed() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lastProgress = r.Clock()
	if r.waiting {
		r.waiting = false
		r.Progress.Note("available again, going on")
	}
}

// stalled tells for how long this call, and every other, has made no progress, and says so from time to time.
func (r *run) stalled(started time.Time, err error) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.Clock()
	if r.lastProgress.After(started) {
		started = r.lastProgress
	}
	waited := now.Sub(started)
	if !r.waiting || now.Sub(r.lastNote) >= noteEvery {
		r.waiting, r.lastNote = true, now
		r.Progress.Note(fmt.Sprintf("waiting for the cluster, %s of %s: %s", waited.Round(100*time.Millisecond), r.Patience, r.Describe(err)))
	}
	return waited
}

func (r *run) countUnknown(rows int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.Unknown += int64(rows)
}
