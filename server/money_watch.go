package server

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"github.com/ballastdb/ballast/fsm"
	"github.com/ballastdb/ballast/internal/wait"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// Limits of watches. What one watch holds in memory is what it has read and not sent: watchBytes of stored entries.
const (
	watchBytes       = 64 << 10
	defaultHeartbeat = 5 * time.Second
	minHeartbeat     = 100 * time.Millisecond
	maxHeartbeat     = time.Minute
)

// watcher is one Watch. It has no part in applying: it waits for the applied index to move, and reads the journal from
// its position on, as fast as its caller takes it.
//
//	begin -> [search the journal up to the newest entry, send] -> wait for news or the heartbeat -> ...
//
// It ends with its caller, when the member's gate closes, or when the journal cannot be read further here.
type watcher struct {
	money  *Money
	stream grpc.ServerStreamingServer[ballastv1.WatchResponse]
	feed   *fsm.Feed
	passes func(*fsm.StatementEntry) bool
	// position and link are those of the last entry that was searched.
	position, link uint64
	heartbeat      time.Duration
	sent           time.Time
}

// Watch is ballastv1.MoneyServiceServer's.
func (m *Money) Watch(r *ballastv1.WatchRequest, stream grpc.ServerStreamingServer[ballastv1.WatchResponse]) (err error) {
	w := &watcher{money: m, stream: stream, position: r.GetAfterSequence(), link: r.GetAfterLink(), heartbeat: defaultHeartbeat}
	if failure := w.configure(r); failure != nil {
		return failure
	}
	if failure := m.cfg.Gate.pass(); failure != nil {
		return m.hinted(failure)
	}
	if !m.watches.TryAcquire(1) {
		return tooManyWatches(m.cfg.Watches)
	}
	defer m.watches.Release(1)
	w.feed = m.cfg.Store.OpenFeed()
	defer func() { err = errors.Join(err, w.feed.Close()) }()
	ctx, cancel := m.cfg.Gate.whileOpen(stream.Context())
	defer cancel()
	return w.ended(w.run(ctx, r.GetFromNow()))
}

// configure reads what does not depend on the state.
func (w *watcher) configure(r *ballastv1.WatchRequest) *Failure {
	if r.GetFromNow() && (r.GetAfterSequence() != 0 || r.GetAfterLink() != 0) {
		return invalid("from_now: want it without after_sequence and after_link, found after_sequence %d", r.GetAfterSequence())
	}
	if h := time.Duration(r.GetHeartbeat()); h != 0 {
		if h < minHeartbeat || h > maxHeartbeat {
			return invalid("heartbeat: want %s to %s in nanoseconds, or 0 for %s, found %d", minHeartbeat, maxHeartbeat, defaultHeartbeat, r.GetHeartbeat())
		}
		w.heartbeat = h
	}
	var failure *Failure
	w.passes, failure = watchFilter(r.GetFilter())
	return failure
}

// run serves the watch until it cannot go on, and says why.
func (w *watcher) run(ctx context.Context, fromNow bool) error {
	head := w.money.cfg.Store.Head()
	if fromNow {
		w.position, w.link = head.Sequence, head.Link
	} else if err := w.begin(ctx, head); err != nil {
		return err
	}
	if err := w.send(nil, w.money.cfg.Store.Head()); err != nil { // the caller knows that it is served
		return err
	}
	for {
		looked := time.Now()
		head := w.money.cfg.Store.Head()
		if err := w.tell(ctx, head); err != nil {
			return err
		}
		if err := w.rest(ctx, looked, head.Index); err != nil {
			return err
		}
	}
}

