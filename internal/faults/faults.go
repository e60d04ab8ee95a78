// Package faults makes one member's clock, log disk, connections and memory misbehave, as a file says at each moment. Only
// builds with the tag "faults" use it (server/node); tests write the file.
//
// A connection is made to stall, not to lose bytes: that is how TCP shows a lost network to its users. To cut what A
// sends to B, A stalls its writes to B and B its reads from A, so that requests one way and answers the other way stop.
package faults

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/ballastdb/ballast/internal/durable"
)

// EnvFile names the environment variable that holds the file's path.
const EnvFile = "BALLAST_TEST_FAULTS"

// Faults that hold until the file says otherwise. The zero value: none.
type Faults struct {
	// ClockOffset is added to the clock.
	ClockOffset time.Duration `json:"clock_offset,omitempty"`
	// LogStall is how long each write of the raft log waits before it begins; it ends early when the file changes.
	LogStall time.Duration `json:"log_stall,omitempty"`
	// StallWritesTo and StallReadsFrom name member addresses: on connections that this member opened to them, what it
	// sends, or what it would receive, waits.
	StallWritesTo  []string `json:"stall_writes_to,omitempty"`
	StallReadsFrom []string `json:"stall_reads_from,omitempty"`
	// DiskFree is what the disk seems to have free, bytes, where there is more; 0: what there is.
	DiskFree uint64 `json:"disk_free,omitempty"`
	// DamageAccount names an account whose balance in memory is changed, once, as failing memory does.
	DamageAccount string `json:"damage_account,omitempty"`
}

func (f Faults) equal(g Faults) bool {
	return f.ClockOffset == g.ClockOffset && f.DiskFree == g.DiskFree && f.DamageAccount == g.DamageAccount && f.LogStall == g.LogStall &&
		slices.Equal(f.StallWritesTo, g.StallWritesTo) && slices.Equal(f.StallReadsFrom, g.StallReadsFrom)
}

// Write makes f what the file at path asks for, all at once.
func Write(path string, f Faults) error {
	data, err := json.Marshal(f)
	if err != nil {
		return err
	}
	return durable.WriteFile(path, data, 0o600)
}

// Read reads the file at path; one that is not there asks for no faults.
func Read(path string) (Faults, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return Faults{}, nil
	}
	if err != nil {
		return Faults{}, err
	}
	var f Faults
	if err := json.Unmarshal(data, &f); err != nil {
		return Faults{}, fmt.Errorf("faults file %s: %w", path, err)
	}
	return f, nil
}
