package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/hashicorp/raft"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ballastdb/ballast/internal/guard"
	raftv1 "github.com/ballastdb/ballast/proto/raft/v1"
)

// guardInstall is the guard of an UPSTREAM row.
const guardInstall guard.Name = "InstallSnapshot"

// receiving is one snapshot that this member is offered.
type receiving struct {
	service *service
	stream  raftv1.RaftService_InstallSnapshotServer
	ctx     context.Context
	parts   *snapshotParts
	request *raft.InstallSnapshotRequest
	reports *reporter
	hurry   *hurry
}

// InstallSnapshot implements raftv1.RaftServiceServer. The snapshot is staged here, outside raft's main loop, which goes on
// to answer votes and heartbeats; raft gets a token when all of it is there, verified, and durable.
func (s *service) InstallSnapshot(stream raftv1.RaftService_InstallSnapshotServer) error {
	t := s.transport
	if !t.enter() {
		return stopping()
	}
	defer t.running.Done()
	ctx, end := context.WithCancelCause(stream.Context())
	defer end(nil)
	defer context.AfterFunc(t.calls, func() { end(stopping()) })()
	r := &receiving{service: s, stream: stream, ctx: ctx, hurry: newHurry()}
	defer r.hurry.set(true) // nobody waits for that any more
	r.parts = &snapshotParts{ctx: ctx, messages: receive(t, hurried{stream, r.hurry}), idle: t.config.Timeouts.InstallIdle}
	if err := r.begin(); err != nil {
		return installError(err)
	}
	if answer, err := t.judge(r.request); err != nil {
		return installError(err)
	} else if answer != nil {
		return stream.Send(installAnswer(answer))
	}
	release, err := t.installs.take(ctx, r.request.Term, end, t.config.Timeouts.InstallIdle)
	if err != nil {
		return installError(err)
	}
	defer release()
	r.reports = t.report(t.config.Timeouts.InstallIdle/reportsPerIdle, stream.Send)
	defer r.reports.end()
	answer, err := r.run()
	if err != nil {
		return installError(err)
	}
	return r.answer(installAnswer(answer))
}

// hurried is the stream of an offer, without what the leader says of its urgency.
type hurried struct {
	raftv1.RaftService_InstallSnapshotServer
	hurry *hurry
}

// Recv is the stream's.
func (h hurried) Recv() (*raftv1.InstallSnapshotRequest, error) {
	for {
		m, err := h.RaftService_InstallSnapshotServer.Recv()
		part, is := m.GetPart().(*raftv1.InstallSnapshotRequest_Urgent)
		if err != nil || !is {
			return m, err
		}
		h.hurry.set(part.Urgent)
	}
}

// reportsPerIdle is how often progress is reported, at most, in InstallIdle.
const reportsPerIdle = 20

// begin takes the header, and refuses what is not for this member.
func (r *receiving) begin() error {
	header, err := r.parts.header()
	if err != nil {
		return err
	}
	if err := r.service.admit(r.ctx, header.GetEnvelope(), header.GetHeader()); err != nil {
		return err
	}
	if header.GetSize() < 0 || header.GetSize() > maxManifestBytes {
		return invalid(fmt.Errorf("snapshot: expected a manifest of up to %d bytes, found %d", maxManifestBytes, header.GetSize()))
	}
	r.request = installFromWire(header)
	return nil
}

// run stages and has raft install.
func (r *receiving) run() (*raft.InstallSnapshotResponse, error) {
	t := r.service.transport
	from, err := newPuller(t, r.request, r.hurry)
	if err != nil {
		return nil, err
	}
	token, err := t.stage(r.ctx, r.request, newSnapshotReader(r.parts, r.request.Size), from, r.reports.note)
	if err != nil {
		t.config.Logger.Warn("snapshot not received", "from", string(r.request.ID), "index", r.request.LastLogIndex, "error", err)
		return nil, err
	}
	r.reports.phase(phaseInstalling)
	after, err := t.config.BeforeInstall(r.ctx)
	if err != nil && r.ctx.Err() != nil {
		return nil, context.Cause(r.ctx)
	} else if err != nil {
		return nil, err
	}
	defer after()
	// The log and the state may have moved while it was staged.
	if answer, err := t.judge(r.request); err != nil || answer != nil {
		return answer, err
	}
	return t.install(r.ctx, r.request, token)
}

// phaseInstalling is shown while raft has the token.
const phaseInstalling = "installing"

