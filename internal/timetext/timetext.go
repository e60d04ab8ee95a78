// Package timetext reads points in time as people and files write them.
package timetext

import (
	"fmt"
	"time"
)

// Parse reads a date (2026-01-31), a date and time (2026-01-31 12:00:00, with a T or a space) or RFC 3339. Without a
// zone it is UTC. The year must lie between 1678 and 2261, so that it fits Unix nanoseconds.
func Parse(text string) (time.Time, error) {
	for _, layout := range []string{time.DateOnly, time.RFC3339Nano, time.DateTime, "2006-01-02T15:04:05"} {
		t, err := time.Parse(layout, text)
		if err != nil {
			continue
		}
		if t.Year() < 1678 || t.Year() > 2261 {
			return time.Time{}, fmt.Errorf("time %q: the year must lie between 1678 and 2261", text)
		}
		return t.UTC(), nil
	}
	return time.Time{}, fmt.Errorf("time %.80q: it must look like 2026-01-31, 2026-01-31 12:00:00 or 2026-01-31T12:00:00Z", text)
}

// FormatFixed writes Unix nanoseconds as RFC 3339 in UTC, always with nine digits of fraction, so that texts sort as the
// times do and columns align; 0 is the empty text.
func FormatFixed(nanoseconds int64) string {
	if nanoseconds == 0 {
		return ""
	}
	return time.Unix(0, nanoseconds).UTC().Format("2006-01-02T15:04:05.000000000Z")
}

// Format writes Unix nanoseconds as RFC 3339 in UTC; 0 is the empty text.
func Format(nanoseconds int64) string {
	if nanoseconds == 0 {
		return ""
	}
	return time.Unix(0, nanoseconds).UTC().Format(time.RFC3339Nano)
}
