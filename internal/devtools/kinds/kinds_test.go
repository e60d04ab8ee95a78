package kinds

import (
	"testing"
)

// TestEveryKindIsMeasured: every case works, so that make bench does; figures of one round mean nothing.
func TestEveryKindIsMeasured(t *testing.T) {
	costs, err := Measure(t.Context(), batch, 2)
	if err != nil {
		t.Fatal(err)
	}
	if len(costs) != len(cases()) || len(Rows(costs)) != 2*len(costs) {
		t.Fatalf("%d figures of %d kinds", len(costs), len(cases()))
	}
	for _, c := range costs {
		if c.Each <= 0 || c.OfTransfer <= 0 {
			t.Errorf("%+v", c)
		}
	}
}
