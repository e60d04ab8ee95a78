package server

import (
	"errors"
	"fmt"
	"hash/maphash"
	"math/bits"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/ballastdb/ballast/fsm/ledger"
	"github.com/ballastdb/ballast/fsm/proposal"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// maxRequestBytes is what a request's operations may take in a proposal of their own.
const maxRequestBytes = proposal.HardMaxBytes - proposal.Overhead

// admission is what requests are checked against.
type admission struct {
	// Operations issued after latest (Unix nanoseconds), and after what later tells where that is not enough, are refused: the
	// state would have to remember their refusal until their time has come.
	latest int64
	later  func() int64
	// original tells what entries moved that are to be reversed; its errors are *Failure.
	original func(sequence uint64) (ledger.Original, error)
}

// encodeRequest checks operations as one request and encodes them for a proposal. A failure names the operation, the
// field, what was expected and what was found; nothing of the request was proposed.
func encodeRequest(operations []*ballastv1.Operation, a admission) ([]byte, *Failure) {
	if failure := checkCount(len(operations)); failure != nil {
		return nil, failure
	}
	if failure := checkTogether(operations); failure != nil {
		return nil, failure
	}
	reader, latest := operationReader{original: a.original}, a.latest
	encoded := make([]byte, 0, 96*len(operations))
	for i, p := range operations {
		op, err := reader.read(p)
		if failure := (*Failure)(nil); errors.As(err, &failure) {
			return nil, failure
		}
		if err != nil {
			return nil, invalidOperation(i, p, err)
		}
		if op.IssuedAt > latest {
			latest = max(latest, a.later())
		}
		if op.IssuedAt > latest {
			return nil, invalid("operations[%d].issued_at: want at most %s ahead of the server's clock, found %s ahead: check the caller's clock",
				i, ledger.MaxIssuedAhead, ledger.MaxIssuedAhead+time.Duration(op.IssuedAt-latest))
		}
		encoded = proposal.AppendOperation(encoded, op)
		if len(encoded) > maxRequestBytes {
			return nil, invalid("operations: want at most %d bytes encoded, found more from operation %d on: split the request",
				maxRequestBytes, i)
		}
	}
	return encoded, nil
}

func checkCount(n int) *Failure {
	if n < 1 || n > ledger.MaxBatch {
		return invalid("operations: want 1 to %d, found %d", ledger.MaxBatch, n)
	}
	return nil
}

// checkTogether checks what concerns the operations of a request as a whole: ids that differ, groups that end.
func checkTogether(operations []*ballastv1.Operation) *Failure {
	if first, second, twice := sameID(operations); twice {
		return invalid("operations[%d].id: want ids that differ within a request, found %q also at operations[%d]",
			second, clip(operations[second].GetId()), first)
	}
	group := 0
	for i, p := range operations {
		if group++; group > ledger.MaxGroup {
			return invalid("operations[%d].linked: want at most %d operations in a group, found more", i, ledger.MaxGroup)
		}
		if !p.GetLinked() {
			group = 0
		}
	}
	if group > 0 {
		last := len(operations) - 1
		return invalid("operations[%d].linked: want false in the last operation of a request, found true: the group does not end", last)
	}
	return nil
}

// sameID finds two operations of one id. The table is a hash set with linear probing, at most half full: half the time
// of a map, for what is done for each operation of each request.
func sameID(operations []*ballastv1.Operation) (first, second int, found bool) {
	table := make([]int32, 2<<bits.Len(uint(len(operations)))) // position + 1; 0: free
	seed := maphash.MakeSeed()
	for i, p := range operations {
		at := maphash.String(seed, p.GetId())
		for ; ; at++ {
			slot := &table[at%uint64(len(table))]
			if *slot == 0 {
				*slot = int32(i + 1)
				break
			}
			if other := int(*slot - 1); operations[other].GetId() == p.GetId() {
				return other, i, true
			}
		}
	}
	return 0, 0, false
}

func invalidOperation(i int, p *ballastv1.Operation, err error) *Failure {
	var field *ledger.FieldError
	if !errors.As(err, &field) {
		return invalid("operations[%d]: %v", i, err)
	}
	return invalid("operations[%d].%s: %s%s", i, field.Field, field.Problem, found(p.ProtoReflect(), field.Field))
}

// found tells the value of a field of an operation or of its kind.
func found(m protoreflect.Message, name string) string {
	if fd := m.Descriptor().Fields().ByName(protoreflect.Name(name)); fd != nil {
		if fd.Kind() == protoreflect.StringKind {
			return fmt.Sprintf(", found %q", clip(m.Get(fd).String()))
		}
		return fmt.Sprintf(", found %v", m.Get(fd))
	}
	if oneof := m.Descriptor().Oneofs().ByName("kind"); oneof != nil {
		if fd := m.WhichOneof(oneof); fd != nil {
			return found(m.Get(fd).Message(), name)
		}
	}
	return ""
}

// clip shortens text that a caller sent for a message.
func clip(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	return s[:most] + "..."
}

func invalid(format string, args ...any) *Failure {
	return notDone(codes.InvalidArgument, fmt.Sprintf(format, args...))
}
