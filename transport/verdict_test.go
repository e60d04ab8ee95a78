package transport

import (
	"bytes"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/hashicorp/raft"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// offer is a snapshot offered by a leader until it has no more to say about it: installed, or answered otherwise.
func offer(a, b *member, snapshot []byte) (raft.InstallSnapshotResponse, error) {
	var answer raft.InstallSnapshotResponse
	err := a.InstallSnapshot(b.id, b.address, installOf(a, 3, len(snapshot)), &answer, bytes.NewReader(snapshot))
	return answer, err
}

// TestOldSnapshotsAreNotInstalled: raft installs what it is offered, also what would roll the state back or take away what
// the member has acknowledged; and where it refuses, it is offered again for ever. So an offer that the log has gone past is
// answered with success, and one that the state has gone past without the log is refused as outgrown; whether it is so
// before it is staged or only afterwards.
func TestOldSnapshotsAreNotInstalled(t *testing.T) {
	snapshot := randomBytes(1000)
	for name, c := range map[string]struct {
		before, after Verdict
		success       bool
		code          codes.Code
	}{
		"wanted":                {Wanted, Wanted, true, codes.OK},
		"held":                  {Held, Held, true, codes.OK},
		"held in the meantime":  {Wanted, Held, true, codes.OK},
		"outgrown":              {Outgrown, Outgrown, false, codes.OutOfRange},
		"outgrown in the while": {Wanted, Outgrown, false, codes.OutOfRange},
	} {
		t.Run(name, func(t *testing.T) {
			asked, given, newer := 0, 0, 0
			a, b := startMember(t, "a", func(config *Config) { config.Outgrown = func() { newer++ } }), startMember(t, "b", func(config *Config) {
				config.Judge = func(index, term uint64) (Verdict, error) {
					if index != 9 || term != 2 {
						t.Errorf("asked about index %d, term %d", index, term)
					}
					asked++
					if asked == 1 {
						return c.before, nil
					}
					return c.after, nil
				}
			})
			b.answerAll(t, func(rpc raft.RPC) (any, error) {
				given++
				return restoring(t, snapshot)(rpc)
			})
			answer, err := offer(a, b, snapshot)
			if answer.Success != c.success || status.Code(err) != c.code {
				t.Errorf("expected success %v, %v, found %+v, %v", c.success, c.code, answer, err)
			}
			if installed := c.before == Wanted && c.after == Wanted; (given == 1) != installed {
				t.Errorf("raft was given %d snapshots", given)
			}
			if outgrown := c.code == codes.OutOfRange; (newer == 1) != outgrown {
				t.Errorf("the leader was told %d times that a newer one is needed", newer)
			}
		})
	}
	t.Run("an older term", func(t *testing.T) {
		a, b := startMember(t, "a", nil), startMember(t, "b", func(c *Config) {
			c.CurrentTerm = func() uint64 { return 7 }
			c.Judge = func(uint64, uint64) (Verdict, error) { return Held, nil }
		})
		if answer, err := offer(a, b, snapshot); err != nil || answer.Success || answer.Term != 7 {
			t.Errorf("expected a refusal in term 7, found %+v, %v", answer, err)
		}
	})
}

// stubborn is a raft whose log conflicts with the snapshot: it installs it, remembers the end of its log all the same, and
// rejects what follows. cut is what stopping it, cutting the log and starting it again does.
type stubborn struct{ conflict atomic.Bool }

func (s *stubborn) judge(uint64, uint64) (Verdict, error) {
	if s.conflict.Load() {
		return Conflicting, nil
	}
	return Wanted, nil
}

func (s *stubborn) cut(uint64, uint64) { s.conflict.Store(false) }

func (s *stubborn) answer(rpc raft.RPC) (any, error) {
	switch r := rpc.Command.(type) {
	case *raft.InstallSnapshotRequest:
		return &raft.InstallSnapshotResponse{Term: r.Term, Success: true}, nil
	case *raft.AppendEntriesRequest:
		return &raft.AppendEntriesResponse{Term: r.Term, Success: !s.conflict.Load()}, nil
	}
	return nil, errors.New("neither an append nor a snapshot")
}

// TestConflictingLogIsCut: a leader does what raft does, snapshot, append, snapshot, append, until an append is taken. A
// member whose log conflicts with the snapshot must not leave it doing that for ever.
func TestConflictingLogIsCut(t *testing.T) {
	s := &stubborn{}
	s.conflict.Store(true)
	a, b := startMember(t, "a", nil), startMember(t, "b", func(c *Config) { c.Judge, c.Conflict = s.judge, s.cut })
	b.answerAll(t, s.answer)
	for range 5 {
		if _, err := offer(a, b, []byte("snapshot")); err != nil {
			if !strings.Contains(err.Error(), errConflict.Error()) {
				t.Errorf("expected %v, found %v", errConflict, err)
			}
			continue
		}
		var answer raft.AppendEntriesResponse
		if err := a.AppendEntries(b.id, b.address, appendOf(a, 9, 1, 10), &answer); err != nil {
			t.Fatal(err)
		}
		if answer.Success {
			return
		}
	}
	t.Error("after five rounds of snapshot and append the member is where it was")
}
