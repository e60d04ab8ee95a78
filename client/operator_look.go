package client

import (
	"context"
	"errors"
	"fmt"
	"io"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// Examine has the member at one endpoint, a client or an operator address, look at itself, and from itself at the others, which takes it
// some seconds at most.
func (o *Operator) Examine(ctx context.Context, endpoint string) (*ballastv1.ExamineResponse, error) {
	var answer *ballastv1.ExamineResponse
	err := o.at(ctx, endpoint, func(ctx context.Context, l *link) (err error) {
		answer, err = l.operator.Examine(ctx, &ballastv1.ExamineRequest{})
		return err
	})
	return answer, err
}

// maxDebugPart bounds a part that is taken of a member, which itself sends less.
const maxDebugPart = 64 << 20

// DebugPart is one file of what helps to find a fault in a member.
type DebugPart struct {
	// Name of the file.
	Name string
	Data []byte
	// Problem says why it is not here, or not all of it; empty: there is none.
	Problem string
}

// CollectDebug has the member at one endpoint send what helps to find a fault in it, with heap the profile of its heap too. Each part is
// given to part once all of it is there. Where the error is not nil later parts are missing.
func (o *Operator) CollectDebug(ctx context.Context, endpoint string, heap bool, part func(DebugPart) error) error {
	var own error // part's
	err := o.at(ctx, endpoint, func(ctx context.Context, l *link) error {
		ctx, cancel := context.WithCancel(ctx) // ends the stream, however this does
		defer cancel()
		stream, err := l.operator.CollectDebug(ctx, &ballastv1.CollectDebugRequest{Heap: heap})
		if err != nil {
			return err
		}
		own, err = receiveParts(stream.Recv, part)
		return err
	})
	return errors.Join(own, err)
}

// receiveParts puts pieces together; own is the error of part.
func receiveParts(receive func() (*ballastv1.CollectDebugResponse, error), part func(DebugPart) error) (own, err error) {
	var now DebugPart
	for {
		piece, err := receive()
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		if now.Name != "" && (err != nil || piece.GetName() != "") {
			if own := part(now); own != nil {
				return own, nil
			}
			now = DebugPart{}
		}
		if err != nil {
			return nil, nil
		}
		if piece.GetName() != "" {
			now.Name = piece.GetName()
		}
		if len(now.Data)+len(piece.GetData()) > maxDebugPart {
			return fmt.Errorf("%s: expected at most %d bytes, found more", now.Name, maxDebugPart), nil
		}
		now.Data = append(now.Data, piece.GetData()...)
		if piece.GetError() != "" {
			now.Problem = piece.GetError()
		}
	}
}
