package server

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/ballastdb/ballast/fsm/ledger"
	"github.com/ballastdb/ballast/internal/moneywire"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

const wireLatest = int64(1) << 61

func wireAdmission() admission {
	return admission{
		latest: wireLatest, later: func() int64 { return wireLatest },
		original: func(sequence uint64) (ledger.Original, error) {
			if sequence > 1 {
				return ledger.Original{}, invalid("no entry %d", sequence)
			}
			return ledger.Original{Kind: ledger.EntryCredit, Amount: 1}, nil
		},
	}
}

// admitWire reads a frame and admits its operations.
func admitWire(data []byte) (r streamRequest, encoded []byte, failure *Failure, err error) {
	if r, err = readStreamRequest(data); err == nil {
		encoded, failure, err = r.operations.encode(wireAdmission())
	}
	return r, encoded, failure, err
}

// sameAsGenerated holds what is read of a frame to what the generated code reads of it.
func sameAsGenerated(t interface{ Fatalf(string, ...any) }, data []byte) {
	var want ballastv1.SubmitStreamRequest
	wantErr := proto.Unmarshal(data, &want)
	r, encoded, failure, err := admitWire(data)
	if wantErr != nil {
		if err == nil && failure == nil {
			t.Fatalf("admitted, but the generated code says: %v", wantErr)
		}
		return
	}
	if err != nil {
		t.Fatalf("%v, but the generated code reads %v", err, &want)
	}
	if r.tag != want.GetTag() || r.timeout != want.GetTimeout() || r.operations.count() != len(want.GetOperations()) {
		t.Fatalf("tag %d, timeout %d, %d operations; the generated code reads %v", r.tag, r.timeout, r.operations.count(), &want)
	}
	wantEncoded, wantFailure := encodeRequest(want.GetOperations(), wireAdmission())
	if message(failure) != message(wantFailure) || !bytes.Equal(encoded, wantEncoded) {
		t.Fatalf("%x, %s; by the generated code %x, %s", encoded, message(failure), wantEncoded, message(wantFailure))
	}
	for i, op := range want.GetOperations()[:min(len(want.GetOperations()), 10)] {
		for side := ledger.SideNone; side <= ledger.SideCredit; side++ {
			if got := r.operations.account(i, side); got != accountOn(op, side) {
				t.Fatalf("side %d of operation %d is %q, want %q", side, i, got, accountOn(op, side))
			}
		}
	}
}

func message(f *Failure) string {
	if f == nil {
		return "admitted"
	}
	return f.Error()
}

func drawWire(t *rapid.T) *ballastv1.Operation {
	text := rapid.SampledFrom([]string{"a", "b", "0190f3c2-7b1e-7000-8000-000000000001", "", "ü", "@x", "\n", strings.Repeat("x", 64), strings.Repeat("x", 65)})
	number := rapid.SampledFrom([]int64{0, 1, 5, 127, 128, 1 << 35, math.MaxInt64, -1})
	usual := func(label string, g *rapid.Generator[string], otherwise string) string {
		if rapid.IntRange(0, 5).Draw(t, label+" usual") > 0 {
			return otherwise
		}
		return g.Draw(t, label)
	}
	o := &ballastv1.Operation{Id: usual("id", text, fmt.Sprint("id-", rapid.IntRange(0, 50).Draw(t, "n"))), IssuedAt: 7}
	if rapid.IntRange(0, 3).Draw(t, "rare fields") == 0 {
		o.Attempt, o.Code = rapid.SampledFrom([]uint32{0, 1, 2, math.MaxUint32}).Draw(t, "attempt"), rapid.Uint32().Draw(t, "code")
		o.EventTime, o.IssuedAt = number.Draw(t, "event time"), number.Draw(t, "issued at")
		o.Reference, o.Linked = text.Draw(t, "reference"), rapid.Bool().Draw(t, "linked")
		o.IfVersion = uint64(number.Draw(t, "version"))
	}
	amount := int64(1)
	if rapid.IntRange(0, 5).Draw(t, "odd amount") == 0 {
		amount = number.Draw(t, "amount")
	}
	switch rapid.IntRange(0, 9).Draw(t, "kind") {
	case 0, 1:
		o.Kind = &ballastv1.Operation_Credit{Credit: &ballastv1.Credit{Account: usual("account", text, "a"), Amount: amount}}
	case 2, 3:
		o.Kind = &ballastv1.Operation_Debit{Debit: &ballastv1.Debit{Account: usual("account", text, "a"), Amount: amount}}
	case 4, 5, 6:
		o.Kind = &ballastv1.Operation_Transfer{Transfer: &ballastv1.Transfer{
			DebitAccount: usual("from", text, "a"), CreditAccount: usual("to", text, "b"), Amount: amount,
		}}
	case 7:
		o.Kind = &ballastv1.Operation_Hold{Hold: &ballastv1.Hold{Account: "a", Amount: amount, Timeout: 5}}
	case 8:
		o.Kind = &ballastv1.Operation_Reverse{Reverse: &ballastv1.Reverse{Sequence: uint64(rapid.IntRange(0, 2).Draw(t, "sequence"))}}
	}
	return o
}

