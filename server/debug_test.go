package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc/codes"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// collected are the parts of an answer, by name, and what is said to be wrong with them.
type collected struct{ data, problems map[string]string }

func (m *member) collect(t *testing.T, heap bool) (c collected, err error) {
	t.Helper()
	stream, err := m.operator.CollectDebug(testContext(t), &ballastv1.CollectDebugRequest{Heap: heap})
	c = collected{map[string]string{}, map[string]string{}}
	name := ""
	for err == nil {
		var r *ballastv1.CollectDebugResponse
		if r, err = stream.Recv(); err != nil {
			break
		}
		if r.GetName() != "" {
			name = r.GetName()
		}
		if len(r.GetData()) > debugPiece {
			t.Errorf("a piece of %d bytes", len(r.GetData()))
		}
		c.data[name] += string(r.GetData())
		c.problems[name] += r.GetError()
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return c, err
}

// Parts come in pieces and whole; what cannot be had or is too much says so; a key that somebody has put where it does not belong stays.
func TestCollectDebug(t *testing.T) {
	m := newMember(t, nil)
	cfg := m.operatorConfig
	held, release := make(chan struct{}), make(chan struct{})
	holding := false
	cfg.Debug = func(heap bool) []DebugPart {
		text := func(name, text string, err error) DebugPart {
			return DebugPart{Name: name, Write: func(_ context.Context, w io.Writer) error {
				_, writeErr := io.WriteString(w, text)
				return errors.Join(writeErr, err)
			}}
		}
		if holding {
			return []DebugPart{{Name: "slow", Write: func(context.Context, io.Writer) error { close(held); <-release; return nil }}}
		}
		return []DebugPart{
			text("large", strings.Repeat("x", 3*debugPiece+7), nil), text("empty", "", nil), text("broken", "half", errors.New("it broke")),
			text("key", "a -----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY----- b", nil),
			text("endless", strings.Repeat("y", maxDebugPart+1), nil), text("heap", fmt.Sprint(heap), nil),
		}
	}
	m.serve(t, &Money{}, NewOperator(cfg), hclog.NewNullLogger())
	got, err := m.collect(t, true)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.data) != 6 || len(got.data["large"]) != 3*debugPiece+7 || got.data["empty"] != "" || got.data["heap"] != "true" {
		t.Errorf("got %d parts, the large one of %d bytes, heap %q", len(got.data), len(got.data["large"]), got.data["heap"])
	}
	if got.data["broken"] != "half" || got.problems["broken"] != "it broke" || got.problems["large"] != "" {
		t.Errorf("the broken one is %q, %q", got.data["broken"], got.problems["broken"])
	}
	if text := got.data["key"]; strings.Contains(text, "c2Vj") || !strings.HasPrefix(text, "a [") || !strings.HasSuffix(text, " b") {
		t.Errorf("the key is %q", text)
	}
	if len(got.data["endless"]) != maxDebugPart || !strings.Contains(got.problems["endless"], "only the first") {
		t.Errorf("of the endless one there are %d bytes, %q", len(got.data["endless"]), got.problems["endless"])
	}

	holding = true
	first := make(chan error, 1)
	go func() {
		_, err := m.collect(t, false)
		first <- err
	}()
	receive(t, "the first", held)
	_, err = m.collect(t, false)
	wantOperator(t, err, codes.Unavailable, "somebody else collects")
	close(release)
	if err := receive(t, "its end", first); err != nil {
		t.Error(err)
	}
}

func TestBoundedKeepsTheBeginning(t *testing.T) {
	var b bounded
	for _, p := range [][]byte{bytes.Repeat([]byte("a"), maxDebugPart-1), []byte("bcd"), []byte("e")} {
		if n, err := b.Write(p); n != len(p) || err != nil {
			t.Fatalf("%d, %v", n, err)
		}
	}
	if text := b.text.Bytes(); len(text) != maxDebugPart || text[maxDebugPart-1] != 'b' || !b.cut {
		t.Errorf("kept %d bytes, the last %q, cut %v", len(text), text[len(text)-1], b.cut)
	}
}
