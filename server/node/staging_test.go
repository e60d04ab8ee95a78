package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"github.com/hashicorp/raft"

	"github.com/ballastdb/ballast/fsm/proposal"
	"github.com/ballastdb/ballast/transport"
)

// stagerFunc is a stager of the test.
type stagerFunc func(progress func(transport.Progress)) error

// Stage implements transport.Stager.
func (f stagerFunc) Stage(_ context.Context, _ *raft.InstallSnapshotRequest, _ io.Reader, _ transport.Puller, progress func(transport.Progress)) ([]byte, error) {
	return nil, f(progress)
}

// What a snapshot that is being taken in has come to is told while it is, by the newest report, and not before or after,
// however it ends; and the leader is told as well.
func TestStagingIsToldWhileItLasts(t *testing.T) {
	var s *staging
	failed := errors.New("the leader is gone")
	s = &staging{room: func() error { return nil }, Stager: stagerFunc(func(progress func(transport.Progress)) error {
		progress(transport.Progress{Phase: "comparing"})
		progress(transport.Progress{Phase: "pulling", PagesTotal: 9, PagesDone: 4, PagesReused: 1, BytesFromOthers: 70, BytesManifest: 8, Source: "c/x"})
		f := s.facts()
		if f == nil || f.Index != 77 || f.Step != "pulling" || f.PagesDone != 4 || f.PagesReused != 1 || f.Bytes() != 78 || !slices.Equal(f.Sources, []string{"c"}) || f.Since.IsZero() {
			t.Errorf("while it lasts: %+v", f)
		}
		return failed
	})}
	if s.facts() != nil {
		t.Error("told before it began")
	}
	var leader []string
	_, err := s.Stage(t.Context(), &raft.InstallSnapshotRequest{LastLogIndex: 77}, nil, nil, func(p transport.Progress) { leader = append(leader, p.Phase) })
	if !errors.Is(err, failed) || !slices.Equal(leader, []string{"comparing", "pulling"}) {
		t.Errorf("the leader was told %v, the end is %v", leader, err)
	}
	if s.facts() != nil {
		t.Error("told after it ended")
	}
}

// A leader's snapshot that this program is too old for ends the process: raft would offer it for ever.
func TestSnapshotOfANewerProgramIsFatal(t *testing.T) {
	var fatal []error
	s := &staging{fatal: func(err error) { fatal = append(fatal, err) }}
	for _, c := range []struct {
		err  error
		ends bool
	}{{nil, false}, {errors.New("the leader is gone"), false}, {fmt.Errorf("take in: %w", proposal.ErrNewerVersion), true}} {
		fatal = nil
		s.Stager = stagerFunc(func(func(transport.Progress)) error { return c.err })
		_, err := s.Stage(t.Context(), &raft.InstallSnapshotRequest{}, nil, nil, func(transport.Progress) {})
		var old *OutdatedError
		if !errors.Is(err, c.err) || len(fatal) > 0 != c.ends || errors.As(err, &old) != c.ends {
			t.Errorf("%v: answered %v, fatal %v", c.err, err, fatal)
		}
	}
}
