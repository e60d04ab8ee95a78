package client

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/semaphore"
	"google.golang.org/grpc/codes"
)

// Client talks to one cluster. Make it with New, share it, Close it.
type Client struct {
	config    *config
	directory *directory
	links     *links
	clock     *logClock
	held      *semaphore.Weighted
	closing   context.Context
	close     context.CancelFunc
}

// New makes a client of the cluster whose members' client addresses (host:port, at least one, better all) are given. It
// does not connect: a cluster that is down shows at the first call.
func New(endpoints []string, options ...Option) (*Client, error) {
	cfg, err := newConfig(options)
	if err != nil {
		return nil, err
	}
	distinct, err := checkEndpoints(endpoints)
	if err != nil {
		return nil, err
	}
	clock := &logClock{local: cfg.now}
	closing, cancel := context.WithCancel(context.Background())
	return &Client{
		config: cfg, directory: newDirectory(distinct), links: newLinks(cfg, clock), clock: clock,
		held: semaphore.NewWeighted(heldBytes), closing: closing, close: cancel,
	}, nil
}

// Close ends the connections and waits until nothing of the client runs. Calls under way end with ErrClosed as the
// cause: not done, or unknown where they had been sent.
func (c *Client) Close() error {
	c.close()
	c.links.close()
	return nil
}

// deadline is when a call must have ended.
func (c *Client) deadline(ctx context.Context) time.Time {
	if d, ok := ctx.Deadline(); ok {
		return d
	}
	return time.Now().Add(c.config.timeout)
}

// over reports whether there is no time for another try. A call that simply had little time tells nothing about the
// member it asked, so this is asked before the guess of the leader is moved.
func (c *Client) over(ctx context.Context, deadline time.Time) bool {
	return c.closing.Err() != nil || ctx.Err() != nil || !time.Now().Before(deadline)
}

// react moves the guess of the leader by what a try ended with and returns how long to wait before the next one.
func (c *Client) react(f *failure, way *course) time.Duration {
	switch {
	case f.code == codes.InvalidArgument && f.shared:
		return 0 // to the same member, alone
	case f.code == codes.ResourceExhausted:
		return way.pause(f.retryAfter) // the right member, only busy
	case f.leader != "" && c.directory.follow(f.endpoint, f.leader):
		if way.news(f.endpoint, f.leader) {
			return 0
		}
		return way.pause(f.retryAfter)
	}
	c.directory.leave(f.endpoint)
	return way.pause(f.retryAfter)
}

// failureHere is a failure at our side, before anything was sent.
func failureHere(endpoint string, err error) *failure {
	if errors.Is(err, ErrClosed) {
		return notSent(endpoint, codes.Canceled, "the client is closed", err)
	}
	return notSent(endpoint, codes.Unavailable, err.Error(), err)
}
