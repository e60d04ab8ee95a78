package client

import (
	"time"

	"google.golang.org/grpc/encoding"
	encodingproto "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// Operations are encoded once, by their caller's goroutine, as the repeated field that they are in a
// SubmitStreamRequest. Packing a request is then nothing but joining bytes, and a retry encodes nothing.

// Field numbers of SubmitStreamRequest.
const (
	fieldTag        = 1
	fieldOperations = 2
	fieldTimeout    = 3
	// requestOverhead bounds the bytes of a request's other fields.
	requestOverhead = 32
)

// encodeOperations appends the operations as field 2 of a SubmitStreamRequest.
func encodeOperations(ops []*ballastv1.Operation) ([]byte, error) {
	options := proto.MarshalOptions{UseCachedSize: true}
	size := 0
	for _, op := range ops {
		size += protowire.SizeTag(fieldOperations) + protowire.SizeBytes(proto.Size(op))
	}
	b := make([]byte, 0, size)
	for _, op := range ops {
		b = protowire.AppendTag(b, fieldOperations, protowire.BytesType)
		b = protowire.AppendVarint(b, uint64(options.Size(op)))
		var err error
		if b, err = options.MarshalAppend(b, op); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// frame is a SubmitStreamRequest in wire form.
type frame []byte

// newFrame begins a request with room for size bytes of operations.
func newFrame(tag uint64, timeout time.Duration, size int) frame {
	b := make(frame, 0, size+requestOverhead)
	b = protowire.AppendTag(b, fieldTag, protowire.VarintType)
	b = protowire.AppendVarint(b, tag)
	b = protowire.AppendTag(b, fieldTimeout, protowire.VarintType)
	return protowire.AppendVarint(b, uint64(max(timeout, 1)))
}

// frameCodec is gRPC's protobuf codec that sends frames as they are.
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
