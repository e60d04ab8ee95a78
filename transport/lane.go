package transport

import (
	"context"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"

	raftv1 "github.com/ballastdb/ballast/proto/raft/v1"
)

const (
	// firstRedial and maxRedial bound the pause before an unreachable address is tried again: a member that comes back is
	// found within half a second.
	firstRedial = 50 * time.Millisecond
	maxRedial   = 500 * time.Millisecond
	// connectTimeout bounds one attempt, so that one lost SYN is not waited for longer than a new one takes.
	connectTimeout = time.Second
	// unusedFor is how long a lane may be unused before its connection is closed.
	unusedFor = 5 * time.Minute
)

// lane is one connection to a peer; gRPC opens it again whenever it breaks.
type lane struct {
	connection *grpc.ClientConn
	client     raftv1.RaftServiceClient
	socket     *socketHolder
}

func newLane(c *Config, name, address string) (*lane, error) {
	holder := &socketHolder{}
	dial := func(ctx context.Context, address string) (net.Conn, error) {
		conn, err := c.Dial(ctx, address)
		if err != nil {
			return nil, err
		}
		return holder.hold(conn), nil
	}
	secure := insecure.NewCredentials()
	if c.Credentials != nil {
		secure = c.Credentials(name)
	}
	options := append([]grpc.DialOption{
		grpc.WithTransportCredentials(secure),
		grpc.WithContextDialer(dial),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: firstRedial, Multiplier: 1.6, Jitter: 0.2, MaxDelay: maxRedial},
			MinConnectTimeout: connectTimeout,
		}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(c.MaxMessageBytes), grpc.MaxCallSendMsgSize(c.MaxMessageBytes)),
		grpc.WithReadBufferSize(connBuffer),
		grpc.WithWriteBufferSize(connBuffer),
		grpc.WithIdleTimeout(unusedFor),
		// Raft repeats itself what must be repeated.
		grpc.WithDisableRetry(),
		grpc.WithDisableServiceConfig(),
	}, c.DialOptions...)
	connection, err := grpc.NewClient("passthrough:///"+address, options...)
	if err != nil {
		return nil, err
	}
	return &lane{connection: connection, client: raftv1.NewRaftServiceClient(connection), socket: holder}, nil
}

// socketHolder knows the newest socket of a lane, so that it can be closed without closing the lane.
type socketHolder struct {
	mu     sync.Mutex
	newest *heldSocket // nil: closed, or none yet
}

type heldSocket struct {
	net.Conn
	holder *socketHolder
}

func (h *socketHolder) hold(conn net.Conn) net.Conn {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.newest = &heldSocket{Conn: conn, holder: h}
	return h.newest
}

// get is the newest socket, or nil if it is closed.
func (h *socketHolder) get() *heldSocket {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.newest
}

// Close is called by gRPC, and by a peer that gave the socket up.
func (s *heldSocket) Close() error {
	s.holder.mu.Lock()
	if s.holder.newest == s {
		s.holder.newest = nil
	}
	s.holder.mu.Unlock()
	return s.Conn.Close()
}
