package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/hashicorp/raft"
	"google.golang.org/grpc/codes"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// fakeBackups gives pieces, waits where it is told to, then ends with err.
type fakeBackups struct {
	pieces  []string
	waiting chan struct{} // it waits until this is closed, and says so by a value first; nil: it does not
	err     error
}

func (f *fakeBackups) Backup(_ context.Context, _ uint64, start func(uint64, uint64) error, send func([]byte) error) error {
	if err := start(7, 100); err != nil {
		return err
	}
	for _, p := range f.pieces {
		if err := send([]byte(p)); err != nil {
			return err
		}
	}
	if f.waiting != nil {
		f.waiting <- struct{}{}
		<-f.waiting
	}
	return f.err
}

func TestBackup(t *testing.T) {
	m := newMember(t, nil)
	backups := &m.backups
	backups.pieces = []string{"head ", "rest"}
	ask := func(fromLeader bool) (data string, at uint64, err error) {
		stream, err := m.operator.Backup(testContext(t), &ballastv1.BackupRequest{FromLeader: fromLeader})
		for err == nil {
			var r *ballastv1.BackupResponse
			r, err = stream.Recv()
			data, at = data+string(r.GetData()), max(at, r.GetIndex())
		}
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return data, at, err
	}
	m.raft.with(func(r *fakeRaft) {
		r.configuration = raft.Configuration{Servers: []raft.Server{{ID: "a"}, {ID: "b"}}}
	})
	_, _, err := ask(false)
	wantOperator(t, err, codes.FailedPrecondition, "this member leads")
	if data, at, err := ask(true); err != nil || data != "head rest" || at != 7 {
		t.Errorf("allowed to, the leader gives %q at %d, %v", data, at, err)
	}
	m.raft.with(func(r *fakeRaft) { r.configuration.Servers = r.configuration.Servers[:1] })
	if _, _, err := ask(false); err != nil {
		t.Errorf("a leader of nobody else: %v", err)
	}
	m.raft.with(func(r *fakeRaft) { r.state = raft.Follower })
	if data, _, err := ask(false); err != nil || data != "head rest" {
		t.Errorf("a follower gives %q, %v", data, err)
	}
	backups.err = fmt.Errorf("%w: its journal has holes", ErrNoBackup)
	_, _, err = ask(false)
	wantOperator(t, err, codes.FailedPrecondition, "its journal has holes")
	backups.err = errors.New("the disk is gone")
	_, _, err = ask(false)
	wantOperator(t, err, codes.Unavailable, "broke off", "the disk is gone")

	backups.err, backups.waiting = nil, make(chan struct{})
	first := make(chan error, 1)
	go func() {
		_, _, err := ask(false)
		first <- err
	}()
	receive(t, "the first backup is under way", backups.waiting)
	_, _, err = ask(false)
	wantOperator(t, err, codes.Unavailable, "gives a backup to somebody else")
	close(backups.waiting)
	if err := receive(t, "the first backup ends", first); err != nil {
		t.Error(err)
	}
}