// TestFramesReadLikeMessages: whatever is sent, it is admitted or refused as the generated code's message is.
func TestFramesReadLikeMessages(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &ballastv1.SubmitStreamRequest{Tag: rapid.Uint64().Draw(t, "tag"), Timeout: rapid.Int64().Draw(t, "timeout")}
		for range rapid.IntRange(0, 4).Draw(t, "operations") {
			m.Operations = append(m.Operations, drawWire(t))
		}
		data, err := proto.MarshalOptions{AllowPartial: true}.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		sameAsGenerated(t, data)
	})
}

// TestUsualRequestsTakeTheShortCut: it is not left unused.
func TestUsualRequestsTakeTheShortCut(t *testing.T) {
	m := &ballastv1.SubmitStreamRequest{Tag: 1, Operations: []*ballastv1.Operation{
		credit("0190f3c2-7b1e-7000-8000-000000000001", "a", 1), debit("d", "b", 1<<62),
		op("t", &ballastv1.Transfer{DebitAccount: "a", CreditAccount: "b", Amount: 300}),
	}}
	o := m.GetOperations()[2]
	o.Attempt, o.Code, o.EventTime, o.Reference, o.IfVersion = 2, 7, -8, "r", 9
	m.GetOperations()[0].Linked = true
	data, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	r, err := readStreamRequest(data)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := r.operations.encodeUsual(math.MaxInt64); !ok {
		t.Error("a request of credits, debits and transfers is left to the generated code")
	}
	sameAsGenerated(t, data)
}

// TestManyOperations: more than a request may have are counted, and two of one id found among many.
func TestManyOperations(t *testing.T) {
	for _, n := range []int{ledger.MaxGroup, ledger.MaxGroup + 1, ledger.MaxBatch, ledger.MaxBatch + 7} {
		for _, change := range []func(*ballastv1.SubmitStreamRequest){
			func(*ballastv1.SubmitStreamRequest) {},
			func(m *ballastv1.SubmitStreamRequest) { m.Operations[n-1].Id = m.Operations[n/2].Id },
			func(m *ballastv1.SubmitStreamRequest) {
				for _, o := range m.Operations[:n-1] {
					o.Linked = true
				}
			},
			func(m *ballastv1.SubmitStreamRequest) { m.Operations[n-1].Linked = true },
		} {
			m := &ballastv1.SubmitStreamRequest{}
			for i := range n {
				m.Operations = append(m.Operations, credit(fmt.Sprint("c", i), "a", 1))
			}
			change(m)
			data, err := proto.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			sameAsGenerated(t, data)
		}
	}
}

func FuzzStreamRequest(f *testing.F) {
	for _, m := range []*ballastv1.SubmitStreamRequest{
		{},
		{Tag: 1, Timeout: -1},
		{Tag: 1, Operations: []*ballastv1.Operation{credit("c", "a", 1), debit("d", "b", 2), op("t", &ballastv1.Transfer{DebitAccount: "a", CreditAccount: "b", Amount: 3})}},
		{Tag: 2, Operations: []*ballastv1.Operation{op("h", &ballastv1.Hold{Account: "a", Amount: 1, Timeout: 1}), credit("h", "a", 1)}},
	} {
		data, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		f.Add(append(data, 0x7a, 1, 'x')) // a field of a later version
		f.Add(append(data, data...))
	}
	f.Add(protowire.AppendBytes([]byte{moneywire.RequestOperations}, []byte{moneywire.OperationTransfer, 0, moneywire.OperationCredit, 0}))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) < 1<<16 {
			sameAsGenerated(t, data)
		}
	})
}

