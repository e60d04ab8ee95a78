package client

import (
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/ballastdb/ballast/internal/moneywire"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// Operations are encoded once, by their caller's goroutine, as the repeated field that they are in a
// SubmitStreamRequest. Packing a request is then nothing but joining bytes, and a retry encodes nothing.

// usualOperation is about what an operation takes, bytes.
const usualOperation = 80

// encodeOperations appends the operations as field 2 of a SubmitStreamRequest.
func encodeOperations(ops []*ballastv1.Operation) ([]byte, error) {
	b := make([]byte, 0, usualOperation*len(ops))
	for _, op := range ops {
		if grown, ok := appendUsual(b, op); ok {
			b = grown
			continue
		}
		message, err := proto.Marshal(op)
		if err != nil {
			return nil, err
		}
		b = protowire.AppendBytes(append(b, moneywire.RequestOperations), message)
	}
	return b, nil
}

// appendUsual appends a credit, a debit or a transfer without the generated code; false, and b as it was, for others. The
// operation was validated: what it has of texts is UTF-8, and short.
func appendUsual(b []byte, op *ballastv1.Operation) ([]byte, bool) {
	if len(op.ProtoReflect().GetUnknown()) > 0 {
		return b, false
	}
	grown, start := moneywire.Open(b, moneywire.RequestOperations)
	grown = moneywire.AppendText(grown, moneywire.OperationID, op.GetId())
	grown = moneywire.AppendNumber(grown, moneywire.OperationAttempt, uint64(op.GetAttempt()))
	grown = moneywire.AppendNumber(grown, moneywire.OperationIssuedAt, uint64(op.GetIssuedAt()))
	grown = moneywire.AppendNumber(grown, moneywire.OperationEventTime, uint64(op.GetEventTime()))
	grown = moneywire.AppendNumber(grown, moneywire.OperationCode, uint64(op.GetCode()))
	grown = moneywire.AppendText(grown, moneywire.OperationReference, op.GetReference())
	if op.GetLinked() {
		grown = append(grown, moneywire.OperationLinked, 1)
	}
	grown = moneywire.AppendNumber(grown, moneywire.OperationIfVersion, op.GetIfVersion())
	switch k := op.GetKind().(type) {
	case *ballastv1.Operation_Credit:
		grown = appendMovement(grown, moneywire.OperationCredit, k.Credit.GetAccount(), k.Credit.GetAmount())
	case *ballastv1.Operation_Debit:
		grown = appendMovement(grown, moneywire.OperationDebit, k.Debit.GetAccount(), k.Debit.GetAmount())
	case *ballastv1.Operation_Transfer:
		grown = appendTransfer(grown, k.Transfer)
	default:
		return b, false
	}
	return moneywire.Close(grown, start), true
}

func appendMovement(b []byte, tag byte, account string, amount int64) []byte {
	b, start := moneywire.Open(b, tag)
	b = moneywire.AppendText(b, moneywire.MovementAccount, account)
	b = moneywire.AppendNumber(b, moneywire.MovementAmount, uint64(amount))
	return moneywire.Close(b, start)
}

func appendTransfer(b []byte, t *ballastv1.Transfer) []byte {
	b, start := moneywire.Open(b, moneywire.OperationTransfer)
	b = moneywire.AppendText(b, moneywire.TransferDebit, t.GetDebitAccount())
	b = moneywire.AppendText(b, moneywire.TransferCredit, t.GetCreditAccount())
	b = moneywire.AppendNumber(b, moneywire.TransferAmount, uint64(t.GetAmount()))
	return moneywire.Close(b, start)
}
