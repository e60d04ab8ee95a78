package client

import (
	"testing"

	"google.golang.org/grpc/codes"
)

// However many members' hints form a ring, they are asked once between two pauses, and a hint out of it is followed at
// once.
func TestHintsInARingArePaced(t *testing.T) {
	all := []string{"a", "b", "c", "d"}
	for n := 2; n <= len(all); n++ {
		ring := all[:n]
		c := &Client{directory: newDirectory(ring)}
		var way course
		for try := range 5 * n {
			at := c.directory.leader()
			if want := ring[try%n]; at != want {
				t.Fatalf("ring of %d: try %d goes to %s, want %s", n, try, at, want)
			}
			pause := c.react(&failure{endpoint: at, code: codes.FailedPrecondition, leader: ring[(try+1)%n]}, &way)
			if last := try%n == n-1; last != (pause > 0) {
				t.Errorf("ring of %d: pause of %s after try %d", n, pause, try)
			}
		}
		if pause := c.react(&failure{endpoint: c.directory.leader(), code: codes.FailedPrecondition, leader: "z"}, &way); pause != 0 {
			t.Errorf("news after a pause was followed after %s", pause)
		}
	}
}
