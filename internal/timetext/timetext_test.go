package timetext

import (
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	noon := time.Date(1993, 1, 2, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"1993-01-02 12:00:00":            noon,
		"1993-01-02T12:00:00":            noon,
		"1993-01-02T13:00:00+01:00":      noon,
		"1993-01-02T12:00:00.000000001Z": noon.Add(1),
		"1993-01-02":                     noon.Add(-12 * time.Hour),
	} {
		if got, err := Parse(text); err != nil || !got.Equal(want) {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "2.1.1993", "1993-02-30", "0001-01-01", "9999-01-01"} {
		if got, err := Parse(text); err == nil {
			t.Errorf("%s was taken as %v", text, got)
		}
	}
}

func TestFormatParsesBack(t *testing.T) {
	const stamp = 1700000000123456789
	if got, err := Parse(Format(stamp)); err != nil || got.UnixNano() != stamp {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := Parse(FormatFixed(stamp - 789)); err != nil || got.UnixNano() != stamp-789 || len(FormatFixed(stamp-789)) != len(FormatFixed(stamp)) {
		t.Errorf("%v, %v", got, err)
	}
	if FormatFixed(0) != "" {
		t.Errorf("%q", FormatFixed(0))
	}
	if Format(0) != "" {
		t.Errorf("%q", Format(0))
	}
}
