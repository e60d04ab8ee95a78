package server

import (
	"encoding/binary"

	"google.golang.org/protobuf/proto"

	"github.com/ballastdb/ballast/fsm/ledger"
	"github.com/ballastdb/ballast/internal/moneywire"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// Room for encoding: what precedes the results of an answer at most, and what a result usually takes.
const (
	answerHeader = 2 * (1 + binary.MaxVarintLen64)
	usualResult  = 48
)

// appliedAnswer is the answer to a request that was applied.
func appliedAnswer(tag uint64, applied Applied, accounts naming) streamAnswer {
	b := make([]byte, answerHeader, answerHeader+len(applied.Results)*usualResult+16)
	for i := range applied.Results {
		b = appendResult(b, &applied.Results[i], i, accounts)
	}
	b = moneywire.AppendNumber(b, moneywire.ResponseLogTime, uint64(applied.LogTime))
	var header [answerHeader]byte
	h := moneywire.AppendNumber(header[:0], moneywire.AnswerTag, tag)
	h = binary.AppendUvarint(append(h, moneywire.AnswerResponse), uint64(len(b)-answerHeader))
	start := answerHeader - len(h)
	copy(b[start:], h)
	return b[start:]
}

// appendResult appends result i as one of a SubmitResponse.
func appendResult(b []byte, r *ledger.Result, i int, accounts naming) []byte {
	b, start := moneywire.Open(b, moneywire.ResponseResults)
	b = moneywire.AppendNumber(b, moneywire.ResultCode, uint64(r.Code))
	if r.Replayed {
		b = append(b, moneywire.ResultReplayed, 1)
	}
	b = moneywire.AppendNumber(b, moneywire.ResultAttempt, uint64(r.Attempt))
	b = moneywire.AppendNumber(b, moneywire.ResultSequence, r.Sequence)
	b = moneywire.AppendNumber(b, moneywire.ResultDebitPosted, uint64(r.DebitPosted))
	b = moneywire.AppendNumber(b, moneywire.ResultCreditPosted, uint64(r.CreditPosted))
	b = moneywire.AppendNumber(b, moneywire.ResultAvailable, uint64(r.Available))
	b = moneywire.AppendNumber(b, moneywire.ResultAsked, uint64(r.Asked))
	b = moneywire.AppendText(b, moneywire.ResultAccount, accounts.of(i, r))
	b = moneywire.AppendNumber(b, moneywire.ResultFailedMember, uint64(r.FailedMember))
	b = moneywire.AppendNumber(b, moneywire.ResultAmount, uint64(r.Amount))
	b = moneywire.AppendNumber(b, moneywire.ResultVersion, r.Version)
	return moneywire.Close(b, start)
}

// failedAnswer is the answer to a request that failed.
func failedAnswer(tag uint64, failure *Failure) (streamAnswer, error) {
	return proto.Marshal(&ballastv1.SubmitStreamResponse{
		Tag: tag, Outcome: &ballastv1.SubmitStreamResponse_Failure{Failure: failure.stream()},
	})
}
