package importer

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand"
	"os"
	"strings"
	"testing"
	"testing/iotest"
)

// What was read once is read again; anything else is not given out past the block in which it differs.
func TestSameReader(t *testing.T) {
	random := rand.New(rand.NewSource(1))
	for _, size := range []int{0, 1, blockLen - 1, blockLen, blockLen + 1, 3*blockLen + 17} {
		content := make([]byte, size)
		random.Read(content)
		b := newBlocks()
		if _, err := io.Copy(b, iotest.HalfReader(bytes.NewReader(content))); err != nil {
			t.Fatal(err)
		}
		if b.finish() != sha256.Sum256(content) {
			t.Fatalf("%d bytes: another sum of the whole", size)
		}
		again, err := io.ReadAll(newSameReader(iotest.HalfReader(bytes.NewReader(content)), b))
		if err != nil || !bytes.Equal(again, content) {
			t.Fatalf("%d bytes: %d read, %v", size, len(again), err)
		}
		others := [][]byte{append(bytes.Clone(content), 'x')}
		if size > 0 {
			flipped := bytes.Clone(content)
			flipped[random.Intn(size)] ^= 1
			others = append(others, content[:size-1], content[:random.Intn(size)], flipped)
		}
		for i, other := range others {
			got, err := io.ReadAll(newSameReader(bytes.NewReader(other), b))
			var changed *changedError
			if !errors.As(err, &changed) || !bytes.HasPrefix(content, got) {
				t.Errorf("%d bytes, change %d: %d read, %v", size, i, len(got), err)
			}
		}
	}
}

// A file that changes after the check is not sent on from there, though its rows are well-formed.
func TestChangedFileStops(t *testing.T) {
	content := randomFile(1, 20_000, 40)
	path := writeFile(t, content)
	at := strings.Index(content, "t19000,")
	store := newFakeStore()
	store.fault = func(call int, _ bool) error {
		if call == 2 { // the check is over
			changed := content[:at] + strings.Replace(content[at:], ",credit,", ",credit,1", 1)
			return os.WriteFile(path, []byte(changed), 0o600)
		}
		return nil
	}
	report, err := Run(t.Context(), store, optionsFor(path))
	var changed *changedError
	if !errors.As(err, &changed) || !strings.Contains(err.Error(), "changed while it was imported") {
		t.Fatalf("got %v", err)
	}
	if report.NotSent == 0 || report.Applied == 20_000 || store.answers["t19999"] != nil {
		t.Errorf("%+v", report)
	}
}
