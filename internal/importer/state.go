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

	"github.com/ballastdb/ballast/internal/durable"
)

// The state file of an import, JSON:
//
//	{"format": "ballast import state", "version": 1, "issued_at": "<Unix ns>", "sha256": "<of the file, hex>",
//	 "earlier": "<sequence number>"}
//
// earlier is there only where an import with another stamp had applied rows of the file before this state was made, in
// entries up to that one.
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
	Earlier  uint64 `json:"earlier,string,omitempty"`
}

// state is what a run takes from the state file.
type state struct {
	issuedAt    int64
	earlier     uint64 // rows that took effect in entries up to this one carry another stamp
	fileChanged bool
}

// makeState makes a new state durable.
func makeState(path string, sum [sha256.Size]byte, issuedAt int64, earlier uint64) error {
	made := stateFile{
		Format: stateFormat, Version: stateVersion, IssuedAt: issuedAt, SHA256: hex.EncodeToString(sum[:]), Earlier: earlier,
	}
	if err := durable.WriteFile(path, made.encode(), 0o644); err != nil {
		return fmt.Errorf("write the import's state file (--state puts it elsewhere): %w", err)
	}
	return nil
}

// readState reads the state file; fs.ErrNotExist where there is none.
func readState(path string, sum [sha256.Size]byte) (state, error) {
	file, err := os.Open(path)
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
			"without it every row that was imported counts as a conflict", path, err)
	}
	return state{issuedAt: found.IssuedAt, earlier: found.Earlier, fileChanged: found.SHA256 != hex.EncodeToString(sum[:])}, nil
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
