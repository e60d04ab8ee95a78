package history

import (
	"fmt"
	"slices"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// Digests collects the checkpoints that members report, and finds two that differ at one index.
type Digests struct {
	members map[checkpoint][]string
	indexes map[uint64][]string // index -> its digests
}

type checkpoint struct {
	index  uint64
	digest string
}

// Add takes in what a member reports.
func (d *Digests) Add(member string, checkpoints []*ballastv1.Checkpoint) {
	if d.members == nil {
		d.members, d.indexes = map[checkpoint][]string{}, map[uint64][]string{}
	}
	for _, c := range checkpoints {
		k := checkpoint{c.GetIndex(), string(c.GetDigest())}
		if len(d.members[k]) == 0 {
			d.indexes[k.index] = append(d.indexes[k.index], k.digest)
		}
		if !slices.Contains(d.members[k], member) {
			d.members[k] = append(d.members[k], member)
		}
	}
}

// Check returns the indexes at which members differ.
func (d *Digests) Check() (violations []Violation) {
	for index, digests := range d.indexes {
		if len(digests) > 1 {
			text := fmt.Sprintf("at index %d:", index)
			for _, digest := range digests {
				text += fmt.Sprintf(" %x by %v", digest, d.members[checkpoint{index, digest}])
			}
			violations = append(violations, Violation{DigestsDiffer, text})
		}
	}
	return violations
}

// Compared returns at how many indexes at least n members reported a digest.
func (d *Digests) Compared(n int) int {
	count := 0
	for index, digests := range d.indexes {
		members := 0
		for _, digest := range digests {
			members += len(d.members[checkpoint{index, digest}])
		}
		if members >= n {
			count++
		}
	}
	return count
}
