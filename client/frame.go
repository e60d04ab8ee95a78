package client

import (
	"time"

	"google.golang.org/grpc/encoding"
	encodingproto "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"

	"github.com/ballastdb/ballast/internal/moneywire"
)

// requestOverhead bounds the bytes of a request's fields beside its operations.
const requestOverhead = 32

// frame is a SubmitStreamRequest in wire form.
type frame []byte

// newFrame begins a request with room for size bytes of operations.
func newFrame(tag uint64, timeout time.Duration, size int) frame {
	b := make(frame, 0, size+requestOverhead)
	b = moneywire.AppendNumber(b, moneywire.RequestTag, tag)
	return moneywire.AppendNumber(b, moneywire.RequestTimeout, uint64(max(timeout, 1)))
}

// answerFrame is a SubmitStreamResponse in wire form.
type answerFrame struct{ data []byte }

// frameCodec is gRPC's protobuf codec that leaves frames as they are.
type frameCodec struct{ encoding.CodecV2 }

func newFrameCodec() frameCodec {
	return frameCodec{encoding.GetCodecV2(encodingproto.Name)}
}

// Marshal passes frames on and leaves the rest to gRPC's codec.
func (c frameCodec) Marshal(v any) (mem.BufferSlice, error) {
	if f, ok := v.(frame); ok {
		return mem.BufferSlice{mem.SliceBuffer(f)}, nil
	}
	return c.CodecV2.Marshal(v)
}

// Unmarshal copies answers and leaves the rest to gRPC's codec.
func (c frameCodec) Unmarshal(data mem.BufferSlice, v any) error {
	if f, ok := v.(*answerFrame); ok {
		f.data = data.Materialize()
		return nil
	}
	return c.CodecV2.Unmarshal(data, v)
}
