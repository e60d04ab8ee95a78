package datadir

import (
	"time"
)

const bootVersion = 1

// bootRecord counts the openings of a data directory. A count that went back gives away a disk that was rolled back to
// an older copy.
type bootRecord struct {
	// Boots counts successful Opens; 0 after Init.
	Boots uint64 `json:"boots"`
	// PID and At tell who opened it last and when; for people.
	PID int       `json:"pid"`
	At  time.Time `json:"at"`
}

func encodeBoot(b bootRecord) ([]byte, error) {
	return encodeJSON("boot", bootVersion, b)
}

func decodeBoot(data []byte) (bootRecord, error) {
	return decodeJSON[bootRecord]("boot", bootVersion, data)
}
