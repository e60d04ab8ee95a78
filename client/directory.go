package client

import (
	"slices"
	"sync"
)

// maxLearned bounds the addresses learned from hints, beyond the configured endpoints.
const maxLearned = 16

// directory knows the members' client addresses and guesses who leads. All callers of a Client share one guess, so that
// when the leader moves the first to learn it leads the others.
type directory struct {
	mu       sync.Mutex
	seeds    []string // as configured, never empty
	learned  []string // from hints, oldest first, at most maxLearned
	current  string
	readFrom int
}

func newDirectory(endpoints []string) *directory {
	return &directory{seeds: endpoints, current: endpoints[0]}
}

// leader is the address to ask next.
func (d *directory) leader() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.current
}

// follow makes to the guess, on a hint that from gave. It reports whether that changes where the next try goes.
func (d *directory) follow(from, to string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if to == "" || to == from {
		return false
	}
	if !slices.Contains(d.seeds, to) && !slices.Contains(d.learned, to) {
		if len(d.learned) == maxLearned {
			oldest := 0
			if d.learned[oldest] == d.current {
				oldest = 1 // the guess stays one of the known
			}
			d.learned = slices.Delete(d.learned, oldest, oldest+1)
		}
		d.learned = append(d.learned, to)
	}
	// Another caller may have been led elsewhere meanwhile; its news is as good as ours.
	if d.current == from {
		d.current = to
	}
	return true
}

// leave moves the guess on from an address that did not help, unless it has moved already.
func (d *directory) leave(from string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.current == from {
		d.current = d.after(from)
	}
}

// any is an address for a stale read: each in turn.
func (d *directory) any() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.readFrom++
	return d.at(d.readFrom)
}

// all lists the known addresses.
func (d *directory) all() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append(slices.Clone(d.seeds), d.learned...)
}

func (d *directory) after(address string) string {
	if i := slices.Index(d.seeds, address); i >= 0 {
		return d.at(i + 1)
	}
	return d.at(len(d.seeds) + slices.Index(d.learned, address) + 1)
}

func (d *directory) at(i int) string {
	i %= len(d.seeds) + len(d.learned)
	if i < len(d.seeds) {
		return d.seeds[i]
	}
	return d.learned[i-len(d.seeds)]
}