// answer sends raft's answer, when no report is on its way any more. A leader that takes nothing is not waited for.
func (r *receiving) answer(a *raftv1.InstallSnapshotResponse) error {
	t := r.service.transport
	sent := make(chan error, 1)
	t.running.Go(func() {
		r.reports.end()
		<-r.reports.done
		sent <- r.stream.Send(a)
	})
	timer := time.NewTimer(t.config.Timeouts.InstallIdle)
	defer timer.Stop()
	select {
	case err := <-sent:
		return err
	case <-r.ctx.Done():
		return installError(context.Cause(r.ctx))
	case <-timer.C:
		return installError(errInstallIdle)
	}
}

func installAnswer(r *raft.InstallSnapshotResponse) *raftv1.InstallSnapshotResponse {
	return &raftv1.InstallSnapshotResponse{Part: &raftv1.InstallSnapshotResponse_Answer{Answer: installAnswerToWire(r)}}
}

// stage has the Stager take a snapshot in. Without the guard that happens where raft reads the token: in its main loop.
func (t *Transport) stage(ctx context.Context, r *raft.InstallSnapshotRequest, manifest io.Reader, from Puller, progress func(Progress)) (io.Reader, error) {
	if !guard.On(guardInstall) {
		return &lateToken{stage: func() ([]byte, error) { return t.config.Stager.Stage(ctx, r, manifest, from, progress) }}, nil
	}
	token, err := t.config.Stager.Stage(ctx, r, manifest, from, progress)
	if err != nil {
		return nil, fmt.Errorf("stage a snapshot: %w", err)
	}
	r.Size = int64(len(token))
	return bytes.NewReader(token), nil
}

// lateToken is staged when it is read.
type lateToken struct {
	stage func() ([]byte, error)
	token io.Reader
}

// Read implements io.Reader.
func (l *lateToken) Read(b []byte) (int, error) {
	if l.token == nil {
		token, err := l.stage()
		if err != nil {
			return 0, err
		}
		l.token = bytes.NewReader(token)
	}
	return l.token.Read(b)
}

// install hands the token of a staged snapshot to raft. Once raft has taken it, it is waited for whatever becomes of the
// caller: the member takes no snapshot of its own until raft answers. Raft always answers, and its shutdown ends before
// Close.
func (t *Transport) install(ctx context.Context, r *raft.InstallSnapshotRequest, token io.Reader) (*raft.InstallSnapshotResponse, error) {
	answers := make(chan raft.RPCResponse, 1)
	if err := t.hand(ctx, raft.RPC{Command: r, Reader: token, RespChan: answers}); err != nil {
		return nil, err
	}
	select {
	case a := <-answers:
		if a.Error != nil {
			return nil, raftError(a.Error)
		}
		answer, ok := a.Response.(*raft.InstallSnapshotResponse)
		if !ok {
			return nil, raftError(fmt.Errorf("expected raft to answer with %T, found %T", answer, a.Response))
		}
		return answer, nil
	case <-t.open.Done():
		return nil, stopping()
	}
}

// installError is the status of an install that ended before raft saw it.
func installError(err error) error {
	if _, isStatus := status.FromError(err); isStatus {
		return err
	}
	switch {
	case errors.Is(err, errInstallSuperseded), errors.Is(err, errInstallBusy):
		return status.Error(codes.Aborted, err.Error())
	case errors.Is(err, errOutgrown):
		return status.Error(codes.OutOfRange, err.Error())
	case errors.Is(err, errConflict):
		return status.Error(codes.Unavailable, err.Error())
	case errors.Is(err, errInstallIdle):
		return status.Error(codes.DeadlineExceeded, err.Error())
	case errors.Is(err, errSnapshotDamaged):
		return status.Error(codes.DataLoss, err.Error())
	}
	return status.Error(codes.Internal, err.Error())
}

// snapshotParts reads the messages of one transfer in their order.
type snapshotParts struct {
	ctx      context.Context
	messages <-chan received[raftv1.InstallSnapshotRequest]
	idle     time.Duration
}

// next waits for a message, at most for the idle time.
func (p *snapshotParts) next() (*raftv1.InstallSnapshotRequest, error) {
	timer := time.NewTimer(p.idle)
	defer timer.Stop()
	select {
	case m := <-p.messages:
		if errors.Is(m.err, io.EOF) {
			return nil, fmt.Errorf("%w: expected more, found the end of the stream", errSnapshotDamaged)
		}
		return m.message, m.err
	case <-p.ctx.Done():
		return nil, context.Cause(p.ctx)
	case <-timer.C:
		return nil, errInstallIdle
	}
}

func (p *snapshotParts) header() (*raftv1.InstallSnapshotHeader, error) {
	m, err := p.next()
	if err != nil {
		return nil, err
	}
	if m.GetStart() == nil {
		return nil, invalid(fmt.Errorf("snapshot: expected a header first, found %T", m.GetPart()))
	}
	return m.GetStart(), nil
}
