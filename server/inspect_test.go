package server

import (
	"context"
	"errors"
	"testing"

	"google.golang.org/grpc/codes"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// fakeInspector tells how far it is once, waits where it is told to, then answers.
type fakeInspector struct {
	waiting chan struct{} // it waits until this is closed, and says so by a value first; nil: it does not
	err     error
}

func (f *fakeInspector) Inspect(_ context.Context, verify bool, progress func(read, of uint64) error) (*ballastv1.SnapshotReport, error) {
	if verify {
		if err := progress(3, 7); err != nil {
			return nil, err
		}
	}
	if f.waiting != nil {
		f.waiting <- struct{}{}
		<-f.waiting
	}
	return &ballastv1.SnapshotReport{Member: "a", Digest: "d"}, f.err
}

func TestInspectSnapshot(t *testing.T) {
	m := newMember(t, nil)
	ask := func(verify bool) (list []*ballastv1.InspectSnapshotResponse, err error) {
		stream, err := m.operator.InspectSnapshot(testContext(t), &ballastv1.InspectSnapshotRequest{Verify: verify})
		for err == nil {
			var r *ballastv1.InspectSnapshotResponse
			if r, err = stream.Recv(); err == nil {
				list = append(list, r)
			}
		}
		return list, err
	}
	if list, _ := ask(false); len(list) != 1 || list[0].GetReport().GetDigest() != "d" {
		t.Errorf("%v", list)
	}
	if list, _ := ask(true); len(list) != 2 || list[0].GetReadBytes() != 3 || list[0].GetOfBytes() != 7 || list[1].GetReport() == nil {
		t.Errorf("%v", list)
	}
	m.inspector.err = errors.New("the disk is gone")
	_, err := ask(false)
	wantOperator(t, err, codes.Unavailable, "could not read what it has")
	m.inspector.err = nil

	m.inspector.waiting = make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		if _, err := ask(true); err == nil {
			t.Error("the stream did not end")
		}
	}()
	<-m.inspector.waiting
	_, err = ask(false)
	wantOperator(t, err, codes.Unavailable, "inspects its snapshot for somebody else")
	close(m.inspector.waiting)
	<-done
}
