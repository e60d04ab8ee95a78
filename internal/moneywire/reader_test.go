package moneywire

import (
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// TestTags holds the tags to the descriptors.
func TestTags(t *testing.T) {
	type fields map[string]byte
	for _, tc := range []struct {
		message protoreflect.Message
		tags    fields
	}{
		{(&ballastv1.SubmitStreamRequest{}).ProtoReflect(), fields{"tag": RequestTag, "operations": RequestOperations, "timeout": RequestTimeout}},
		{(&ballastv1.Operation{}).ProtoReflect(), fields{
			"id": OperationID, "attempt": OperationAttempt, "issued_at": OperationIssuedAt, "event_time": OperationEventTime, "code": OperationCode,
			"reference": OperationReference, "linked": OperationLinked, "if_version": OperationIfVersion, "credit": OperationCredit,
			"debit": OperationDebit, "transfer": OperationTransfer,
		}},
		{(&ballastv1.Credit{}).ProtoReflect(), fields{"account": MovementAccount, "amount": MovementAmount}},
		{(&ballastv1.Debit{}).ProtoReflect(), fields{"account": MovementAccount, "amount": MovementAmount}},
		{(&ballastv1.Transfer{}).ProtoReflect(), fields{"debit_account": TransferDebit, "credit_account": TransferCredit, "amount": TransferAmount}},
		{(&ballastv1.SubmitStreamResponse{}).ProtoReflect(), fields{"tag": AnswerTag, "response": AnswerResponse}},
		{(&ballastv1.SubmitResponse{}).ProtoReflect(), fields{"results": ResponseResults, "log_time": ResponseLogTime}},
		{(&ballastv1.Result{}).ProtoReflect(), fields{
			"code": ResultCode, "replayed": ResultReplayed, "attempt": ResultAttempt, "sequence": ResultSequence, "debit_posted": ResultDebitPosted,
			"credit_posted": ResultCreditPosted, "available": ResultAvailable, "asked": ResultAsked, "account": ResultAccount,
			"failed_member": ResultFailedMember, "amount": ResultAmount, "version": ResultVersion,
		}},
	} {
		known := tc.message.Descriptor().Fields()
		for name, tag := range tc.tags {
			fd := known.ByName(protoreflect.Name(name))
			if fd == nil {
				t.Errorf("%s has no field %s", tc.message.Descriptor().Name(), name)
				continue
			}
			want := byte(fd.Number()) << 3
			if k := fd.Kind(); k == protoreflect.StringKind || k == protoreflect.MessageKind {
				want |= text
			}
			if tag != want {
				t.Errorf("%s.%s: tag %#x, want %#x", tc.message.Descriptor().Name(), name, tag, want)
			}
		}
	}
}

func TestReaderFails(t *testing.T) {
	for name, b := range map[string][]byte{
		"a field twice":        {OperationAttempt, 1, OperationAttempt, 1},
		"a large field number": {0x82, 0x01, 0},
		"no number":            {OperationAttempt},
		"an endless number":    {OperationAttempt, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1},
		"a number too large":   {OperationAttempt, 0xff, 0xff, 0xff, 0xff, 0x1f},
		"text cut short":       {OperationID, 3, 'a', 'b'},
	} {
		r := NewReader(b)
		for r.More() {
			switch r.Tag() {
			case OperationID:
				r.Bytes()
			case OperationAttempt:
				r.Uint32()
			}
		}
		if !r.Failed() {
			t.Errorf("%s: read without failing", name)
		}
	}
}

// TestMessageLengths writes messages whose length takes one byte and two.
func TestMessageLengths(t *testing.T) {
	for _, n := range []int{0, 1, 127, 128, 300, 16000} {
		want := make([]byte, n)
		for i := range want {
			want[i] = byte(i)
		}
		b, start := Open([]byte("x"), OperationID)
		b = Close(append(b, want...), start)
		r := NewReader(b[1:])
		if tag, got := r.Tag(), r.Bytes(); tag != OperationID || string(got) != string(want) || r.More() || r.Failed() {
			t.Errorf("%d bytes: read tag %#x and %d bytes", n, tag, len(got))
		}
	}
}
