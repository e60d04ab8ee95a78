package datadir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/ballastdb/ballast/internal/durable"
)

// condemnedName is the file that is there while the member's state is known to be wrong.
const condemnedName = "condemned"

const condemnedVersion = 1

// Condemned says why the state that a member held was wrong. While it is there the member does not start on a snapshot
// that may hold the same.
type Condemned struct {
	// At is when, by the host's clock; for people.
	At time.Time `json:"at"`
	// Reason is what was found, in words.
	Reason string `json:"reason"`
	// Index of the log entry at which the state was found wrong.
	Index uint64 `json:"index"`
	// Agreed is the newest index at which it was found right; 0: none is known.
	Agreed uint64 `json:"agreed"`
	// Times counts how often it was found wrong since it was found right.
	Times int `json:"times"`
}

func encodeCondemned(c Condemned) ([]byte, error) {
	return encodeJSON("condemned", condemnedVersion, c)
}

func decodeCondemned(data []byte) (Condemned, error) {
	return decodeJSON[Condemned]("condemned", condemnedVersion, data)
}

// Condemned reads the note; nil: the state is not known to be wrong. A damaged note is one about everything: index 0.
func (d *Dir) Condemned() (*Condemned, error) {
	data, err := readRecord(filepath.Join(d.root, condemnedName))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil //nolint:nilnil // documented
	}
	if err != nil {
		return nil, err
	}
	c, err := decodeCondemned(data)
	if err != nil {
		c = Condemned{Reason: fmt.Sprintf("the note that says why is damaged: %v", err)}
	}
	return &c, nil
}

// Condemn notes, durably, that the state is wrong. Where it was noted before, and not pardoned, it counts on.
func (d *Dir) Condemn(c Condemned) error {
	before, err := d.Condemned()
	if err != nil {
		return err
	}
	c.Times = 1
	if before != nil {
		c.Times = before.Times + 1
	}
	data, err := encodeCondemned(c)
	if err != nil {
		return err
	}
	return durable.WriteFile(filepath.Join(d.root, condemnedName), data, fileMode)
}

// RefuseDamaged is the refusal of a data directory whose newest snapshot cannot be used, where no other member is known that
// could give another.
func (d *Dir) RefuseDamaged(damage error) error {
	return &RefusedError{
		Problem: Damaged, Dir: d.root, Expected: "a newest snapshot that is whole and right, or other members to get one from",
		Found: damage.Error(), Remedy: "check the disk; " + replaceMember(d.root),
	}
}

// Pardon removes the note: the state was found right, or replaced.
func (d *Dir) Pardon() error {
	err := durable.Remove(filepath.Join(d.root, condemnedName))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}
