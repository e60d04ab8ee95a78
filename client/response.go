package client

import (
	"math"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	"github.com/ballastdb/ballast/internal/moneywire"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// response is a SubmitStreamResponse as it came. Results stay in wire form until their caller reads them: each caller reads
// its own, in its own goroutine.
type response struct {
	tag     uint64
	failure *ballastv1.StreamFailure // the request failed; nil: it was answered
	logTime int64                    // Unix nanoseconds
	results wireResults
}

// wireResults are results in wire form, each one with its tag and length.
type wireResults struct {
	data  []byte
	count int
}

// readResponse takes a message apart.
func readResponse(data []byte) (r response, err error) {
	if r.readUsual(data) {
		return r, nil
	}
	var m ballastv1.SubmitStreamResponse
	if err := proto.Unmarshal(data, &m); err != nil {
		return response{}, err
	}
	r = response{tag: m.GetTag(), failure: m.GetFailure(), logTime: m.GetResponse().GetLogTime()}
	if m.GetResponse() == nil && r.failure == nil {
		r.failure = &ballastv1.StreamFailure{} // an outcome of a later version: unknown
	}
	body, err := proto.Marshal(&ballastv1.SubmitResponse{Results: m.GetResponse().GetResults()})
	r.results = wireResults{body, len(m.GetResponse().GetResults())}
	return r, err
}

// readUsual reads a message as members write it: the tag, and a response that ends with log time.
func (r *response) readUsual(data []byte) bool {
	m := moneywire.NewReader(data)
	var body []byte
	answered := false
	for m.More() {
		switch m.Tag() {
		case moneywire.AnswerTag:
			r.tag = m.Varint()
		case moneywire.AnswerResponse:
			body, answered = m.Bytes(), true
		default:
			return false
		}
	}
	if m.Failed() || !answered {
		return false
	}
	b := moneywire.NewReader(body)
	for b.More() {
		switch b.Tag() {
		case moneywire.ResponseResults:
			b.Bytes()
			b.Repeated(moneywire.ResponseResults)
			r.results.count++
			r.results.data = body[:len(body)-b.Len()]
		case moneywire.ResponseLogTime:
			r.logTime = int64(b.Varint())
			return !b.Failed() && !b.More()
		default:
			return false
		}
	}
	return !b.Failed()
}

// take splits off the first n, of which there are enough.
func (w *wireResults) take(n int) wireResults {
	r := moneywire.NewReader(w.data)
	for range n {
		r.Tag()
		r.Bytes()
		r.Repeated(moneywire.ResponseResults)
	}
	head := wireResults{w.data[:len(w.data)-r.Len()], n}
	w.data, w.count = w.data[len(head.data):], w.count-n
	return head
}

// read decodes the results.
func (w wireResults) read() ([]*ballastv1.Result, error) {
	slab, results := make([]ballastv1.Result, w.count), make([]*ballastv1.Result, w.count)
	r := moneywire.NewReader(w.data)
	for i := range results {
		r.Tag()
		message := r.Bytes()
		r.Repeated(moneywire.ResponseResults)
		results[i] = &slab[i]
		if readResult(message, results[i]) {
			continue
		}
		if err := proto.Unmarshal(message, results[i]); err != nil {
			return nil, err
		}
	}
	return results, nil
}

// readResult reads a result of the fields that this version knows.
func readResult(b []byte, p *ballastv1.Result) bool {
	r := moneywire.NewReader(b)
	for r.More() {
		switch r.Tag() {
		case moneywire.ResultCode:
			code := r.Uint32()
			if code > math.MaxInt32 {
				return false
			}
			p.Code = ballastv1.ResultCode(code)
		case moneywire.ResultReplayed:
			p.Replayed = r.Varint() != 0
		case moneywire.ResultAttempt:
			p.Attempt = r.Uint32()
		case moneywire.ResultSequence:
			p.Sequence = r.Varint()
		case moneywire.ResultDebitPosted:
			p.DebitPosted = int64(r.Varint())
		case moneywire.ResultCreditPosted:
			p.CreditPosted = int64(r.Varint())
		case moneywire.ResultAvailable:
			p.Available = int64(r.Varint())
		case moneywire.ResultAsked:
			p.Asked = int64(r.Varint())
		case moneywire.ResultAccount:
			account := r.Bytes()
			if !utf8.Valid(account) {
				return false
			}
			p.Account = string(account)
		case moneywire.ResultFailedMember:
			p.FailedMember = r.Uint32()
		case moneywire.ResultAmount:
			p.Amount = int64(r.Varint())
		case moneywire.ResultVersion:
			p.Version = r.Varint()
		default:
			return false
		}
	}
	return !r.Failed()
}
