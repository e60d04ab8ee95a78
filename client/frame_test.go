package client

import (
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// The frames that are joined by hand are what the generated code reads.
func TestFramesAreRequests(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := &ballastv1.SubmitStreamRequest{
			Tag:     rapid.Uint64Range(1, 1<<63).Draw(t, "tag"),
			Timeout: rapid.Int64Range(1, 1<<62).Draw(t, "timeout"),
		}
		f := newFrame(want.Tag, time.Duration(want.Timeout), 0)
		for range rapid.IntRange(0, 3).Draw(t, "callers") {
			var ops []*ballastv1.Operation
			for range rapid.IntRange(1, 3).Draw(t, "operations") {
				ops = append(ops, drawValid(t))
			}
			encoded, err := encodeOperations(ops)
			if err != nil {
				t.Fatal(err)
			}
			f = append(f, encoded...)
			want.Operations = append(want.Operations, ops...)
		}
		buffers, err := newFrameCodec().Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		got := &ballastv1.SubmitStreamRequest{}
		if err := proto.Unmarshal(buffers.Materialize(), got); err != nil || !proto.Equal(got, want) {
			t.Fatalf("read %v, %v; want %v", got, err, want)
		}
	})
}

func drawValid(t *rapid.T) *ballastv1.Operation {
	for {
		if op := drawOperation(t); validate(op) == nil {
			return op
		}
	}
}
