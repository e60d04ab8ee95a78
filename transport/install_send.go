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

	raftv1 "github.com/ballastdb/ballast/proto/raft/v1"
)

// sendSnapshot sends a snapshot of args.Size bytes, when its turn has come: header, chunks, trailer. It is given up when
// nothing moves for InstallIdle, when the answer takes longer than its size allows for, and when the term is over.
func (p *peer) sendSnapshot(args *raft.InstallSnapshotRequest, data io.Reader) (*raftv1.InstallSnapshotResponse, error) {
	timeouts := p.transport.config.Timeouts
	ctx, end := context.WithCancelCause(p.transport.calls)
	defer end(nil)
	done, err := p.transport.turn(ctx, args)
	if err != nil {
		return nil, p.failed("snapshot", err)
	}
	defer done()
	idle := time.AfterFunc(timeouts.InstallIdle, func() { end(errInstallIdle) })
	defer idle.Stop()

	stream, err := p.installs.client.InstallSnapshot(ctx, grpc.WaitForReady(true))
	if err != nil {
		return nil, p.callError(ctx, "snapshot", err)
	}
	next := func(bytes int) error {
		idle.Reset(timeouts.InstallIdle)
		if err := p.transport.inTerm(args.Term); err != nil {
			return err
		}
		return p.transport.pace.wait(ctx, bytes)
	}
	err = sendParts(stream, installToWire(p.envelope(), args), data, next)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, p.callError(ctx, "snapshot", err)
	}
	idle.Stop()
	defer time.AfterFunc(timeouts.forInstallAnswer(args.Size), func() { end(errInstallAnswer) }).Stop()
	answer, err := stream.CloseAndRecv()
	if err != nil {
		return nil, p.callError(ctx, "snapshot", err)
	}
	return answer, nil
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
