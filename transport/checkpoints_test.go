package transport

import (
	"context"
	"slices"
	"strings"
	"testing"

	raftv1 "github.com/ballastdb/ballast/proto/raft/v1"
)

// TestCheckpointsTravel: a member tells its checkpoints as they are, one without any none; a stranger is refused, and an
// answer that no member sends is an error.
func TestCheckpointsTravel(t *testing.T) {
	want := []Checkpoint{{Index: 2000, Digest: [16]byte{1, 2, 3}}, {Index: 1000, Digest: [16]byte{15: 9}}}
	a := startMember(t, "a", nil)
	b := startMember(t, "b", func(c *Config) { c.Checkpoints = func() []Checkpoint { return want } })
	if got, err := a.Checkpoints(t.Context(), b.id, b.address); err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
	if got, err := b.Checkpoints(t.Context(), a.id, a.address); err != nil || len(got) != 0 {
		t.Errorf("%v, %v from a member without checkpoints", got, err)
	}
	stranger := startMember(t, "c", func(c *Config) { c.ClusterID = [16]byte{7} })
	if _, err := stranger.Checkpoints(t.Context(), b.id, b.address); err == nil || !strings.Contains(err.Error(), "another cluster") {
		t.Errorf("a stranger is told: %v", err)
	}
	id, address := scripted(t, "d", shortDigests{})
	if _, err := a.Checkpoints(t.Context(), id, address); err == nil || !strings.Contains(err.Error(), "digests of") {
		t.Errorf("a digest of 3 bytes is taken: %v", err)
	}
}

type shortDigests struct {
	raftv1.UnimplementedRaftServiceServer
}

func (shortDigests) Checkpoints(context.Context, *raftv1.CheckpointsRequest) (*raftv1.CheckpointsResponse, error) {
	return &raftv1.CheckpointsResponse{Checkpoints: []*raftv1.Checkpoint{{Index: 5, Digest: []byte{1, 2, 3}}}}, nil
}
