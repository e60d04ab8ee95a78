package backup

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// About says what a backup is of. Numbers are what the writer expects to write; the manifest decides.
type About struct {
	// ClusterID and Member that it was taken from, and the program's version there.
	ClusterID string `json:"cluster_id"`
	Member    string `json:"member"`
	Version   string `json:"version"`
	// TakenAt is the member's clock; for people.
	TakenAt time.Time `json:"taken_at"`
	// Index and Term of the log entry that the state shows, and LogTime there, Unix nanoseconds.
	Index   uint64 `json:"index"`
	Term    uint64 `json:"term"`
	LogTime int64  `json:"log_time"`
	// Digest of the state, hexadecimal.
	Digest string `json:"digest"`
	// Pages of the state, and PageBytes that they take.
	Pages     uint64 `json:"pages"`
	PageBytes uint64 `json:"page_bytes"`
	// Entries of the journal, and EntryBytes that they take.
	Entries    uint64 `json:"entries"`
	EntryBytes uint64 `json:"entry_bytes"`
}

// Bytes is about how long the backup is.
func (a About) Bytes() uint64 {
	const manifestPerPage, framesPerMille = 32, 1
	n := a.Pages*manifestPerPage + a.PageBytes + a.EntryBytes
	return n + n*framesPerMille/1000 + headerBytes + frameBytes + endBytes
}

func (a About) encode() ([]byte, error) {
	b, err := json.Marshal(a)
	if err == nil && len(b) > maxAbout {
		err = fmt.Errorf("backup: %d bytes of what it is about, at most %d", len(b), maxAbout)
	}
	return b, err
}

// decodeAbout reads what encode wrote, strictly.
func decodeAbout(b []byte) (a About, err error) {
	if len(b) > maxAbout {
		return a, fmt.Errorf("%d bytes, expected at most %d", len(b), maxAbout)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&a); err != nil {
		return About{}, err
	}
	if int(d.InputOffset()) != len(b) {
		return About{}, fmt.Errorf("something follows the first value")
	}
	return a, nil
}
