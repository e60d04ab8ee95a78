// Package recentlog keeps the newest lines of a log in memory, so that a member can tell what it said lately wherever its log goes.
package recentlog

import (
	"bytes"
	"slices"
	"sync"

	"github.com/hashicorp/go-hclog"
)

// Ring is an io.Writer that keeps the newest bytes of what is written to it, in memory that is taken once. Each Write is a line, its
// newline included. Its methods are for any goroutine.
type Ring struct {
	mu   sync.Mutex
	kept []byte
	next int  // where the next byte goes
	full bool // what follows next is older, not empty
}

// New returns a Ring of so many bytes, at least 1.
func New(size int) *Ring { return &Ring{kept: make([]byte, max(size, 1))} }

// Write implements io.Writer. It never fails.
func (r *Ring) Write(line []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	rest := line[max(0, len(line)-len(r.kept)):]
	for len(rest) > 0 {
		n := copy(r.kept[r.next:], rest)
		rest = rest[n:]
		if r.next += n; r.next == len(r.kept) {
			r.next, r.full = 0, true
		}
	}
	return len(line), nil
}

// Lines are a copy of the lines that are there as a whole, the oldest first.
func (r *Ring) Lines() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.full {
		return bytes.Clone(r.kept[:r.next])
	}
	all := slices.Concat(r.kept[r.next:], r.kept[:r.next])
	_, whole, _ := bytes.Cut(all, []byte{'\n'}) // the oldest one has lost its beginning
	return whole
}

// Sink has a logger's lines kept, as JSON whatever the logger writes, from a level on whatever the logger's is.
func (r *Ring) Sink(from hclog.Level) hclog.SinkAdapter {
	return hclog.NewSinkAdapter(&hclog.LoggerOptions{Level: from, Output: r, JSONFormat: true})
}
