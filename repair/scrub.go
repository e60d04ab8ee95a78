// Package repair finds damage before somebody needs what is damaged, and mends it from other members. README.md is its
// design. It knows neither raft's log nor money; what it works on comes through small interfaces.
package repair

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/ballastdb/ballast/internal/wait"
)

// Part is something that is scrubbed a little at a time. Only the scrub's goroutine calls it.
type Part interface {
	// Name of it, for people: "memory".
	Name() string
	// Next looks at the next piece, which is small, and answers how many bytes it has read; more is false behind the last
	// one, and the next call begins anew. An error is what was found; the walk goes on behind it, unless it is ctx's.
	Next(ctx context.Context) (bytes int, more bool, err error)
}

// ScrubConfig is what a Scrub needs. Zero values mean the defaults.
type ScrubConfig struct {
	Parts []Part
	// Found is told what is damaged, each time that it is met. Required.
	Found func(part string, err error)
	// Rate of all parts together, bytes a second. Default 8 MiB/s.
	Rate int
	// Rest between two passes over a part. Default 10 s.
	Rest   time.Duration
	Logger hclog.Logger
}

// ScrubStatus is how far the scrub of a part is.
type ScrubStatus struct {
	// Part is its name.
	Part string
	// Bytes read in the present pass.
	Bytes uint64
	// Passes that have ended, and when the last one did; zero: none has.
	Passes uint64
	Last   time.Time
	// Found counts what was found damaged in the present pass and, if that found none so far, in the one before.
	Found uint64
}

// Scrub walks over everything that a member keeps, again and again, so slowly that nobody feels it. Run is its only
// goroutine.
type Scrub struct {
	cfg   ScrubConfig
	parts []*scrubPart
}

// scrubPart is a part and how far it is.
type scrubPart struct {
	Part
	rests time.Time // until then

	mu     sync.Mutex
	status ScrubStatus
	found  uint64 // in the present pass
}

// NewScrub returns a Scrub that does nothing before Run.
func NewScrub(cfg ScrubConfig) *Scrub {
	if cfg.Rate == 0 {
		cfg.Rate = 8 << 20
	}
	if cfg.Rest == 0 {
		cfg.Rest = 10 * time.Second
	}
	if cfg.Logger == nil {
		cfg.Logger = hclog.NewNullLogger()
	}
	s := &Scrub{cfg: cfg}
	for _, p := range cfg.Parts {
		s.parts = append(s.parts, &scrubPart{Part: p, status: ScrubStatus{Part: p.Name()}})
	}
	return s
}

// Status tells how far each part is.
func (s *Scrub) Status() []ScrubStatus {
	list := make([]ScrubStatus, len(s.parts))
	for i, p := range s.parts {
		p.mu.Lock()
		list[i] = p.status
		p.mu.Unlock()
	}
	return list
}

// Run scrubs until ctx ends, a piece of each part in turn.
func (s *Scrub) Run(ctx context.Context) {
	for ctx.Err() == nil {
		read := 0
		for _, p := range s.parts {
			if time.Now().Before(p.rests) {
				continue
			}
			read += s.step(ctx, p)
		}
		pause := time.Duration(float64(read) / float64(s.cfg.Rate) * float64(time.Second))
		if read == 0 {
			pause = s.untilDue()
		}
		_ = wait.For(ctx, pause)
	}
}

// step looks at one piece of a part.
func (s *Scrub) step(ctx context.Context, p *scrubPart) int {
	bytes, more, err := p.Next(ctx)
	if ctx.Err() != nil {
		return 0
	}
	if err != nil {
		s.cfg.Found(p.Name(), err)
	}
	p.note(bytes, more, err)
	if err != nil && bytes == 0 && more {
		p.rests = time.Now().Add(s.cfg.Rest) // nothing can be read there now: asking at once would only fill the log
	}
	if !more {
		p.rests = time.Now().Add(s.cfg.Rest)
		s.cfg.Logger.Debug("a scrub has ended", "part", p.Name(), "found", p.status.Found)
	}
	return bytes
}

func (p *scrubPart) note(bytes int, more bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.status.Bytes += uint64(bytes)
	if err != nil {
		p.found++
		p.status.Found = p.found
	}
	if !more {
		p.status.Passes++
		p.status.Last, p.status.Bytes, p.status.Found, p.found = time.Now(), 0, p.found, 0
	}
}

// untilDue is when the next part has rested; at least a moment.
func (s *Scrub) untilDue() time.Duration {
	pause := s.cfg.Rest
	for _, p := range s.parts {
		pause = min(pause, time.Until(p.rests))
	}
	return max(pause, time.Millisecond)
}
