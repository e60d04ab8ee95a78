package datadir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/ballastdb/ballast/internal/durable"
)

// lastRunName is the file of the last good run. It is for people: a member starts without it, and if it is damaged.
const lastRunName = "lastrun"

const lastRunVersion = 1

// LastRun is what a member was configured with when it last came up.
type LastRun struct {
	// At is when it was up, by the host's clock.
	At time.Time `json:"at"`
	// Config are the values in effect, by key.
	Config map[string]string `json:"config"`
}

func encodeLastRun(r LastRun) ([]byte, error) {
	return encodeJSON("lastrun", lastRunVersion, r)
}

func decodeLastRun(data []byte) (LastRun, error) {
	return decodeJSON[LastRun]("lastrun", lastRunVersion, data)
}

// ReadLastRun reads the last good run of the data directory dir, also while a member runs in it. Where there was none
// the time is zero.
func ReadLastRun(dir string) (LastRun, error) {
	path := filepath.Join(dir, lastRunName)
	data, err := readRecord(path)
	if errors.Is(err, os.ErrNotExist) {
		return LastRun{}, nil
	}
	if err != nil {
		return LastRun{}, err
	}
	r, err := decodeLastRun(data)
	if err != nil {
		return LastRun{}, fmt.Errorf("%s: %w; it is written anew when the member is up", path, err)
	}
	return r, nil
}

// WriteLastRun replaces the last good run, durably.
func (d *Dir) WriteLastRun(r LastRun) error {
	data, err := encodeLastRun(r)
	if err != nil {
		return err
	}
	if len(data) > maxRecord {
		return fmt.Errorf("the configuration takes %d bytes, at most %d are kept", len(data), maxRecord)
	}
	return durable.WriteFile(filepath.Join(d.root, lastRunName), data, fileMode)
}
