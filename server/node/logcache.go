package node

import (
	"sync"

	"github.com/hashicorp/raft"
)

// logCache keeps the newest entries of a log in memory, so that a leader does not read back from disk what it has just
// written for each of its followers. It is bounded by bytes, where raft's own is bounded by a count of entries that may be
// of any size.
//
// Entries in it are shared with raft: nobody changes the Data of an entry.
type logCache struct {
	logStore
	limit int

	mu sync.RWMutex
	// entries are the newest of the log in order, without a gap, down to as many as bytes allow.
	entries []*raft.Log
	bytes   int
}

// logStore is what a cache is in front of.
type logStore interface {
	raft.LogStore
	raft.MonotonicLogStore
}

// entryOverhead is what an entry takes besides its data, bytes.
const entryOverhead = 128

// newLogCache keeps up to limit bytes of the newest entries of store.
func newLogCache(store logStore, limit int) *logCache {
	return &logCache{logStore: store, limit: limit}
}

// GetLog answers from memory where it can. What the store has deleted by itself is not there, although it may still be here.
func (c *logCache) GetLog(index uint64, log *raft.Log) error {
	entry := c.find(index)
	if entry == nil {
		return c.logStore.GetLog(index, log)
	}
	if first, err := c.logStore.FirstIndex(); err != nil || index < first {
		return c.logStore.GetLog(index, log)
	}
	*log = *entry
	return nil
}

func (c *logCache) find(index uint64) *raft.Log {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if len(c.entries) == 0 {
		return nil
	}
	first := c.entries[0].Index
	if index < first || index-first >= uint64(len(c.entries)) {
		return nil
	}
	return c.entries[index-first]
}

// StoreLog stores one entry and keeps it.
func (c *logCache) StoreLog(log *raft.Log) error { return c.StoreLogs([]*raft.Log{log}) }

// StoreLogs stores entries and keeps them once they are on the disk: what is read from here must be durable.
func (c *logCache) StoreLogs(logs []*raft.Log) error {
	if err := c.logStore.StoreLogs(logs); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, entry := range logs {
		if n := len(c.entries); n > 0 && entry.Index != c.entries[n-1].Index+1 {
			c.forget()
		}
		c.entries = append(c.entries, entry)
		c.bytes += weight(entry)
	}
	c.trim()
	return nil
}

// trim drops the oldest entries until the rest is within the limit.
func (c *logCache) trim() {
	drop := 0
	for c.bytes > c.limit {
		c.bytes -= weight(c.entries[drop])
		c.entries[drop] = nil
		drop++
	}
	c.entries = c.entries[drop:]
}

// DeleteRange deletes entries of the store. Where the new end goes all that is kept is forgotten first: what follows has the
// same indexes.
func (c *logCache) DeleteRange(low, high uint64) error {
	c.mu.Lock()
	if n := len(c.entries); n > 0 && high >= c.entries[n-1].Index {
		c.forget()
	}
	c.mu.Unlock()
	return c.logStore.DeleteRange(low, high)
}

// IsMonotonic is what the store says: the library asks whom it calls.
func (c *logCache) IsMonotonic() bool { return c.logStore.IsMonotonic() }

func (c *logCache) forget() { c.entries, c.bytes = nil, 0 }

func weight(entry *raft.Log) int { return len(entry.Data) + len(entry.Extensions) + entryOverhead }
