package datadir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/ballastdb/ballast/internal/durable"
)

// heardName is the file that tells what the other members said of themselves: it gives away one whose disk was rolled back.
const heardName = "heard"

const heardVersion = 1

// Heard is the most that another member was heard to say of itself.
type Heard struct {
	// ID is its raft server id.
	ID string `json:"id"`
	// Boots counts the openings of its data directory, Token is random and made at the last.
	Boots uint64 `json:"boots"`
	Token uint64 `json:"token"`
	// Term it was in, and Applied, the newest log index that it had applied.
	Term    uint64 `json:"term"`
	Applied uint64 `json:"applied"`
}

type heardRecord struct {
	Members []Heard `json:"members"`
}

func encodeHeard(members []Heard) ([]byte, error) {
	return encodeJSON("heard", heardVersion, heardRecord{members})
}

func decodeHeard(data []byte) ([]Heard, error) {
	r, err := decodeJSON[heardRecord]("heard", heardVersion, data)
	return r.Members, err
}

// Heard is what the other members said of themselves; none: it was never noted. A damaged note is an error.
func (d *Dir) Heard() ([]Heard, error) {
	path := filepath.Join(d.root, heardName)
	data, err := readRecord(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	members, err := decodeHeard(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w; it is written anew when the others are heard again", path, err)
	}
	return members, nil
}

// WriteHeard replaces the note, durably.
func (d *Dir) WriteHeard(members []Heard) error {
	data, err := encodeHeard(members)
	if err != nil {
		return err
	}
	if len(data) > maxRecord {
		return fmt.Errorf("what %d members said takes %d bytes, at most %d are kept", len(members), len(data), maxRecord)
	}
	return durable.WriteFile(filepath.Join(d.root, heardName), data, fileMode)
}
