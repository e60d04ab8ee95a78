package server

import (
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/ballastdb/ballast/internal/wait"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

func TestStreamAnswersEachTag(t *testing.T) {
	m := newMember(t, nil)
	m.open(t, "alice")
	stream, err := m.money.SubmitStream(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	const n = 200
	for i := range n {
		o := credit(fmt.Sprint("s", i), "alice", 1)
		if i%10 == 3 {
			o.Id = "" // fails, and does not end the stream
		}
		if err := stream.Send(&ballastv1.SubmitStreamRequest{Tag: uint64(i), Operations: []*ballastv1.Operation{o}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	seen := map[uint64]bool{}
	for {
		r, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if seen[r.GetTag()] {
			t.Errorf("tag %d is answered twice", r.GetTag())
		}
		seen[r.GetTag()] = true
		if r.GetTag()%10 == 3 {
			if f := r.GetFailure(); codes.Code(f.GetCode()) != codes.InvalidArgument || f.GetFailure().GetOutcome() != isNotDone {
				t.Errorf("tag %d: %v, want INVALID_ARGUMENT", r.GetTag(), r)
			}
		} else if got := codesOf(r.GetResponse().GetResults()); got != "APPLIED" {
			t.Errorf("tag %d: %v, want APPLIED", r.GetTag(), r)
		}
	}
	if len(seen) != n {
		t.Errorf("%d of %d requests are answered", len(seen), n)
	}
}

func TestStreamIsNotReadPastItsWindow(t *testing.T) {
	for name, change := range map[string]func(*MoneyConfig){
		"requests":   func(c *MoneyConfig) { c.StreamRequests = 2 },
		"operations": func(c *MoneyConfig) { c.StreamOperations = 2 },
	} {
		t.Run(name, func(t *testing.T) {
			m := newMember(t, change)
			release := m.coalescer.Hold()
			defer release()
			stream, err := m.money.SubmitStream(testContext(t))
			if err != nil {
				t.Fatal(err)
			}
			for i := range 4 {
				o := credit(fmt.Sprint("s", i), "alice", 1)
				if err := stream.Send(&ballastv1.SubmitStreamRequest{Tag: uint64(i), Operations: []*ballastv1.Operation{o}}); err != nil {
					t.Fatal(err)
				}
			}
			eventually(t, "two requests are admitted", func() bool { return m.coalescer.waiting() >= 2 })
			_ = wait.For(t.Context(), 20*time.Millisecond) // what must not happen gets a moment to happen
			if n := m.coalescer.waiting(); n != 2 {
				t.Errorf("%d requests are admitted, want 2", n)
			}
			release()
			for range 4 {
				if _, err := stream.Recv(); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func TestStreamRequestTimesOutByItself(t *testing.T) {
	m := newMember(t, nil)
	m.raft.with(func(r *fakeRaft) { r.respond = nil })
	release := m.coalescer.Hold()
	defer release()
	stream, err := m.money.SubmitStream(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	send := func(tag uint64, timeout int64) *ballastv1.StreamFailure {
		t.Helper()
		if err := stream.Send(&ballastv1.SubmitStreamRequest{
			Tag: tag, Timeout: timeout, Operations: []*ballastv1.Operation{credit(fmt.Sprint("x", tag), "alice", 1)},
		}); err != nil {
			t.Fatal(err)
		}
		r, err := stream.Recv()
		if err != nil || r.GetTag() != tag {
			t.Fatalf("got %v, %v, want tag %d", r, err, tag)
		}
		return r.GetFailure()
	}
	if f := send(1, int64(10*time.Millisecond)); codes.Code(f.GetCode()) != codes.DeadlineExceeded || f.GetFailure().GetOutcome() != isNotDone {
		t.Errorf("got %v, want NOT_DONE: it was never proposed", f)
	}
	if f := send(2, -1); codes.Code(f.GetCode()) != codes.InvalidArgument {
		t.Errorf("got %v, want INVALID_ARGUMENT", f)
	}
}

func TestStreamEndsWhenATagIsUsedTwice(t *testing.T) {
	m := newMember(t, nil)
	release := m.coalescer.Hold()
	defer release()
	stream, err := m.money.SubmitStream(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		if err := stream.Send(&ballastv1.SubmitStreamRequest{
			Tag: 7, Timeout: int64(50 * time.Millisecond), Operations: []*ballastv1.Operation{credit(fmt.Sprint("x", i), "alice", 1)},
		}); err != nil {
			t.Fatal(err)
		}
	}
	for err == nil {
		_, err = stream.Recv()
	}
	if f := failureOf(t, err, codes.InvalidArgument); f.GetOutcome() != isUnknown {
		t.Errorf("outcome is %v, want unknown for what was on the stream", f.GetOutcome())
	}
}
