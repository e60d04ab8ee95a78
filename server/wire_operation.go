package server

import (
	"github.com/ballastdb/ballast/fsm/ledger"
	"github.com/ballastdb/ballast/fsm/proposal"
	"github.com/ballastdb/ballast/internal/moneywire"
)

// encodeUsual is encode for a request of nothing but credits, debits and transfers in which nothing is to be refused. ok is
// false for all others, and says nothing of them.
func (w *wireOperations) encodeUsual(latest int64) (encoded []byte, ok bool) {
	ids := moneywire.NewIDSet(w.count())
	encoded = make([]byte, 0, min(len(w.data), maxRequestBytes))
	group := 0
	var op ledger.Operation
	for i := range w.spans {
		if !readUsual(w.at(i), &op) || ledger.Validate(&op) != nil || op.IssuedAt > latest || !ids.Add(op.ID) {
			return nil, false
		}
		if group++; group > ledger.MaxGroup {
			return nil, false
		}
		if !op.Linked {
			group = 0
		}
		if encoded = proposal.AppendOperation(encoded, &op); len(encoded) > maxRequestBytes {
			return nil, false
		}
	}
	return encoded, group == 0
}

// readUsual reads a credit, a debit or a transfer, whose texts then alias b. false: it is something else, or in a form that
// is left to the generated code. Texts are not checked: ledger.Validate does, and what it accepts is UTF-8.
func readUsual(b []byte, op *ledger.Operation) bool {
	*op = ledger.Operation{}
	r := moneywire.NewReader(b)
	for r.More() {
		switch tag := r.Tag(); tag {
		case moneywire.OperationID:
			op.ID = r.Bytes()
		case moneywire.OperationAttempt:
			op.Attempt = r.Uint32()
		case moneywire.OperationIssuedAt:
			op.IssuedAt = int64(r.Varint())
		case moneywire.OperationEventTime:
			op.EventTime = int64(r.Varint())
		case moneywire.OperationCode:
			op.Code = r.Uint32()
		case moneywire.OperationReference:
			op.Reference = r.Bytes()
		case moneywire.OperationLinked:
			op.Linked = r.Varint() != 0
		case moneywire.OperationIfVersion:
			op.IfVersion = r.Varint()
		case moneywire.OperationCredit, moneywire.OperationDebit, moneywire.OperationTransfer:
			if op.Kind != 0 || !readMovement(tag, r.Bytes(), op) {
				return false
			}
		default:
			return false
		}
	}
	op.Attempt = max(op.Attempt, 1)
	return !r.Failed()
}

// readMovement reads the Credit, Debit or Transfer that a tag announces.
func readMovement(tag byte, b []byte, op *ledger.Operation) bool {
	if tag == moneywire.OperationTransfer {
		return readTransfer(b, op)
	}
	var account []byte
	r := moneywire.NewReader(b)
	for r.More() {
		switch r.Tag() {
		case moneywire.MovementAccount:
			account = r.Bytes()
		case moneywire.MovementAmount:
			op.Amount = int64(r.Varint())
		default:
			return false
		}
	}
	if tag == moneywire.OperationCredit {
		op.Kind, op.Credit = ledger.KindCredit, account
	} else {
		op.Kind, op.Debit = ledger.KindDebit, account
	}
	return !r.Failed()
}

func readTransfer(b []byte, op *ledger.Operation) bool {
	op.Kind = ledger.KindTransfer
	r := moneywire.NewReader(b)
	for r.More() {
		switch r.Tag() {
		case moneywire.TransferDebit:
			op.Debit = r.Bytes()
		case moneywire.TransferCredit:
			op.Credit = r.Bytes()
		case moneywire.TransferAmount:
			op.Amount = int64(r.Varint())
		default:
			return false
		}
	}
	return !r.Failed()
}
