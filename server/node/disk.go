package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/ballastdb/ballast/server"
)

const (
	// diskTick is the time between two trial writes. Each is one block and an fsync, which costs others on the disk about as
	// much as one small commit.
	diskTick = 10 * time.Second
	// diskLimit is how long a trial write may take before the disk counts as not writable.
	diskLimit = 10 * time.Second
	// probeName fits durable.TempPattern: what a crash leaves is removed at the next start.
	probeName  = ".probe.tmp"
	probeBytes = 4096
)

// diskProbe finds out whether the data directory can be written.
type diskProbe struct {
	dir   string
	tick  time.Duration
	limit time.Duration
	// asked is who wants some trial writes now, with room for the answer.
	asked chan chan<- []time.Duration

	mu      sync.Mutex
	begun   time.Time // of the write under way; zero: none is
	took    time.Duration
	problem string
	tried   bool
}

func newDiskProbe(dir string) *diskProbe {
	return &diskProbe{dir: dir, tick: diskTick, limit: diskLimit, asked: make(chan chan<- []time.Duration)}
}

// run tries until ctx ends. A write that hangs in the kernel keeps it: nobody else waits for that.
func (d *diskProbe) run(ctx context.Context) {
	ticker := time.NewTicker(d.tick)
	defer ticker.Stop()
	defer func() { _ = os.Remove(filepath.Join(d.dir, probeName)) }() // the next start removes what stays
	d.try()
	for {
		select {
		case <-ticker.C:
			d.try()
		case answer := <-d.asked:
			answer <- d.burst()
		case <-ctx.Done():
			return
		}
	}
}

func (d *diskProbe) try() {
	begun := time.Now()
	d.note(func() { d.begun = begun })
	err := writeProbe(filepath.Join(d.dir, probeName))
	d.note(func() {
		d.begun, d.took, d.problem, d.tried = time.Time{}, time.Since(begun), "", true
		if err != nil {
			d.problem = err.Error()
		}
	})
}

func (d *diskProbe) note(change func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change()
}

func writeProbe(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(make([]byte, probeBytes), 0)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// facts are what is known of the disk at the moment, its room apart.
func (d *diskProbe) facts() *server.DiskFacts {
	f := &server.DiskFacts{}
	d.mu.Lock()
	defer d.mu.Unlock()
	f.Took, f.Problem = d.took, d.problem
	if under := time.Since(d.begun); !d.begun.IsZero() && under > d.limit {
		f.Problem = fmt.Sprintf("a trial write has not come back for %s", under.Round(time.Second))
	}
	f.Writable = d.tried && f.Problem == ""
	if !d.tried && f.Problem == "" {
		f.Problem = "no trial write has come back yet"
	}
	return f
}
