package server

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"google.golang.org/grpc"

	"github.com/ballastdb/ballast/internal/redact"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

const (
	// maxDebugPart bounds a part, which is held in memory; what is more of it is left out.
	maxDebugPart = 8 << 20
	// debugPiece is what is sent of it at once.
	debugPiece = 256 << 10
)

// DebugPart is one thing that helps to find a fault in a member. It must have no keys in it and nothing of accounts.
type DebugPart struct {
	// Name is that of its file.
	Name string
	// Write writes it, once.
	Write func(ctx context.Context, to io.Writer) error
}

// CollectDebug is ballastv1.OperatorServiceServer's.
func (o *Operator) CollectDebug(r *ballastv1.CollectDebugRequest, stream grpc.ServerStreamingServer[ballastv1.CollectDebugResponse]) error {
	if o.cfg.Debug == nil {
		return nil
	}
	select {
	case o.collecting <- struct{}{}:
	default:
		return retryable("somebody else collects what this member has: wait")
	}
	defer func() { <-o.collecting }()
	for _, part := range o.cfg.Debug(r.GetHeap()) {
		if err := stream.Context().Err(); err != nil {
			return contextFailure(err, ballastv1.Outcome_OUTCOME_NOT_DONE)
		}
		if err := sendPart(stream, part); err != nil {
			return err
		}
	}
	return nil
}

// sendPart sends a part in pieces, the first with its name. What is wrong with the part is told; the error is the stream's.
func sendPart(stream grpc.ServerStreamingServer[ballastv1.CollectDebugResponse], part DebugPart) error {
	var kept bounded
	err := part.Write(stream.Context(), &kept)
	piece := &ballastv1.CollectDebugResponse{Name: part.Name}
	switch {
	case err != nil:
		piece.Error = err.Error()
	case kept.cut:
		piece.Error = fmt.Sprintf("only the first %d bytes are here", maxDebugPart)
	}
	// Nothing of what is collected is meant to have a key in it: a value that somebody put where it does not belong may.
	text := redact.PrivateKeys(kept.text.Bytes())
	for {
		piece.Data = text[:min(len(text), debugPiece)]
		text = text[len(piece.Data):]
		if err := stream.Send(piece); err != nil {
			return err
		}
		if len(text) == 0 {
			return nil
		}
		piece = &ballastv1.CollectDebugResponse{}
	}
}

// bounded keeps the beginning of what is written to it.
type bounded struct {
	text bytes.Buffer
	cut  bool
}

// Write implements io.Writer.
func (b *bounded) Write(p []byte) (int, error) {
	room := maxDebugPart - b.text.Len()
	b.cut = b.cut || len(p) > room
	b.text.Write(p[:min(len(p), room)])
	return len(p), nil
}
