package client

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// Whatever members hint, no known address is lost from the round, what is learned is bounded, and the guess is one of
// them.
func TestDirectoryGoesRoundAll(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seeds := []string{"a:1", "b:1", "c:1"}
		d := newDirectory(seeds)
		for range rapid.IntRange(0, 100).Draw(t, "news") {
			address := rapid.OneOf(rapid.SampledFrom(seeds), rapid.Map(rapid.IntRange(0, 99), func(i int) string {
				return fmt.Sprintf("learned:%d", i)
			})).Draw(t, "address")
			before := d.leader()
			switch rapid.IntRange(0, 2).Draw(t, "what") {
			case 0:
				if d.follow(before, address) && d.leader() != address {
					t.Fatalf("hinted at %s, goes to %s", address, d.leader())
				}
			case 1:
				d.leave(address)
				if before != address && d.leader() != before {
					t.Fatalf("left %s, moved from %s to %s", address, before, d.leader())
				}
			case 2:
				d.follow("elsewhere:1", address) // the guess has moved since that member was asked
				if d.leader() != before {
					t.Fatalf("old news moved %s to %s", before, d.leader())
				}
			}
		}
		all := d.all()
		if len(all) > len(seeds)+maxLearned {
			t.Fatalf("%d addresses", len(all))
		}
		var visited []string
		for range all {
			visited = append(visited, d.leader())
			d.leave(d.leader())
		}
		for _, address := range all {
			if !slices.Contains(visited, address) {
				t.Fatalf("%s is never asked: %v", address, visited)
			}
		}
	})
}
