package client_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ballastdb/ballast/client"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

type watchServer = grpc.ServerStreamingServer[ballastv1.WatchResponse]

// linkOf stands for the check value of a history.
func linkOf(sequence uint64) uint64 { return sequence * 1000 }

// tell sends entries up to a sequence number, each in a part of its own.
func tell(r *ballastv1.WatchRequest, stream watchServer, upTo uint64) error {
	if r.GetAfterLink() != linkOf(r.GetAfterSequence()) {
		return status.Errorf(codes.OutOfRange, "link %d of %d", r.GetAfterLink(), r.GetAfterSequence())
	}
	for at := r.GetAfterSequence() + 1; at <= upTo; at++ {
		part := &ballastv1.WatchResponse{Entries: []*ballastv1.Entry{{Sequence: at}}, Sequence: at, Link: linkOf(at), NewestSequence: upTo}
		if err := stream.Send(part); err != nil {
			return err
		}
	}
	return nil
}

// A watch goes on by itself, wherever members break off: nothing is told twice and nothing is left out.
func TestWatchGoesOnElsewhere(t *testing.T) {
	c, _, members := startTest(t, 5, 5)
	members[0].watch = func(r *ballastv1.WatchRequest, stream watchServer) error {
		if err := tell(r, stream, r.GetAfterSequence()+3); err != nil {
			return err
		}
		return status.Error(codes.Unavailable, "stopping")
	}
	members[1].watch = func(*ballastv1.WatchRequest, watchServer) error {
		return status.Error(codes.ResourceExhausted, "too many watches")
	}
	members[2].watch = func(_ *ballastv1.WatchRequest, stream watchServer) error { // hangs
		<-stream.Context().Done()
		return stream.Context().Err()
	}
	members[3].watch = func(r *ballastv1.WatchRequest, stream watchServer) error { // leaves an entry out
		at := r.GetAfterSequence() + 2
		return stream.Send(&ballastv1.WatchResponse{Entries: []*ballastv1.Entry{{Sequence: at}}, Sequence: at, Link: linkOf(at)})
	}
	members[4].watch = func(r *ballastv1.WatchRequest, stream watchServer) error { // ends without a word
		return tell(r, stream, r.GetAfterSequence()+1)
	}
	interruptions := map[codes.Code]int{}
	next := uint64(8)
	options := []client.WatchOption{
		client.From(client.Position{Sequence: 7, Link: linkOf(7)}), client.WithHeartbeat(100 * time.Millisecond),
		client.OnInterruption(func(err error) {
			var s *client.StatusError
			if errors.As(err, &s) {
				interruptions[s.Code]++
			}
		}),
	}
	for part, err := range c.Watch(within(t, time.Minute), options...) {
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range part.GetEntries() {
			if e.GetSequence() != next {
				t.Fatalf("told is entry %d, want %d", e.GetSequence(), next)
			}
			next++
		}
		if p := client.PositionOf(part); p != (client.Position{Sequence: next - 1, Link: linkOf(next - 1)}) {
			t.Fatalf("position %+v after entry %d", p, next-1)
		}
		if next > 30 {
			break
		}
	}
	for _, code := range []codes.Code{codes.Unavailable, codes.ResourceExhausted, codes.DataLoss, codes.Canceled} {
		if interruptions[code] == 0 {
			t.Errorf("no interruption by %v: %v", code, interruptions)
		}
	}
}

// What no other member would answer otherwise ends a watch, as does the caller's own end.
func TestWatchEnds(t *testing.T) {
	c, _, members := startTest(t, 2, 2)
	refuse := func(code codes.Code) {
		for _, m := range members {
			m.watch = func(*ballastv1.WatchRequest, watchServer) error { return status.Error(code, "for good") }
		}
	}
	for _, code := range []codes.Code{codes.OutOfRange, codes.InvalidArgument, codes.PermissionDenied} {
		refuse(code)
		n := 0
		for part, err := range c.Watch(within(t, time.Minute)) {
			var s *client.StatusError
			if part != nil || !errors.As(err, &s) || s.Code != code {
				t.Errorf("%v: %v, %v", code, part, err)
			}
			n++
		}
		if n != 1 {
			t.Errorf("%v: %d parts, want one error", code, n)
		}
	}
	for _, err := range c.Watch(within(t, time.Minute), client.WithHeartbeat(time.Hour)) {
		if !errors.Is(err, client.ErrInvalid) {
			t.Errorf("a heartbeat of an hour: %v", err)
		}
	}
	refuse(codes.Unavailable)
	ctx, cancel := context.WithCancel(within(t, time.Minute))
	for _, err := range c.Watch(ctx, client.OnInterruption(func(error) { cancel() })) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("after the caller's end: %v", err)
		}
	}
	for _, err := range c.Watch(within(t, time.Minute), client.OnInterruption(func(error) { _ = c.Close() })) {
		if !errors.Is(err, client.ErrClosed) {
			t.Errorf("after the client's end: %v", err)
		}
	}
}

// A watch from now on that is interrupted goes on where it was, not from a later now.
func TestWatchFromNowGoesOnWhereItWas(t *testing.T) {
	c, _, members := startTest(t, 1, 1)
	var asked []*ballastv1.WatchRequest
	members[0].watch = func(r *ballastv1.WatchRequest, stream watchServer) error {
		asked = append(asked, r)
		if r.GetFromNow() {
			return stream.Send(&ballastv1.WatchResponse{Sequence: 41, Link: linkOf(41)})
		}
		return tell(r, stream, r.GetAfterSequence()+1)
	}
	var told []uint64
	for part, err := range c.Watch(within(t, time.Minute), client.FromNow()) {
		if err != nil {
			t.Fatal(err)
		}
		if told = append(told, part.GetSequence()); len(told) == 3 {
			break
		}
	}
	if told[0] != 41 || told[1] != 42 || told[2] != 43 || asked[1].GetFromNow() || asked[1].GetAfterLink() != linkOf(41) {
		t.Errorf("told are %v, asked %v", told, asked)
	}
}
