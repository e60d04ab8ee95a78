package moneywire

import (
	"fmt"
	"testing"
)

func TestIDSetFindsWhatIsThere(t *testing.T) {
	const n = 8000
	s, taken := NewIDSet(n), 0
	for i := range n {
		if !s.Add(fmt.Append(nil, "id-", i)) {
			taken++
		}
	}
	if taken > 3 {
		t.Errorf("%d of %d different ids are taken for others", taken, n)
	}
	for i := range n {
		if s.AddString(fmt.Sprint("id-", i)) {
			t.Fatalf("id %d is not found", i)
		}
	}
}
