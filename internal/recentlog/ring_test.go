package recentlog

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/go-hclog"
	"pgregory.net/rapid"
)

// What is kept is the end of what was written, beginning with a whole line, and as much of it as there is room for.
func TestNewestLinesAreKept(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(1, 200).Draw(t, "size")
		ring := New(size)
		var written []byte
		for i := range rapid.IntRange(0, 40).Draw(t, "lines") {
			line := fmt.Appendf(nil, "%d %s\n", i, strings.Repeat("x", rapid.IntRange(0, 60).Draw(t, "length")))
			written = append(written, line...)
			if n, err := ring.Write(line); n != len(line) || err != nil {
				t.Fatalf("wrote %d, %v", n, err)
			}
			want := written
			if len(written) >= size {
				_, want, _ = bytes.Cut(written[len(written)-size:], []byte{'\n'})
			}
			if got := ring.Lines(); !bytes.Equal(got, want) {
				t.Fatalf("kept %q of %q in %d bytes, want %q", got, written, size, want)
			}
		}
	})
}

func TestManyWriters(t *testing.T) {
	ring := New(1000)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for range 100 {
				fmt.Fprintf(ring, "writer %d says so\n", i)
				ring.Lines()
			}
		})
	}
	all.Wait()
	for line := range bytes.Lines(ring.Lines()) {
		if !bytes.HasPrefix(line, []byte("writer ")) || !bytes.HasSuffix(line, []byte(" says so\n")) {
			t.Errorf("a broken line: %q", line)
		}
	}
}

// As the sink of a logger it has what the logger says from its own level on, with names and fields, whatever the logger's level.
func TestAsASink(t *testing.T) {
	ring := New(1 << 10)
	logger := hclog.NewInterceptLogger(&hclog.LoggerOptions{Name: "main", Level: hclog.Error, Output: &bytes.Buffer{}})
	logger.RegisterSink(ring.Sink(hclog.Info))
	logger.Named("part").With("member", "node-1").Info("it is up", "index", 7)
	logger.Debug("not this")
	got := string(ring.Lines())
	for _, want := range []string{`"@message":"it is up"`, `"@module":"main.part"`, `"member":"node-1"`, `"index":7`} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is missing in %s", want, got)
		}
	}
	if strings.Contains(got, "not this") {
		t.Errorf("kept %s", got)
	}
}
