// Package sink keeps tables of a PostgreSQL database up to date from the feed, exactly once: each transaction has the rows of
// some entries and the position behind them.
//
//	read the position ── watch from there ── collect a batch ── one transaction: rows + position ─┐
//	        ▲                                       ▲ └────────────── committed ─────────────────┘
//	        └────────────── the session broke: committed or not, the position tells ─────────────
//
// Whatever is killed, and whenever: what is in the tables is everything up to their position, and what follows comes from the
// feed, which any member serves.
package sink

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/ballastdb/ballast/client"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// Feed tells entries behind a position, each once, without leaving any out, and heartbeats.
type Feed interface {
	Watch(ctx context.Context, from client.Position) iter.Seq2[*ballastv1.WatchResponse, error]
}

// Config of a Sink.
type Config struct {
	// Connect is a PostgreSQL connection string or URL.
	Connect string
	// Schema of the tables.
	Schema string
	// ClusterID is the UUID of the feed's cluster.
	ClusterID string
	// Batch is how many entries a transaction has, about; default 5,000.
	Batch int
	// Timeout bounds connecting, and each transaction; default 30 s.
	Timeout time.Duration
	// Once: end when the tables show all that the feed's member has.
	Once bool
	// Logger, nil: none.
	Logger hclog.Logger
	// Progress is told the position after each transaction, and the newest entry; nil: nobody is.
	Progress func(at, newest uint64)
}

// Pauses between sessions while the database is away.
const (
	firstPause = 100 * time.Millisecond
	maxPause   = 5 * time.Second
)

// Run keeps the tables up to date until ctx ends or, once, until all is there. A database that goes away is waited for, once it was
// there; what needs a person is an error.
func Run(ctx context.Context, feed Feed, c Config) error {
	if c.Batch == 0 {
		c.Batch = 5000
	}
	if c.Timeout == 0 {
		c.Timeout = 30 * time.Second
	}
	if c.Logger == nil {
		c.Logger = hclog.NewNullLogger()
	}
	if c.Progress == nil {
		c.Progress = func(uint64, uint64) {}
	}
	s := &sink{config: c, feed: feed}
	pause := firstPause
	for {
		wrote, err := s.session(ctx)
		switch {
		case err == nil || ctx.Err() != nil:
			return nil
		case !s.reached || !passing(err) || s.refused:
			return err
		}
		if wrote {
			pause = firstPause
		}
		c.Logger.Warn("the database went away, and is waited for", "error", err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
		pause = min(2*pause, maxPause)
	}
}

type sink struct {
	config  Config
	feed    Feed
	reached bool // a session was opened
	refused bool // the feed cannot go on
}

// session works until the database goes away or, nil, there is nothing more to do.
func (s *sink) session(ctx context.Context) (wrote bool, err error) {
	d, err := open(ctx, &s.config)
	if err != nil {
		return false, err
	}
	s.reached = true
	defer func() { _ = d.close(s.config.Timeout) }() // everything was committed, or is not to be
	begun := d.at.Sequence
	err = s.follow(ctx, d)
	return d.at.Sequence > begun, err
}

// follow takes in the feed from the session's position on.
func (s *sink) follow(ctx context.Context, d *database) error {
	s.config.Logger.Info("the tables are followed up", "schema", d.schema, "from", d.at.Sequence)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	b := newBatch(d.at)
	for part, err := range s.feed.Watch(ctx, d.at) {
		if err != nil {
			s.refused = ctx.Err() == nil
			return explained(err, d)
		}
		for _, e := range part.GetEntries() {
			if b.full(e) {
				b.to = client.Position{Sequence: e.GetSequence() - 1} // within a part: its link is not told, and not compared
				if b, err = s.commit(ctx, d, b); err != nil {
					return err
				}
			}
			if err := b.add(e); err != nil {
				return err
			}
		}
		b.to = client.PositionOf(part)
		caughtUp := part.GetSequence() >= part.GetNewestSequence()
		if len(b.entries) > 0 && (caughtUp || len(b.entries) >= s.config.Batch) {
			if b, err = s.commit(ctx, d, b); err != nil {
				return err
			}
		}
		s.config.Progress(d.at.Sequence, part.GetNewestSequence())
		if s.config.Once && caughtUp {
			return nil
		}
	}
	return ctx.Err()
}

// commit writes a batch, and begins the next.
func (s *sink) commit(ctx context.Context, d *database, b *batch) (*batch, error) {
	bounded, cancel := context.WithTimeout(ctx, s.config.Timeout)
	defer cancel()
	if err := d.write(bounded, b); err != nil {
		return nil, fmt.Errorf("entries %d to %d: %w", d.at.Sequence+1, b.to.Sequence, err)
	}
	return newBatch(d.at), nil
}

// explained says what to do about a feed that does not go on.
func explained(err error, d *database) error {
	var status *client.StatusError
	if !errors.As(err, &status) || status.Reason != ballastv1.Reason_REASON_OTHER_HISTORY {
		return fmt.Errorf("the feed cannot go on behind entry %d, which schema %s shows: %w", d.at.Sequence, d.schema, err)
	}
	return fmt.Errorf("%w: the feed cannot go on behind entry %d, which schema %s shows: %w; make the tables anew (--create) in another schema",
		ErrOtherCluster, d.at.Sequence, d.schema, err)
}
