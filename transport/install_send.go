package transport

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"time"

	"github.com/hashicorp/raft"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ballastdb/ballast/internal/guard"
	raftv1 "github.com/ballastdb/ballast/proto/raft/v1"
)

// sending is one snapshot's way to one member.
type sending struct {
	peer   *peer
	args   *raft.InstallSnapshotRequest
	status *transfer
	ctx    context.Context
	end    context.CancelCauseFunc
	stream raftv1.RaftService_InstallSnapshotClient
	idle   *time.Timer
	turn   *installTurn
	urgent bool // as the peer was told
}

// sendSnapshot offers a snapshot whose manifest is args.Size bytes of data, when its turn has come, and waits until the peer has
// pulled and installed it. It is given up when nothing moves for InstallIdle, when the peer reports nothing for
// InstallAnswer, and when this member does not lead that term any more.
func (p *peer) sendSnapshot(args *raft.InstallSnapshotRequest, data io.Reader) (*raftv1.InstallSnapshotAnswer, error) {
	t := p.transport
	ctx, end := context.WithCancelCause(t.calls)
	defer end(nil)
	s := &sending{peer: p, args: args, ctx: ctx, end: end, status: t.transfers.begin(p, args, time.Now())}
	defer t.transfers.end(s.status)
	if err := s.meet(); err != nil {
		return nil, p.callError(ctx, "snapshot", err)
	}
	done, err := s.takeTurn()
	if err != nil {
		return nil, p.failed("snapshot", err)
	}
	if guard.On(guardInstallPin) {
		defer t.pins.keep(p.id, t.config.PinLog(args.LastLogIndex), t.config.Timeouts.PinAfter)
	}
	// The end of the call gives the turn back: data may be on a disk that hangs, and reading cannot be ended.
	defer done()
	context.AfterFunc(ctx, done)
	s.status.set(TransferSending, time.Now())
	s.idle = time.AfterFunc(t.config.Timeouts.InstallIdle, func() { end(errInstallIdle) })
	defer s.idle.Stop()
	answer, err := s.run(data)
	if status.Code(err) == codes.OutOfRange {
		t.config.Outgrown()
	}
	if err != nil {
		return nil, p.callError(ctx, "snapshot", err)
	}
	return answer, nil
}

// meet waits until the peer answers at all, at most for InstallIdle. Who is away must not hold a turn, and must not be sent, when it is back,
// what was the newest when the call began: by then nobody but the leader may have one page of that.
func (s *sending) meet() error {
	ctx, cancel := context.WithTimeoutCause(s.ctx, s.peer.transport.config.Timeouts.InstallIdle, errInstallIdle)
	defer cancel()
	_, err := s.peer.installs.client.ConfirmTerm(ctx, &raftv1.ConfirmTermRequest{Envelope: s.peer.envelope()}, grpc.WaitForReady(true))
	switch {
	case s.ctx.Err() != nil:
		return context.Cause(s.ctx)
	case ctx.Err() != nil, status.Code(err) == codes.DeadlineExceeded: // the peer may notice the deadline first
		return errInstallIdle
	}
	return err
}

// run sends what there is to send and waits for the answer.
func (s *sending) run(data io.Reader) (*raftv1.InstallSnapshotAnswer, error) {
	var err error
	if s.stream, err = s.peer.installs.client.InstallSnapshot(s.ctx, grpc.WaitForReady(true)); err != nil {
		return nil, err
	}
	answers := make(chan received[raftv1.InstallSnapshotAnswer], 1)
	go func() { answers <- s.receive() }()
	err = sendParts(s.stream, installToWire(s.peer.envelope(), s.args), data, s.next)
	if err != nil && !errors.Is(err, io.EOF) {
		s.end(err)
		<-answers
		return nil, err
	}
	s.look()
	s.status.set(TransferStaging, time.Now())
	s.idle.Reset(s.peer.transport.config.Timeouts.InstallAnswer)
	tick := time.NewTicker(termCheck)
	defer tick.Stop()
	for {
		select {
		case a := <-answers:
			return a.message, a.err
		case <-tick.C:
			if err := s.peer.transport.leads(s.args.Term); err != nil {
				s.end(err)
			}
			s.look()
		}
	}
}

// look sees how urgent the transfer is by now, and tells the peer where that has changed.
func (s *sending) look() {
	t, now := s.peer.transport, s.urgency()
	t.turns.judge(s.turn, now)
	if urgent := now == needed; urgent != s.urgent {
		s.urgent = urgent
		if urgent {
			t.config.Logger.Info("a voter without which nothing is committed is brought up to date before all others, at full speed", "peer", s.peer.id)
		}
		// Where it fails the answer says why.
		_ = s.stream.Send(&raftv1.InstallSnapshotRequest{Part: &raftv1.InstallSnapshotRequest_Urgent{Urgent: urgent}})
	}
}

// termCheck is how often a leader that waits for a receiver's answer looks whether it still leads.
const termCheck = 200 * time.Millisecond

// next is called before each chunk.
func (s *sending) next(bytes int) error {
	t := s.peer.transport
	s.idle.Reset(t.config.Timeouts.InstallIdle)
	if err := t.leads(s.args.Term); err != nil {
		return err
	}
	t.sent.manifests.Add(uint64(bytes))
	if s.urgency() == needed {
		return nil
	}
	return t.pace.Wait(s.ctx, bytes)
}

// receive takes the peer's reports, until its answer or the end of the call.
func (s *sending) receive() received[raftv1.InstallSnapshotAnswer] {
	t := s.peer.transport
	for {
		m, err := s.stream.Recv()
		switch {
		case errors.Is(err, io.EOF):
			return received[raftv1.InstallSnapshotAnswer]{err: errors.New("expected an answer, found the end of the stream")}
		case err != nil:
			return received[raftv1.InstallSnapshotAnswer]{err: err}
		case m.GetAnswer() != nil:
			return received[raftv1.InstallSnapshotAnswer]{message: m.GetAnswer()}
		}
		s.status.report(progressFromWire(m.GetProgress()), time.Now())
		s.idle.Reset(t.config.Timeouts.InstallAnswer)
	}
}

// sendParts calls next before each chunk, with its length. io.EOF: the peer ended the stream; its answer says why.
func sendParts(stream raftv1.RaftService_InstallSnapshotClient, header *raftv1.InstallSnapshotHeader, data io.Reader, next func(bytes int) error) error {
	if err := stream.Send(&raftv1.InstallSnapshotRequest{Part: &raftv1.InstallSnapshotRequest_Start{Start: header}}); err != nil {
		return err
	}
	sum, sent := crc32.New(castagnoli()), int64(0)
	for sent < header.GetSize() {
		// Made anew for each message: gRPC may look at one after Send.
		chunk := make([]byte, min(chunkBytes, header.GetSize()-sent))
		if err := next(len(chunk)); err != nil {
			return err
		}
		if _, err := io.ReadFull(data, chunk); err != nil {
			return fmt.Errorf("read snapshot: expected %d bytes, found %d: %w", header.GetSize(), sent, noEOF(err))
		}
		sum.Write(chunk)
		sent += int64(len(chunk))
		if err := stream.Send(&raftv1.InstallSnapshotRequest{Part: &raftv1.InstallSnapshotRequest_Chunk{Chunk: chunk}}); err != nil {
			return err
		}
	}
	trailer := &raftv1.InstallSnapshotTrailer{Size: sent, Crc32C: sum.Sum32()}
	return stream.Send(&raftv1.InstallSnapshotRequest{Part: &raftv1.InstallSnapshotRequest_End{End: trailer}})
}

// noEOF keeps the end of the data apart from the end of the stream.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }
