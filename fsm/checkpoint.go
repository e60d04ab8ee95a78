package fsm

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/ballastdb/ballast/fsm/page"
)

// maxCheckpoints is how many checkpoints the state keeps.
const maxCheckpoints = 16

// The record of tableCheckpoints: index 8 | digest 16 | zero 8. The index that every record begins with is that of its
// last change, which is the checkpoint's.
const (
	checkpointBytes = 32
	offDigest       = 8
)

// Checkpoint is the digest that the whole state had at a log index, before the checkpoint itself was recorded. Members
// that have another at the same index do not hold the same state.
type Checkpoint struct {
	Index  uint64
	Digest page.Digest
}

// CheckpointOf is a checkpoint as another member told it.
func CheckpointOf(index uint64, digest [16]byte) Checkpoint {
	d, _ := page.DigestFromBytes(digest[:])
	return Checkpoint{Index: index, Digest: d}
}

// checkpoints are the newest ones, part of the state: a member restored from a snapshot has those that it did not see.
type checkpoints struct{ table *page.Table }

func (c *checkpoints) at(slot uint64) Checkpoint {
	rec := c.table.Get(slot)
	digest, _ := page.DigestFromBytes(rec[offDigest : offDigest+16])
	return Checkpoint{Index: binary.LittleEndian.Uint64(rec), Digest: digest}
}

// newest is zero if there is none.
func (c *checkpoints) newest() (newest Checkpoint) {
	for slot := range c.table.Len() {
		if at := c.at(slot); at.Index > newest.Index {
			newest = at
		}
	}
	return newest
}

// due depends on nothing but the state and the index, so that all members record the same ones.
func (c *checkpoints) due(index uint64, interval uint32) bool {
	return index-c.newest().Index >= uint64(interval)
}

// add records a checkpoint in the place of the oldest.
func (c *checkpoints) add(index uint64, digest page.Digest) {
	slot, rec := uint64(0), []byte(nil)
	if c.table.Len() < maxCheckpoints {
		slot, rec = c.table.Append(index)
	} else {
		for other := range c.table.Len() {
			if c.at(other).Index < c.at(slot).Index {
				slot = other
			}
		}
		rec = c.table.Begin(slot)
	}
	copy(rec[offDigest:], digest.Bytes())
	c.table.End(slot, index)
}

// all are the checkpoints, newest first.
func (c *checkpoints) all() []Checkpoint {
	list := make([]Checkpoint, c.table.Len())
	for slot := range list {
		list[slot] = c.at(uint64(slot))
	}
	slices.SortFunc(list, func(a, b Checkpoint) int { return cmp.Compare(b.Index, a.Index) })
	return list
}
