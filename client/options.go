package client

import (
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

// Defaults and bounds of a Client.
const (
	// DefaultTimeout is how long a call takes at most where its context has no deadline.
	DefaultTimeout = 5 * time.Second
	// maxEndpoints that New accepts.
	maxEndpoints = 64
	// heldBytes bounds the encoded operations of all callers that wait for an answer; past it Submit waits its turn.
	heldBytes = 64 << 20
)

// Option configures a Client.
type Option func(*config)

type config struct {
	timeout     time.Duration
	logger      hclog.Logger
	dialOptions []grpc.DialOption
	now         func() time.Time
	// err is what an option ended with.
	err error
}

// WithTimeout sets how long a call takes at most where its context has no deadline; default DefaultTimeout.
func WithTimeout(d time.Duration) Option { return func(c *config) { c.timeout = d } }

// WithLogger gives the client a logger; default none. It logs at debug level only: what matters is in the errors.
func WithLogger(l hclog.Logger) Option { return func(c *config) { c.logger = l } }

// WithTransportCredentials secures the connections; default none, which servers accept on loopback only.
func WithTransportCredentials(creds credentials.TransportCredentials) Option {
	return WithDialOptions(grpc.WithTransportCredentials(creds))
}

// WithDialOptions adds gRPC dial options. A grpc.WithContextDialer can map the addresses of leader hints to others, as
// behind a proxy.
func WithDialOptions(options ...grpc.DialOption) Option {
	return func(c *config) { c.dialOptions = append(c.dialOptions, options...) }
}

// WithClock replaces the local clock that stamps operations; default time.Now. Deadlines do not follow it.
func WithClock(now func() time.Time) Option { return func(c *config) { c.now = now } }

func newConfig(options []Option) (*config, error) {
	c := &config{timeout: DefaultTimeout, now: time.Now}
	for _, option := range options {
		option(c)
	}
	if c.err != nil {
		return nil, c.err
	}
	if c.logger == nil {
		c.logger = hclog.NewNullLogger()
	}
	if c.timeout <= 0 {
		return nil, fmt.Errorf("%w: timeout %v, expected more than 0", ErrInvalid, c.timeout)
	}
	return c, nil
}

// checkEndpoints requires 1 to 64 addresses of the form host:port and drops repetitions.
func checkEndpoints(endpoints []string) ([]string, error) {
	if len(endpoints) == 0 || len(endpoints) > maxEndpoints {
		return nil, fmt.Errorf("%w: %d endpoints, expected 1 to %d", ErrInvalid, len(endpoints), maxEndpoints)
	}
	var distinct []string
	for _, endpoint := range endpoints {
		host, port, err := net.SplitHostPort(endpoint)
		if err != nil || host == "" || port == "" {
			return nil, fmt.Errorf("%w: endpoint %q, expected host:port", ErrInvalid, endpoint)
		}
		if !slices.Contains(distinct, endpoint) {
			distinct = append(distinct, endpoint)
		}
	}
	return distinct, nil
}
