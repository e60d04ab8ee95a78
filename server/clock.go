package server

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

// ClockReader reads another member's clock.
type ClockReader interface {
	ReadClock(ctx context.Context, id raft.ServerID, address raft.ServerAddress) (time.Time, error)
}

// ClusterClockConfig is what a ClusterClock needs. Zero times mean the defaults.
type ClusterClockConfig struct {
	// Own is this member's clock, which may be wrong; Elapsed the time since some fixed moment, which never jumps.
	Own     Clock
	Elapsed func() time.Duration
	Raft    Raft
	LocalID raft.ServerID
	Members ClockReader
	Logger  hclog.Logger
	// Timeout bounds the reading of clocks. Default 500 ms.
	Timeout time.Duration
	// Grace is how long voters beyond a majority are waited for. Default 20 ms.
	Grace time.Duration
	// Tolerance is how far this member's clock may be off before it is said so. Default 2 s.
	Tolerance time.Duration
}

// ClusterClock is the time that a leader stamps proposals with: the median of the voters' clocks, so that no single
// wrong clock moves it, however far.
//
//	time = offset + elapsed
//
// It is set when a term begins and adjusted now and then. In between only elapsed time counts. At the beginning of a term
// it may step forward, but not behind the time that the last leader's stamps have reached; within a term an adjustment
// makes it run at most at double speed, or at half: a step of the median itself is taken slowly.
type ClusterClock struct {
	cfg ClusterClockConfig

	mu       sync.Mutex
	term     uint64        // that the offset was set for; 0: never
	offset   time.Duration // Unix time less elapsed
	adjusted time.Duration // elapsed when the offset was last set
	logTime  int64         // newest seen, Unix nanoseconds
	seenAt   time.Duration // elapsed when it was first seen
	view     clocks        // of the last look at the voters' clocks
}

// clocks are what the voters' clocks showed, as offsets to Elapsed.
type clocks struct {
	known   bool
	median  time.Duration
	offsets map[raft.ServerID]*time.Duration // nil: it did not tell
}

// NewClusterClock returns a ClusterClock that tells the member's own time until it is set.
func NewClusterClock(cfg ClusterClockConfig) *ClusterClock {
	defaultTo(&cfg.Timeout, 500*time.Millisecond)
	defaultTo(&cfg.Grace, 20*time.Millisecond)
	defaultTo(&cfg.Tolerance, 2*time.Second)
	if cfg.Elapsed == nil {
		start := time.Now()
		cfg.Elapsed = func() time.Duration { return time.Since(start) }
	}
	return &ClusterClock{cfg: cfg}
}

// Now is the cluster's time. Safe for concurrent use.
func (c *ClusterClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.term == 0 {
		return c.cfg.Own()
	}
	return time.Unix(0, int64(c.offset+c.cfg.Elapsed()))
}

// Ready reports whether the time was set for term.
func (c *ClusterClock) Ready(term uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.term >= term
}

// Observe notes the log time that the state shows, Unix nanoseconds: how far the last leader's stamps have come.
func (c *ClusterClock) Observe(logTime int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if logTime > c.logTime {
		c.logTime, c.seenAt = logTime, c.cfg.Elapsed()
	}
}

// Set reads the voters' clocks and sets the time for term, or adjusts it where it was set for term already. An error
// leaves it as it was.
func (c *ClusterClock) Set(ctx context.Context, term uint64) error {
	view, own, err := c.median(ctx)
	if err != nil {
		return err
	}
	median := view.median
	if off := own - median; off.Abs() > c.cfg.Tolerance {
		c.cfg.Logger.Warn("this member's clock is off: mend it; proposals carry the median of the voters' clocks", "off", off)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.cfg.Elapsed()
	c.view = view
	if c.term == term {
		since := now - c.adjusted
		median = min(max(median, c.offset-since/2), c.offset+since)
	} else if c.logTime > 0 {
		// What the last leader's stamps would be by now. After a restart the log is read faster than it was written, and
		// this lies in the past.
		median = max(median, time.Duration(c.logTime)-c.seenAt)
	}
	c.term, c.offset, c.adjusted = term, median, now
	return nil
}

var errNoClocks = errors.New("no majority of the voters told its time")

// median reads the voters' clocks, with their median, and the own clock, as offsets to Elapsed. Of an even number it is the lower
// one of the middle: of two clocks one of which is far ahead, the other.
func (c *ClusterClock) median(ctx context.Context) (view clocks, own time.Duration, err error) {
	future := c.cfg.Raft.GetConfiguration()
	if err := future.Error(); err != nil {
		return view, 0, err
	}
	view.offsets = map[raft.ServerID]*time.Duration{}
	own = time.Duration(c.cfg.Own().UnixNano()) - c.cfg.Elapsed()
	var offsets []time.Duration
	var others []raft.Server
	for _, s := range future.Configuration().Servers {
		switch {
		case s.Suffrage != raft.Voter:
		case s.ID == c.cfg.LocalID:
			offsets, view.offsets[s.ID] = append(offsets, own), &own
		default:
			others, view.offsets[s.ID] = append(others, s), nil
		}
	}
	voters := len(offsets) + len(others)
	for _, r := range c.ask(ctx, others, voters/2+1-len(offsets)) {
		offsets, view.offsets[r.id] = append(offsets, r.offset), &r.offset
	}
	if len(offsets) < voters/2+1 {
		return view, 0, errNoClocks
	}
	slices.Sort(offsets)
	view.known, view.median = true, offsets[(len(offsets)-1)/2]
	return view, own, nil
}

// clockReading is what one member's clock showed.
type clockReading struct {
	id     raft.ServerID
	offset time.Duration
}

// ask reads the clocks of others and returns what they showed: all of them, or those read in time once there are enough.
func (c *ClusterClock) ask(ctx context.Context, others []raft.Server, enough int) []clockReading {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	var reading sync.WaitGroup
	defer reading.Wait()
	defer cancel()
	answers := make(chan *clockReading, len(others))
	for _, s := range others {
		reading.Go(func() { answers <- c.read(ctx, s) })
	}
	var readings []clockReading
	var grace <-chan time.Time
	if enough <= 0 {
		grace = time.After(c.cfg.Grace)
	}
	for range others {
		select {
		case answer := <-answers:
			if answer == nil {
				continue
			}
			if readings = append(readings, *answer); len(readings) == enough {
				grace = time.After(c.cfg.Grace)
			}
		case <-grace:
			return readings
		}
	}
	return readings
}

// read is the offset of one member's clock, taken to have been read half-way between question and answer; nil where it
// does not answer.
func (c *ClusterClock) read(ctx context.Context, s raft.Server) *clockReading {
	asked := c.cfg.Elapsed()
	told, err := c.cfg.Members.ReadClock(ctx, s.ID, s.Address)
	if err != nil {
		c.cfg.Logger.Debug("a member did not tell its time", "member", s.ID, "error", err)
		return nil
	}
	return &clockReading{s.ID, time.Duration(told.UnixNano()) - (asked+c.cfg.Elapsed())/2}
}
