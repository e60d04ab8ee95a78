package logstore

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/ballastdb/ballast/internal/guard"
)

// watchSteps is into how many waits WriteLimit is divided. A process that was stopped, or whose machine was, loses one of
// them at most: only time in which it ran and the write did not end counts.
const watchSteps = 10

// errHung is the error of a write that ended, after all, beyond its limit.
var errHung = errors.New("it took longer than its limit")

// disk does the writes, one at a time, until one fails or hangs.
type disk struct {
	logger      hclog.Logger
	fatal       func(error)
	beforeWrite func()
	limit       time.Duration

	writing sync.Mutex
	failed  error // first write error; once set, it stays

	// watch guards what the watchdog looks at.
	watch  sync.Mutex
	alarm  *time.Timer // runs while a write does; nil: no limit
	what   string      // the write that runs; empty: none
	waited int         // steps that it has taken
	hung   bool        // fatal was told

	latency latencies
}

func (d *disk) init(options Options) {
	d.logger, d.fatal, d.beforeWrite = options.Logger, options.Fatal, options.BeforeWrite
	if d.beforeWrite == nil {
		d.beforeWrite = func() {}
	}
	if options.WriteLimit > 0 && guard.On("#614") {
		d.limit = options.WriteLimit
		d.alarm = time.AfterFunc(time.Hour, d.tick)
		d.alarm.Stop()
	}
}

// write does one write, or refuses it because an earlier one failed. One at a time: a write that waited in the library while
// another failed must not go on.
func (d *disk) write(what string, do func() error) error {
	if !guard.On("503") {
		return do()
	}
	first, err := d.writeAlone(what, do)
	if first {
		d.logger.Error("write to the raft log failed; this process must end", "error", err)
		d.fatal(err)
	}
	return err
}

// writeAlone also says whether its error is the first. Fatal is told outside the lock: it may ask the store something.
func (d *disk) writeAlone(what string, do func() error) (first bool, err error) {
	d.writing.Lock()
	defer d.writing.Unlock()
	if d.failed != nil {
		return false, fmt.Errorf("%s: %w: %w", what, ErrFailed, d.failed)
	}
	began := time.Now()
	d.begin(what)
	d.beforeWrite()
	err = do()
	if hung := d.end(); hung && err == nil {
		// Fatal was told of it. Who knows what such a disk did; nothing is built on it.
		err = errHung
	}
	d.latency.add(time.Since(began))
	if errors.Is(err, errHung) {
		d.failed = fmt.Errorf("%s: %w", what, err)
		return false, d.failed
	}
	if err != nil {
		d.failed = fmt.Errorf("%s: %w", what, err)
		return true, d.failed
	}
	return false, nil
}

func (d *disk) begin(what string) {
	if d.alarm == nil {
		return
	}
	d.watch.Lock()
	d.what, d.waited = what, 0
	d.alarm.Reset(d.limit / watchSteps)
	d.watch.Unlock()
}

// end also says whether the write, or one before, took longer than the limit.
func (d *disk) end() (hung bool) {
	if d.alarm == nil {
		return false
	}
	d.watch.Lock()
	defer d.watch.Unlock()
	d.what = ""
	d.alarm.Stop()
	return d.hung
}

// tick is one step of the watchdog: a hung disk must not keep its leadership, and raft, which waits in that write, would.
func (d *disk) tick() {
	what := d.overdue()
	if what == "" {
		return
	}
	err := fmt.Errorf("%s: not done within %v: the disk of the raft log hangs, and this process must not lead any longer; "+
		"look at the disk (log_write_limit sets the bound)", what, d.limit)
	d.logger.Error("write to the raft log hangs; this process must end", "error", err)
	d.fatal(err)
}

// overdue counts a step, and names the write that has taken all of them; empty: none, or it was named before.
func (d *disk) overdue() string {
	d.watch.Lock()
	defer d.watch.Unlock()
	if d.what == "" || d.hung {
		return ""
	}
	d.waited++
	if d.waited < watchSteps {
		d.alarm.Reset(d.limit / watchSteps)
		return ""
	}
	d.hung = true
	return d.what
}
