package datadir

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"
)

// FormatVersion is the version of the identity record and of the layout as a whole.
const FormatVersion = 1

// MaxNameLen bounds a member's name, bytes.
const MaxNameLen = 63

// Identity says which member of which cluster a data directory is.
type Identity struct {
	// ClusterID is the same for all members of a cluster.
	ClusterID uuid.UUID `json:"cluster_id"`
	// Name is the member's name, unique in the cluster: see CheckName.
	Name string `json:"name"`
	// Incarnation is made by Init, anew each time: a wiped disk under an old name is another member.
	Incarnation uuid.UUID `json:"incarnation"`
	// RecoveryEpoch counts recoveries from a lost majority.
	RecoveryEpoch uint64 `json:"recovery_epoch"`
	// CreatedAt is when Init ran, by the host's clock; for people.
	CreatedAt time.Time `json:"created_at"`
}

// CheckName tells whether name can be a member's name: 1 to MaxNameLen of a-z, 0-9, '-', '_' and '.', beginning with a
// letter or digit.
func CheckName(name string) error {
	if name == "" || len(name) > MaxNameLen {
		return fmt.Errorf("a member's name has 1 to %d characters; %.80q has %d", MaxNameLen, name, len(name))
	}
	for i, c := range []byte(name) {
		alphanumeric := c >= 'a' && c <= 'z' || c >= '0' && c <= '9'
		if !alphanumeric && (i == 0 || c != '-' && c != '_' && c != '.') {
			return fmt.Errorf("a member's name has a-z, 0-9, '-', '_' and '.' and begins with a letter or digit; "+
				"%q has %q at position %d", name, c, i+1)
		}
	}
	return nil
}

func (id Identity) check() error {
	if id.ClusterID == uuid.Nil {
		return fmt.Errorf("the cluster's UUID is missing or zero")
	}
	if id.Incarnation == uuid.Nil {
		return fmt.Errorf("the incarnation's UUID is missing or zero")
	}
	return CheckName(id.Name)
}

func encodeIdentity(id Identity) ([]byte, error) {
	return encodeJSON("identity", FormatVersion, id)
}

func decodeIdentity(data []byte) (Identity, error) {
	var id Identity
	payload, err := decodeRecord("identity", FormatVersion, data)
	if err != nil {
		return Identity{}, err
	}
	if err := decodeStrictly(payload, &id); err != nil {
		return Identity{}, err
	}
	return id, id.check()
}

// decodeStrictly decodes one JSON value without unknown fields and with nothing after it.
func decodeStrictly(data []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return fmt.Errorf("more than one value")
	}
	return nil
}