// TestAnswersAreMessages: what is written by hand is, to the byte, what the generated code writes.
func TestAnswersAreMessages(t *testing.T) {
	operations := []*ballastv1.Operation{
		op("t", &ballastv1.Transfer{DebitAccount: "from", CreditAccount: strings.Repeat("ü", 32), Amount: 1}), credit("c", "x", 1), debit("d", "y", 1),
		op("h", &ballastv1.VoidHold{Hold: "h"}),
	}
	request, err := proto.Marshal(&ballastv1.SubmitStreamRequest{Operations: operations})
	if err != nil {
		t.Fatal(err)
	}
	r, err := readStreamRequest(request)
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.SampledFrom([]int64{0, 1, 127, 128, 1 << 40, math.MaxInt64, -1, math.MinInt64})
		applied := Applied{LogTime: number.Draw(t, "log time")}
		for range rapid.IntRange(0, len(operations)).Draw(t, "results") {
			applied.Results = append(applied.Results, ledger.Result{
				Code: ledger.Code(rapid.Uint16().Draw(t, "code")), Side: ledger.Side(rapid.IntRange(0, 2).Draw(t, "side")), Replayed: rapid.Bool().Draw(t, "replayed"),
				Attempt: rapid.Uint32().Draw(t, "attempt"), Sequence: uint64(number.Draw(t, "sequence")),
				DebitPosted: number.Draw(t, "debit"), CreditPosted: number.Draw(t, "credit"), Available: number.Draw(t, "available"), Asked: number.Draw(t, "asked"),
				Amount: number.Draw(t, "amount"), Version: uint64(number.Draw(t, "version")), FailedMember: rapid.Uint32().Draw(t, "member"),
				Account: rapid.Uint32Range(0, 2).Draw(t, "account"),
			})
		}
		tag := rapid.SampledFrom([]uint64{0, 1, 127, 128, math.MaxUint64}).Draw(t, "tag")
		want, err := proto.Marshal(&ballastv1.SubmitStreamResponse{
			Tag: tag, Outcome: &ballastv1.SubmitStreamResponse_Response{Response: submitResponse(applied, operations, slotName)},
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := appliedAnswer(tag, applied, naming{r.operations.account, slotName}); !bytes.Equal(got, want) {
			t.Fatalf("%x, want %x", []byte(got), want)
		}
	})
}

func slotName(slot uint32) string { return fmt.Sprint("slot ", slot) }

// TestEveryFieldOfResultsIsWritten: a field that a result gets later is not forgotten.
func TestEveryFieldOfResultsIsWritten(t *testing.T) {
	if n := (&ballastv1.Result{}).ProtoReflect().Descriptor().Fields().Len(); n != 12 {
		t.Errorf("a result has %d fields: write the new ones in appendResult, read them in the client, and count them here", n)
	}
}

// TestCodecPassesMessagesOn: what is neither frame nor answer goes through gRPC's own codec.
func TestCodecPassesMessagesOn(t *testing.T) {
	codec, want := newWireCodec(), &ballastv1.SubmitStreamRequest{Tag: 5}
	data, err := codec.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	got, frame := &ballastv1.SubmitStreamRequest{}, &streamFrame{}
	if err := errors.Join(codec.Unmarshal(data, got), codec.Unmarshal(data, frame)); err != nil || !proto.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	answer, err := codec.Marshal(streamAnswer(frame.data))
	if err != nil || !bytes.Equal(answer.Materialize(), data.Materialize()) {
		t.Errorf("%x, %v", answer.Materialize(), err)
	}
	if err := codec.Unmarshal(mem.BufferSlice{mem.SliceBuffer("\xff")}, got); err == nil {
		t.Error("bytes that are no message are read as one")
	}
}

// BenchmarkStreamRequest is what a bulk request costs from the frame to the proposal, and its answer to the frame.
func BenchmarkStreamRequest(b *testing.B) {
	const n = 2000
	m := &ballastv1.SubmitStreamRequest{Tag: 1, Timeout: 1}
	results := make([]ledger.Result, n)
	for i := range n {
		m.Operations = append(m.Operations, op(fmt.Sprintf("0190f3c2-7b1e-7000-8000-%012d", i), &ballastv1.Transfer{
			DebitAccount: fmt.Sprintf("b%07d", i), CreditAccount: fmt.Sprintf("b%07d", i+1), Amount: 7,
		}))
		results[i] = ledger.Result{Code: ledger.CodeApplied, Attempt: 1, Sequence: 1 << 20, DebitPosted: 1 << 30, CreditPosted: 1 << 30, Available: 1 << 30}
	}
	data, err := proto.Marshal(m)
	if err != nil {
		b.Fatal(err)
	}
	perOperation := func(b *testing.B) {
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/operation")
	}
	b.Run("read", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, _, failure, err := admitWire(data); failure != nil || err != nil {
				b.Fatal(failure, err)
			}
		}
		perOperation(b)
	})
	b.Run("read generated", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var m ballastv1.SubmitStreamRequest
			if err := proto.Unmarshal(data, &m); err != nil {
				b.Fatal(err)
			}
			if _, failure := encodeRequest(m.GetOperations(), wireAdmission()); failure != nil {
				b.Fatal(failure)
			}
		}
		perOperation(b)
	})
	applied := Applied{Results: results, LogTime: 1}
	b.Run("answer", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			appliedAnswer(1, applied, naming{})
		}
		perOperation(b)
	})
	b.Run("answer generated", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, err := proto.Marshal(&ballastv1.SubmitStreamResponse{
				Tag: 1, Outcome: &ballastv1.SubmitStreamResponse_Response{Response: submitResponse(applied, m.GetOperations(), nil)},
			})
			if err != nil {
				b.Fatal(err)
			}
		}
		perOperation(b)
	})
}
