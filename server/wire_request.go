package server

import (
	"errors"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	encodingproto "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/ballastdb/ballast/fsm/ledger"
	"github.com/ballastdb/ballast/internal/moneywire"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// This file and the other wire_*.go read requests of streams, and write their answers, without the objects of the
// generated code: for each operation those were half a dozen allocations, and with what frees them a fifth of a leader's
// time. What they do not know (rare kinds of operations, fields of later versions, anything that is refused) goes through
// the generated code, so that they add speed and no meaning.

// streamFrame is a SubmitStreamRequest as it came.
type streamFrame struct{ data []byte }

// streamAnswer is a SubmitStreamResponse in wire form.
type streamAnswer []byte

// wireCodec is gRPC's protobuf codec that leaves frames as they are.
type wireCodec struct{ encoding.CodecV2 }

func newWireCodec() wireCodec { return wireCodec{encoding.GetCodecV2(encodingproto.Name)} }

// Marshal implements encoding.CodecV2.
func (c wireCodec) Marshal(v any) (mem.BufferSlice, error) {
	if a, ok := v.(streamAnswer); ok {
		return mem.BufferSlice{mem.SliceBuffer(a)}, nil
	}
	return c.CodecV2.Marshal(v)
}

// Unmarshal implements encoding.CodecV2. It copies a frame: gRPC's buffers are of sizes that would keep up to eight times as
// much memory until the answer.
func (c wireCodec) Unmarshal(data mem.BufferSlice, v any) error {
	if f, ok := v.(*streamFrame); ok {
		f.data = data.Materialize()
		return nil
	}
	return c.CodecV2.Unmarshal(data, v)
}

// streamRequest is a request of a stream, its operations still in wire form.
type streamRequest struct {
	tag        uint64
	timeout    int64 // nanoseconds
	operations wireOperations
}

// wireOperations are the operations of one request in wire form.
type wireOperations struct {
	data  []byte // of the frame
	spans []span // of the operations
}

// span is a part of a frame, which has at most 2 MiB.
type span struct{ from, to uint32 }

var errMalformed = errors.New("cannot parse invalid wire-format data")

// readStreamRequest finds the parts of a frame. Operations are not looked into: see wireOperations.encode.
func readStreamRequest(data []byte) (r streamRequest, err error) {
	r.operations.data = data
	for at := 0; at < len(data); {
		number, kind, n := protowire.ConsumeTag(data[at:])
		if n < 0 || number > protowire.MaxValidNumber { // protowire itself takes larger ones
			return r, errMalformed
		}
		at += n
		if n = protowire.ConsumeFieldValue(number, kind, data[at:]); n < 0 {
			return r, errMalformed
		}
		switch protowire.EncodeTag(number, kind) {
		case moneywire.RequestTag:
			r.tag, _ = protowire.ConsumeVarint(data[at:])
		case moneywire.RequestTimeout:
			v, _ := protowire.ConsumeVarint(data[at:])
			r.timeout = int64(v)
		case moneywire.RequestOperations:
			_, head := protowire.ConsumeVarint(data[at:])
			r.operations.add(span{uint32(at + head), uint32(at + n)})
		}
		at += n
	}
	return r, nil
}

// add counts an operation. The first tells about how many there will be.
func (w *wireOperations) add(s span) {
	if w.spans == nil {
		w.spans = make([]span, 0, len(w.data)/int(s.to-s.from+2)+1)
	}
	w.spans = append(w.spans, s)
}

// undecodable ends a stream of which a message is none, as gRPC itself would.
func undecodable(err error) error {
	return status.Errorf(codes.Internal, "grpc: failed to unmarshal the received message: %v", err)
}

func (w *wireOperations) count() int { return len(w.spans) }

func (w *wireOperations) at(i int) []byte { return w.data[w.spans[i].from:w.spans[i].to] }

// encode checks the operations as one request and encodes them for a proposal: see encodeRequest. err: they do not decode.
func (w *wireOperations) encode(a admission) (encoded []byte, failure *Failure, err error) {
	if failure := checkCount(w.count()); failure != nil {
		return nil, failure, nil
	}
	if encoded, ok := w.encodeUsual(a.latest); ok {
		return encoded, nil, nil
	}
	operations, err := w.decode()
	if err != nil {
		return nil, nil, err
	}
	encoded, failure = encodeRequest(operations, a)
	return encoded, failure, nil
}

// decode reads all operations by the generated code.
func (w *wireOperations) decode() ([]*ballastv1.Operation, error) {
	operations := make([]*ballastv1.Operation, len(w.spans))
	for i := range operations {
		operations[i] = new(ballastv1.Operation)
		if err := proto.Unmarshal(w.at(i), operations[i]); err != nil {
			return nil, err
		}
	}
	return operations, nil
}

// account is the account of operation i that side names; empty where it has none.
func (w *wireOperations) account(i int, side ledger.Side) string {
	if side == ledger.SideNone {
		return ""
	}
	var op ballastv1.Operation
	if proto.Unmarshal(w.at(i), &op) != nil {
		return "" // it was decoded when it was admitted
	}
	return accountOn(&op, side)
}
