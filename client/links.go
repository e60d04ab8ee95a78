package client

import (
	"context"
	"sync"
	"time"

	"google.golang.org/grpc"
	grpcbackoff "google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// maxResponseBytes bounds what the client receives in one message: 8,000 results, or 1,000 accounts, with room.
const maxResponseBytes = 8 << 20

// connBuffer is how many bytes a read or a write of a connection gathers: about a full request. gRPC's 32 KiB cost a system
// call each.
const connBuffer = 128 << 10

// link is the connection to one member and the lane on it.
type link struct {
	endpoint string
	conn     *grpc.ClientConn
	money    ballastv1.MoneyServiceClient
	operator ballastv1.OperatorServiceClient
	books    ballastv1.BooksServiceClient
	lane     *lane
	cancel   context.CancelFunc
}

// links owns the connections, one for each address in use, and the goroutines of their lanes.
type links struct {
	options []grpc.DialOption
	clock   *logClock
	config  *config

	wg     sync.WaitGroup
	mu     sync.Mutex
	closed bool
	byAddr map[string]*link
}

func newLinks(cfg *config, clock *logClock) *links {
	// A member that was restarted must be reached again well within a caller's deadline: gRPC's own pauses grow to
	// two minutes.
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithNoProxy(),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           grpcbackoff.Config{BaseDelay: 20 * time.Millisecond, Multiplier: 1.6, Jitter: 0.3, MaxDelay: 500 * time.Millisecond},
			MinConnectTimeout: connectTimeout,
		}),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: 5 * time.Second}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxResponseBytes)),
		grpc.WithReadBufferSize(connBuffer),
		grpc.WithWriteBufferSize(connBuffer),
	}
	return &links{options: append(options, cfg.dialOptions...), clock: clock, config: cfg, byAddr: make(map[string]*link)}
}

// get returns the link to an address and makes it where there is none. It does not wait for a connection.
func (p *links) get(endpoint string) (*link, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, ErrClosed
	}
	if l := p.byAddr[endpoint]; l != nil {
		return l, nil
	}
	// passthrough: an address names one member; a name that resolves to several would mix them up.
	conn, err := grpc.NewClient("passthrough:///"+endpoint, p.options...)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	l := &link{
		endpoint: endpoint, conn: conn, cancel: cancel,
		money: ballastv1.NewMoneyServiceClient(conn), operator: ballastv1.NewOperatorServiceClient(conn),
		books: ballastv1.NewBooksServiceClient(conn),
	}
	l.lane = newLane(endpoint, l.openStream(), p.clock, p.config.logger)
	p.byAddr[endpoint] = l
	p.wg.Add(1)
	go func() {
		defer p.wg.Done()
		l.lane.run(ctx)
		_ = conn.Close()
	}()
	return l, nil
}

// openStream opens submit streams that send frames.
func (l *link) openStream() func(context.Context) (submitStream, error) {
	codec := newFrameCodec()
	description := &ballastv1.MoneyService_ServiceDesc.Streams[0]
	return func(ctx context.Context) (submitStream, error) {
		stream, err := l.conn.NewStream(ctx, description, ballastv1.MoneyService_SubmitStream_FullMethodName, grpc.ForceCodecV2(codec))
		if err != nil {
			return nil, err
		}
		return rawStream{stream}, nil
	}
}

// rawStream receives responses beside the frames it sends.
type rawStream struct{ grpc.ClientStream }

// Recv receives the next response.
func (s rawStream) Recv() (response, error) {
	var f answerFrame
	if err := s.RecvMsg(&f); err != nil {
		return response{}, err
	}
	r, err := readResponse(f.data)
	if err != nil {
		return response{}, status.Errorf(codes.Internal, "an answer does not decode: %v", err)
	}
	return r, nil
}

// drop gives a link up: what is under way on it fails, and the next get makes a new connection.
func (p *links) drop(l *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.byAddr[l.endpoint] == l {
		delete(p.byAddr, l.endpoint)
		l.cancel()
	}
}

// close gives all links up and waits for their goroutines.
func (p *links) close() {
	p.mu.Lock()
	p.closed = true
	for _, l := range p.byAddr {
		l.cancel()
	}
	clear(p.byAddr)
	p.mu.Unlock()
	p.wg.Wait()
}
