package importer

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/ballastdb/ballast/internal/durable"
)

// The state file of an import, JSON:
//
//	{"format": "ballast import state", "version": 1, "issued_at": "<Unix ns>", "sha256": "<of the file, hex>"}
//
// It is written once, before anything of the file is sent, and never changed: the stamp is part of what the store
// compares, and it is what makes a repetition after the id window too old instead of new.
const (
	stateFormat  = "ballast import state"
	stateVersion = 1
	maxStateLen  = 4096
)

type stateFile struct {
	Format   string `json:"format"`
	Version  int    `json:"version"`
	IssuedAt int64  `json:"issued_at,string"`
	SHA256   string `json:"sha256"`
}

// state is what a run takes from the state file.
type state struct {
	issuedAt    int64
	fileChanged bool
}

// loadState reads the state file, or makes it durable with the present time where there is none.
func loadState(path string, sum [sha256.Size]byte, clock func() time.Time) (state, error) {
	file, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		made := stateFile{Format: stateFormat, Version: stateVersion, IssuedAt: clock().UnixNano(), SHA256: hex.EncodeToString(sum[:])}
		if err := durable.WriteFile(path, made.encode(), 0o644); err != nil {
			return state{}, fmt.Errorf("write the import's state file (--state puts it elsewhere): %w", err)
		}
		return state{issuedAt: made.IssuedAt}, nil
	}
	if err != nil {
		return state{}, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxStateLen+1))
	if err != nil {
		return state{}, err
	}
	found, err := decodeState(data)
	if err != nil {
		return state{}, fmt.Errorf("state file %s: %w; put back the one of the first run: "+
			"without it every row that was imported is refused as a conflict", path, err)
	}
	return state{issuedAt: found.IssuedAt, fileChanged: found.SHA256 != hex.EncodeToString(sum[:])}, nil
}

func (s stateFile) encode() []byte {
	data, err := json.Marshal(s)
	if err != nil {
		panic(err) // strings and integers always encode
	}
	return append(data, '\n')
}

func decodeState(data []byte) (stateFile, error) {
	if len(data) > maxStateLen {
		return stateFile{}, fmt.Errorf("is longer than %d bytes", maxStateLen)
	}
	var s stateFile
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&s); err != nil {
		return stateFile{}, fmt.Errorf("is not the JSON that an import writes: %w", err)
	}
	if decoder.More() {
		return stateFile{}, errors.New("has more after its JSON")
	}
	switch {
	case s.Format != stateFormat:
		return stateFile{}, fmt.Errorf("expected format %q, found %.80q", stateFormat, s.Format)
	case s.Version != stateVersion:
		return stateFile{}, fmt.Errorf("expected version %d, found %d (from a newer ballast?)", stateVersion, s.Version)
	case s.IssuedAt <= 0:
		return stateFile{}, fmt.Errorf("issued_at %d is not a time", s.IssuedAt)
	}
	return s, nil
}
