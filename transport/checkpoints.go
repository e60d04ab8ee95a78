package transport

import (
	"context"
	"fmt"

	"github.com/hashicorp/raft"

	raftv1 "github.com/ballastdb/ballast/proto/raft/v1"
)

// maxCheckpoints bounds what is taken of another member's answer; members keep far fewer.
const maxCheckpoints = 1024

// Checkpoint is the digest that a member's state had at a log index.
type Checkpoint struct {
	Index  uint64
	Digest [16]byte
}

// Checkpoints asks a member for its newest checkpoints, newest first, as its own state has them. A member that cannot be
// reached is not waited for.
func (t *Transport) Checkpoints(ctx context.Context, id raft.ServerID, address raft.ServerAddress) ([]Checkpoint, error) {
	p, err := t.peer(id, address)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, t.config.Timeouts.Confirm)
	defer cancel()
	defer context.AfterFunc(t.calls, cancel)()
	answer, err := p.control.client.Checkpoints(ctx, &raftv1.CheckpointsRequest{Envelope: p.envelope()})
	if err != nil {
		return nil, p.callError(ctx, "question for checkpoints", err)
	}
	list := make([]Checkpoint, min(len(answer.GetCheckpoints()), maxCheckpoints))
	for i, c := range answer.GetCheckpoints()[:len(list)] {
		list[i].Index = c.GetIndex()
		if n := copy(list[i].Digest[:], c.GetDigest()); n != len(list[i].Digest) || n != len(c.GetDigest()) {
			return nil, p.failed("question for checkpoints", fmt.Errorf("expected digests of %d bytes, found %d", len(list[i].Digest), len(c.GetDigest())))
		}
	}
	return list, nil
}

// Checkpoints implements raftv1.RaftServiceServer.
func (s *service) Checkpoints(ctx context.Context, m *raftv1.CheckpointsRequest) (*raftv1.CheckpointsResponse, error) {
	if err := s.admitID(ctx, m.GetEnvelope(), nil); err != nil {
		return nil, err
	}
	answer := &raftv1.CheckpointsResponse{}
	for _, c := range s.transport.config.Checkpoints() {
		answer.Checkpoints = append(answer.Checkpoints, &raftv1.Checkpoint{Index: c.Index, Digest: c.Digest[:]})
	}
	return answer, nil
}
