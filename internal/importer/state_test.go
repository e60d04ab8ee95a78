package importer

import (
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const goldenState = `{"format":"ballast import state","version":1,"issued_at":"1700000000123456789","sha256":"0100000000000000000000000000000000000000000000000000000000000000"}` + "\n"

func TestStateGolden(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	if _, err := readState(path, [sha256.Size]byte{1}); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("no file: %v", err)
	}
	if err := makeState(path, [sha256.Size]byte{1}, 1700000000123456789, 0); err != nil {
		t.Fatal(err)
	}
	if got, err := readState(path, [sha256.Size]byte{1}); err != nil || got != (state{issuedAt: 1700000000123456789}) {
		t.Fatalf("%+v, %v", got, err)
	}
	if data, err := os.ReadFile(path); err != nil || string(data) != goldenState {
		t.Fatalf("%s, %v", data, err)
	}
	if got, err := readState(path, [sha256.Size]byte{2}); err != nil || !got.fileChanged {
		t.Fatalf("%+v, %v", got, err)
	}
}

func TestStateRefused(t *testing.T) {
	for want, data := range map[string]string{
		"not the JSON":               goldenState[:50],
		"more after":                 goldenState + goldenState,
		"expected version 1":         strings.Replace(goldenState, `"version":1`, `"version":2`, 1),
		"expected format":            strings.Replace(goldenState, "import state", "rows", 1),
		"is not a time":              strings.Replace(goldenState, "1700000000123456789", "0", 1),
		"longer than":                goldenState + strings.Repeat(" ", maxStateLen),
		`unknown field "surprising"`: strings.Replace(goldenState, "{", `{"surprising":1,`, 1),
	} {
		path := filepath.Join(t.TempDir(), "state")
		if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readState(path, [sha256.Size]byte{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func FuzzDecodeState(f *testing.F) {
	f.Add([]byte(goldenState))
	f.Add(stateFile{Format: stateFormat, Version: stateVersion, IssuedAt: 1, Earlier: 1 << 60}.encode())
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := decodeState(data)
		if err != nil {
			return
		}
		if again, err := decodeState(s.encode()); err != nil || again != s {
			t.Fatalf("%+v came back as %+v, %v", s, again, err)
		}
	})
}
