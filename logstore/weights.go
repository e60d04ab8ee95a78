package logstore

import (
	"time"

	"github.com/hashicorp/raft"
)

// Entries are weighed in blocks of neighbours: a log of 1 GiB of small entries takes a few MiB of memory, and is still
// known to within a block.
const (
	blockEntries = 64
	blockBytes   = 256 << 10
	// entryOverhead is what an entry takes besides its data, bytes.
	entryOverhead = 64
)

// weigh is what an entry counts for, bytes.
func weigh(log *raft.Log) uint64 { return uint64(len(log.Data)+len(log.Extensions)) + entryOverhead }

// block is some neighbouring entries.
type block struct {
	first, count uint64
	bytes        uint64
	// newest is when the leader appended the newest of them; it may be zero where it is not known.
	newest time.Time
}

// take removes the oldest n entries of the block, which has at least as many, and returns their weight.
func (b *block) take(n uint64) uint64 {
	bytes := b.share(n)
	b.first, b.count, b.bytes = b.first+n, b.count-n, b.bytes-bytes
	return bytes
}

// share is what n of the block's entries weigh, as far as it is known.
func (b *block) share(n uint64) uint64 {
	if n == b.count {
		return b.bytes
	}
	return uint64(float64(b.bytes) * float64(n) / float64(b.count))
}

// weights knows what a log weighs, and where. Its blocks follow each other without a gap. The zero value is an empty log.
type weights struct {
	blocks []block
	total  uint64
}

// add weighs an entry that follows those before.
func (w *weights) add(index, bytes uint64, at time.Time) {
	n := len(w.blocks)
	if n == 0 || w.blocks[n-1].count >= blockEntries || w.blocks[n-1].bytes+bytes > blockBytes {
		w.blocks = append(w.blocks, block{first: index})
		n++
	}
	b := &w.blocks[n-1]
	b.count++
	b.bytes += bytes
	w.total += bytes
	if at.After(b.newest) {
		b.newest = at
	}
}

// dropBelow forgets the entries below index.
func (w *weights) dropBelow(index uint64) {
	drop := 0
	for drop < len(w.blocks) && w.blocks[drop].first+w.blocks[drop].count <= index {
		w.total -= w.blocks[drop].bytes
		drop++
	}
	w.blocks = w.blocks[drop:]
	if len(w.blocks) > 0 && w.blocks[0].first < index {
		w.total -= w.blocks[0].take(index - w.blocks[0].first)
	}
}

// cutFrom forgets the entries from index on.
func (w *weights) cutFrom(index uint64) {
	for n := len(w.blocks); n > 0; n-- {
		b := &w.blocks[n-1]
		if b.first >= index {
			w.total -= b.bytes
			w.blocks = w.blocks[:n-1]
			continue
		}
		if kept := index - b.first; kept < b.count {
			bytes := b.share(kept)
			w.total -= b.bytes - bytes
			b.count, b.bytes = kept, bytes
		}
		return
	}
}

// clear forgets all.
func (w *weights) clear() { w.blocks, w.total = nil, 0 }

// prepend puts blocks, which end where these begin or later, before them; where both know an entry, these do.
func (w *weights) prepend(older weights) {
	if len(w.blocks) > 0 {
		older.cutFrom(w.blocks[0].first)
	}
	w.blocks = append(older.blocks, w.blocks...)
	w.total += older.total
}

// from is what the entries from index on weigh.
func (w *weights) from(index uint64) uint64 {
	bytes := w.total
	for i := range w.blocks {
		b := &w.blocks[i]
		if b.first+b.count > index {
			if b.first < index {
				bytes -= b.share(index - b.first)
			}
			break
		}
		bytes -= b.bytes
	}
	return bytes
}

// oldest is when the oldest entries were appended; zero where that is not known.
func (w *weights) oldest() time.Time {
	if len(w.blocks) == 0 {
		return time.Time{}
	}
	return w.blocks[0].newest
}

// keep is the lowest index that a log of at most limit bytes, of entries appended at since or later, still has: whole
// blocks go. A zero limit or since is no bound.
func (w *weights) keep(limit uint64, since time.Time) uint64 {
	bytes := w.total
	for _, b := range w.blocks {
		heavy := limit > 0 && bytes > limit
		old := !since.IsZero() && !b.newest.IsZero() && b.newest.Before(since)
		if !heavy && !old {
			return b.first
		}
		bytes -= b.bytes
	}
	if n := len(w.blocks); n > 0 {
		return w.blocks[n-1].first + w.blocks[n-1].count
	}
	return 0
}

// upTo is the highest index below limit up to which the oldest entries weigh about bytes and are count at most; at least the
// oldest entry's, of which there must be one.
func (w *weights) upTo(limit, bytes, count uint64) uint64 {
	first := w.blocks[0].first
	end, found := first, uint64(0)
	for i := range w.blocks {
		b := &w.blocks[i]
		if end > first && found+b.bytes > bytes {
			break
		}
		found += b.bytes
		end = b.first + b.count
		if end >= limit || end-first >= count {
			break
		}
	}
	return min(end, limit, first+max(count, 1)) - 1
}
