package transport

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	raftv1 "github.com/ballastdb/ballast/proto/raft/v1"
)

const (
	// maxServing calls for pages, manifests and journal are served at once.
	maxServing = 4
	// maxServeWaiting more wait; each holds its request.
	maxServeWaiting = 16
	// maxItemsBytes of pages go in one message.
	maxItemsBytes = 512 << 10
)

// servingSlots bounds what is served at once.
type servingSlots struct {
	slots   chan struct{}
	waiting *atomic.Int32
}

func newServingSlots() servingSlots {
	return servingSlots{slots: make(chan struct{}, maxServing), waiting: &atomic.Int32{}}
}

// take waits for a slot, at most for the given time, and returns what gives it back.
func (s servingSlots) take(ctx context.Context, limit time.Duration) (release func(), err error) {
	release = func() { <-s.slots }
	select {
	case s.slots <- struct{}{}:
		return release, nil
	default:
	}
	if s.waiting.Add(1) > maxServeWaiting {
		s.waiting.Add(-1)
		return nil, busy()
	}
	defer s.waiting.Add(-1)
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case s.slots <- struct{}{}:
		return release, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-timer.C:
		return nil, busy()
	}
}

func busy() error {
	return status.Error(codes.ResourceExhausted, "this member serves as many others as it may; ask another, or later")
}

// request is one that asks for bulk.
type request interface {
	GetEnvelope() *raftv1.Envelope
	GetHeader() *raftv1.Header
}

// serve runs work, which sends answers, for an admitted request when there is a slot. It gives the caller up when nothing moves
// for InstallIdle: the slot is free again when work ends, which a hung disk may put off.
func serve[A any](s *service, r request, stream grpc.ServerStreamingServer[A], sent *atomic.Uint64, work func(ctx context.Context, send func(answer *A, bytes int) error) error) error {
	t := s.transport
	hurried, is := r.(interface{ GetUrgent() bool })
	urgent := is && hurried.GetUrgent()
	if !t.enter() {
		return stopping()
	}
	defer t.running.Done()
	ctx, end := context.WithCancelCause(stream.Context())
	defer end(nil)
	defer context.AfterFunc(t.calls, func() { end(stopping()) })()
	if err := s.admit(ctx, r.GetEnvelope(), r.GetHeader()); err != nil {
		return err
	}
	release, err := t.serving.take(ctx, t.config.Timeouts.InstallIdle/2)
	if err != nil {
		return serveError(err)
	}
	idle := time.AfterFunc(t.config.Timeouts.InstallIdle, func() { end(errServeIdle) })
	defer idle.Stop()
	done := make(chan error, 1)
	t.running.Go(func() {
		defer release()
		done <- work(ctx, func(answer *A, bytes int) error {
			if !urgent {
				if err := t.pace.Wait(ctx, bytes); err != nil {
					return err
				}
			}
			if err := stream.Send(answer); err != nil {
				return err
			}
			sent.Add(uint64(bytes))
			idle.Reset(t.config.Timeouts.InstallIdle)
			return nil
		})
	})
	select {
	case err := <-done:
		return serveError(err)
	case <-ctx.Done():
		return serveError(context.Cause(ctx))
	}
}

// serveError is the status of what could not be served.
func serveError(err error) error {
	if _, isStatus := status.FromError(err); isStatus { // nil too
		return err
	}
	switch {
	case errors.Is(err, ErrNotHere):
		return status.Error(codes.OutOfRange, err.Error())
	case errors.Is(err, errServeIdle):
		return status.Error(codes.DeadlineExceeded, err.Error())
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return status.FromContextError(err).Err()
	}
	return status.Error(codes.Internal, err.Error())
}

func servesNone(what string) error {
	return status.Error(codes.Unimplemented, "this member serves no "+what)
}

// FetchPages implements raftv1.RaftServiceServer.
func (s *service) FetchPages(r *raftv1.FetchPagesRequest, stream raftv1.RaftService_FetchPagesServer) error {
	t := s.transport
	return serve(s, r, stream, &t.sent.pages, func(ctx context.Context, send func(*raftv1.FetchPagesResponse, int) error) error {
		switch {
		case t.config.Pages == nil:
			return servesNone("pages")
		case len(r.GetWants()) > MaxWantsBytes:
			return invalid(fmt.Errorf("wants: expected up to %d bytes, found %d", MaxWantsBytes, len(r.GetWants())))
		}
		return t.config.Pages.ServePages(ctx, r.GetIndex(), r.GetTerm(), r.GetWants(), func(items []byte) error {
			if len(items) > maxItemsBytes {
				return fmt.Errorf("items: expected up to %d bytes at once, found %d", maxItemsBytes, len(items))
			}
			// The caller uses items again, and gRPC may look at a message after Send.
			return send(&raftv1.FetchPagesResponse{Items: append([]byte(nil), items...)}, len(items))
		})
	})
}

// FetchManifest implements raftv1.RaftServiceServer.
func (s *service) FetchManifest(r *raftv1.FetchManifestRequest, stream raftv1.RaftService_FetchManifestServer) error {
	t := s.transport
	return serve(s, r, stream, &t.sent.manifests, func(_ context.Context, send func(*raftv1.FetchManifestResponse, int) error) error {
		if t.config.Pages == nil {
			return servesNone("pages")
		}
		manifest, err := t.config.Pages.Manifest()
		if err != nil {
			return err
		}
		if len(manifest) == 0 {
			return status.Error(codes.NotFound, "this member has no snapshot")
		}
		for size := uint64(len(manifest)); len(manifest) > 0; size = 0 {
			chunk := manifest[:min(chunkBytes, len(manifest))]
			if err := send(&raftv1.FetchManifestResponse{Size: size, Chunk: chunk}, len(chunk)); err != nil {
				return err
			}
			manifest = manifest[len(chunk):]
		}
		return nil
	})
}

// FetchJournal implements raftv1.RaftServiceServer.
func (s *service) FetchJournal(r *raftv1.FetchJournalRequest, stream raftv1.RaftService_FetchJournalServer) error {
	t := s.transport
	return serve(s, r, stream, &t.sent.journal, func(ctx context.Context, send func(*raftv1.FetchJournalResponse, int) error) error {
		if t.config.Journal == nil {
			return servesNone("journal")
		}
		entries, err := t.config.Journal.ReadJournal(r.GetAfterSequence(), int(min(r.GetMaxBytes(), maxJournalBytes)))
		if err != nil || len(entries) == 0 {
			return err
		}
		if err := t.journalPace.Wait(ctx, len(entries)); err != nil {
			return err
		}
		return send(&raftv1.FetchJournalResponse{Entries: entries}, len(entries))
	})
}
