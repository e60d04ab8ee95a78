package client

import (
	"math"
	"testing"
	"time"
)

// A time that Unix nanoseconds cannot tell never becomes another one that they can.
func TestTimesBeyondNanoseconds(t *testing.T) {
	for at, want := range map[time.Time]int64{
		{}:                       0,
		time.Unix(1700000000, 1): 1700000000000000001,
		time.Date(2600, 6, 1, 0, 0, 0, 0, time.UTC): math.MaxInt64,
		time.Date(1500, 6, 1, 0, 0, 0, 0, time.UTC): math.MinInt64,
	} {
		if got := nanoseconds(at); got != want {
			t.Errorf("%v is %d, want %d", at, got, want)
		}
	}
}