// begin waits until the state has the position, and compares its link. A leader has all there is: a position that it does
// not have after a linearizable read is none of this history.
func (w *watcher) begin(ctx context.Context, head fsm.Head) error {
	if w.position > head.Sequence {
		bounded, cancel := w.money.bounded(ctx, 0)
		_, err := w.money.cfg.Reads.Wait(bounded)
		cancel()
		if head = w.money.cfg.Store.Head(); err == nil && w.position > head.Sequence {
			return otherHistory("after_sequence: want a position that this cluster has told, found %d, and its newest entry is %d", w.position, head.Sequence)
		}
	}
	for w.position > head.Sequence {
		if err := w.send(nil, head); err != nil {
			return err
		}
		if err := w.rest(ctx, time.Now(), head.Index); err != nil {
			return err
		}
		head = w.money.cfg.Store.Head()
	}
	link, err := w.money.cfg.Store.LinkAt(w.position)
	if err != nil {
		return err
	}
	if w.link != 0 && w.link != link {
		return otherHistory("after_link: want %016x, the link of entry %d here, found %016x: the position is of another cluster, or of a history "+
			"that a restored backup has replaced", link, w.position, w.link)
	}
	w.link = link
	return nil
}

// tell searches the entries up to the newest that head names, and sends what passes.
func (w *watcher) tell(ctx context.Context, head fsm.Head) error {
	for w.position < head.Sequence && ctx.Err() == nil {
		entries, err := w.read(ctx, head.Sequence)
		if err != nil {
			return err
		}
		last := &entries[len(entries)-1]
		w.position, w.link = last.Sequence, last.Link
		var list []*ballastv1.Entry
		for i := range entries {
			if w.passes(&entries[i]) {
				list = append(list, entryProto(&entries[i]))
			}
		}
		if len(list) == 0 && time.Since(w.sent) < w.heartbeat {
			continue
		}
		if err := w.send(list, head); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (w *watcher) read(ctx context.Context, until uint64) ([]fsm.StatementEntry, error) {
	if err := w.money.watchReads.Acquire(ctx, 1); err != nil {
		return nil, err
	}
	defer w.money.watchReads.Release(1)
	return w.feed.Read(w.position, until, watchBytes)
}

// send sends a message, unless the state is condemned. It waits as long as the caller does not read, and holds nothing
// meanwhile.
func (w *watcher) send(entries []*ballastv1.Entry, head fsm.Head) error {
	if failure := w.money.cfg.Gate.sound(); failure != nil {
		return failure
	}
	w.sent = time.Now()
	return w.stream.Send(&ballastv1.WatchResponse{
		Entries: entries, Sequence: w.position, Link: w.link,
		NewestSequence: head.Sequence, Index: head.Index, LogTime: head.LogTime,
	})
}

// rest waits for something to be applied above index, but at least the pace since looked. At the time of the heartbeat it
// sends one.
func (w *watcher) rest(ctx context.Context, looked time.Time, index uint64) error {
	for {
		bounded, cancel := context.WithDeadline(ctx, w.sent.Add(w.heartbeat))
		err := w.money.cfg.Store.WaitApplied(bounded, index+1)
		cancel()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil:
			return wait.For(ctx, time.Until(looked.Add(w.money.cfg.WatchPace)))
		case !errors.Is(err, context.DeadlineExceeded):
			return err
		}
		if err := w.send(nil, w.money.cfg.Store.Head()); err != nil {
			return err
		}
	}
}

// ended says why a watch ended.
func (w *watcher) ended(err error) error {
	ctx := w.stream.Context()
	var failure *Failure
	switch {
	case errors.As(err, &failure):
	case ctx.Err() != nil:
		failure = contextFailure(ctx.Err(), ballastv1.Outcome_OUTCOME_NOT_DONE)
	case errors.Is(err, context.Canceled), errors.Is(err, fsm.ErrShuttingDown):
		if failure = w.money.cfg.Gate.pass(); failure == nil {
			failure = stopping()
		}
	case w.money.cfg.Gate.Condemned() != "":
		failure = w.money.cfg.Gate.sound()
	default:
		failure = journalFailure(ctx, err)
	}
	return w.money.hinted(failure)
}

func tooManyWatches(most int64) *Failure {
	f := notDone(codes.ResourceExhausted, fmt.Sprintf("this member serves %d watches, as many as it may: resume on another one", most))
	f.RetryAfter = retrySoon
	return f
}

// otherHistory refuses a position that this cluster has not told.
func otherHistory(format string, args ...any) *Failure {
	f := invalid(format, args...)
	f.Code, f.Reason = codes.OutOfRange, ballastv1.Reason_REASON_OTHER_HISTORY
	return f
}
