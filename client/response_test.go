package client

import (
	"math"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// sameAsGenerated holds what is read of a message to what the generated code reads of it.
func sameAsGenerated(t interface{ Fatalf(string, ...any) }, data []byte) {
	var want ballastv1.SubmitStreamResponse
	wantErr := proto.Unmarshal(data, &want)
	got, err := readResponse(data)
	var results []*ballastv1.Result
	if err == nil {
		results, err = got.results.read()
	}
	if (err != nil) != (wantErr != nil) {
		t.Fatalf("%v; by the generated code %v", err, wantErr)
	}
	if err != nil {
		return
	}
	response := want.GetResponse()
	if got.tag != want.GetTag() || got.logTime != response.GetLogTime() || len(results) != len(response.GetResults()) || (got.failure == nil) != (response != nil) {
		t.Fatalf("%+v, want %v", got, &want)
	}
	if want.GetFailure() != nil && !proto.Equal(got.failure, want.GetFailure()) {
		t.Fatalf("%v, want %v", got.failure, want.GetFailure())
	}
	for i, r := range results {
		if !proto.Equal(r, response.GetResults()[i]) {
			t.Fatalf("result %d is %v, want %v", i, r, response.GetResults()[i])
		}
	}
}

// TestAnswersReadLikeMessages: whatever a member answers, it is read as by the generated code, split in whatever way.
func TestAnswersReadLikeMessages(t *testing.T) {
	number := rapid.SampledFrom([]int64{0, 1, 127, 128, 1 << 40, math.MaxInt64, -1, math.MinInt64})
	rapid.Check(t, func(t *rapid.T) {
		response := &ballastv1.SubmitResponse{LogTime: number.Draw(t, "log time")}
		for range rapid.IntRange(0, 6).Draw(t, "results") {
			response.Results = append(response.Results, &ballastv1.Result{
				Code: ballastv1.ResultCode(rapid.Int32().Draw(t, "code")), Replayed: rapid.Bool().Draw(t, "replayed"), Attempt: rapid.Uint32().Draw(t, "attempt"),
				Sequence: uint64(number.Draw(t, "sequence")), DebitPosted: number.Draw(t, "debit"), CreditPosted: number.Draw(t, "credit"),
				Available: number.Draw(t, "available"), Asked: number.Draw(t, "asked"), Account: rapid.SampledFrom([]string{"", "a", strings.Repeat("ü", 32)}).Draw(t, "account"),
				FailedMember: rapid.Uint32().Draw(t, "member"), Amount: number.Draw(t, "amount"), Version: uint64(number.Draw(t, "version")),
			})
		}
		m := &ballastv1.SubmitStreamResponse{Tag: uint64(number.Draw(t, "tag"))}
		switch rapid.IntRange(0, 4).Draw(t, "outcome") {
		case 0:
		case 1:
			m.Outcome = &ballastv1.SubmitStreamResponse_Failure{Failure: &ballastv1.StreamFailure{Code: 5, Message: "m", Failure: &ballastv1.Failure{}}}
		default:
			m.Outcome = &ballastv1.SubmitStreamResponse_Response{Response: response}
		}
		data, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		sameAsGenerated(t, data)
		if m.GetResponse() == nil {
			return
		}
		got, err := readResponse(data)
		if err != nil {
			t.Fatal(err)
		}
		for at := 0; at < len(response.GetResults()); {
			n := rapid.IntRange(1, len(response.GetResults())-at).Draw(t, "of one call")
			results, f := answer{results: got.results.take(n)}.open("")
			if f != nil || len(results) != n {
				t.Fatalf("%d results of %d, %+v", len(results), n, f)
			}
			for i, r := range results {
				if !proto.Equal(r, response.GetResults()[at+i]) {
					t.Fatalf("result %d is %v, want %v", at+i, r, response.GetResults()[at+i])
				}
			}
			at += n
		}
	})
}

// TestUsualAnswersTakeTheShortCut: it is not left unused.
func TestUsualAnswersTakeTheShortCut(t *testing.T) {
	data, err := proto.Marshal(&ballastv1.SubmitStreamResponse{Tag: 1, Outcome: &ballastv1.SubmitStreamResponse_Response{
		Response: &ballastv1.SubmitResponse{LogTime: 5, Results: []*ballastv1.Result{{Code: 1, Sequence: 7}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if r := new(response); !r.readUsual(data) {
		t.Error("a usual answer is left to the generated code")
	}
}

func FuzzStreamResponse(f *testing.F) {
	for _, m := range []*ballastv1.SubmitStreamResponse{
		{Tag: 1},
		{Tag: 1, Outcome: &ballastv1.SubmitStreamResponse_Failure{Failure: &ballastv1.StreamFailure{Code: 3}}},
		{Tag: 2, Outcome: &ballastv1.SubmitStreamResponse_Response{Response: &ballastv1.SubmitResponse{
			LogTime: 5, Results: []*ballastv1.Result{{Code: 1, Sequence: 7, Available: -1}, {Code: 15, Account: "a"}},
		}}},
	} {
		data, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		f.Add(append(data, 0x7a, 1, 'x')) // a field of a later version
		f.Add(append(data, data...))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) < 1<<16 {
			sameAsGenerated(t, data)
		}
	})
}
