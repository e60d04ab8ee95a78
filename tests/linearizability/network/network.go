package network

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// Copy is what came of a late copy of a request at one member.
type Copy struct {
	Operations []*ballastv1.Operation
	Results    []*ballastv1.Result
	Err        error
	Started    time.Time
}

// Network is the way from clients to members.
type Network struct {
	plan    Plan
	copied  func(Copy)
	members []*member
	ctx     context.Context
	cancel  context.CancelFunc
	copies  sync.WaitGroup // late copies under way
	serving sync.WaitGroup
}

// member is the proxy before one member.
type member struct {
	target   string
	conn     *grpc.ClientConn
	money    ballastv1.MoneyServiceClient
	server   *grpc.Server
	listener net.Listener
	requests *gate
	answers  *gate
}

// New listens before each of the members whose client addresses are given. copied is told of every late copy, from
// several goroutines.
func New(plan Plan, targets []string, copied func(Copy)) (*Network, error) {
	n := &Network{plan: plan, copied: copied}
	n.ctx, n.cancel = context.WithCancel(context.Background())
	for _, target := range targets {
		m, err := n.stand(target)
		if err != nil {
			n.Close()
			return nil, fmt.Errorf("a proxy before %s: %w", target, err)
		}
		n.members = append(n.members, m)
	}
	for _, m := range n.members {
		n.serving.Go(func() { _ = m.server.Serve(m.listener) })
	}
	return n, nil
}

func (n *Network) stand(target string) (*member, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	conn, err := grpc.NewClient("passthrough:///"+target, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithConnectParams(grpc.ConnectParams{ // a member that was restarted is reached again at once
			Backoff:           backoff.Config{BaseDelay: 20 * time.Millisecond, Multiplier: 1.5, MaxDelay: 200 * time.Millisecond},
			MinConnectTimeout: time.Second,
		}))
	if err != nil {
		_ = listener.Close()
		return nil, err
	}
	m := &member{
		target: target, conn: conn, money: ballastv1.NewMoneyServiceClient(conn), server: grpc.NewServer(),
		listener: listener, requests: newGate(), answers: newGate(),
	}
	ballastv1.RegisterMoneyServiceServer(m.server, &proxy{network: n, member: m})
	return m, nil
}

// Dial opens a connection to the proxy that stands before address; for grpc.WithContextDialer.
func (n *Network) Dial(ctx context.Context, address string) (net.Conn, error) {
	for _, m := range n.members {
		if m.target == address {
			return (&net.Dialer{}).DialContext(ctx, "tcp", m.listener.Addr().String())
		}
	}
	return nil, fmt.Errorf("no member answers clients at %s", address)
}

// Cut holds requests to member i, or answers from it, until Heal.
func (n *Network) Cut(i int, requests, answers bool) {
	if requests {
		n.members[i].requests.close()
	}
	if answers {
		n.members[i].answers.close()
	}
}

// Heal ends all cuts.
func (n *Network) Heal() {
	for _, m := range n.members {
		m.requests.open()
		m.answers.open()
	}
}

// WaitForCopies returns once no late copy is under way. Nothing may be sent meanwhile.
func (n *Network) WaitForCopies() { n.copies.Wait() }

// Close ends everything and waits for it.
func (n *Network) Close() {
	n.cancel()
	n.Heal()
	for _, m := range n.members {
		m.server.Stop()
		_ = m.listener.Close()
		_ = m.conn.Close()
	}
	n.copies.Wait()
	n.serving.Wait()
}

// deliverAgain sends a copy of a request to every member after a while: whoever leads then takes it.
func (n *Network) deliverAgain(ops []*ballastv1.Operation, after time.Duration) {
	n.copies.Go(func() {
		timer := time.NewTimer(after)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-n.ctx.Done():
			return
		}
		var all sync.WaitGroup
		for _, m := range n.members {
			all.Go(func() {
				ctx, cancel := context.WithTimeout(n.ctx, 5*time.Second)
				defer cancel()
				started := time.Now()
				answer, err := m.money.Submit(ctx, &ballastv1.SubmitRequest{Operations: ops})
				n.copied(Copy{Operations: ops, Results: answer.GetResults(), Err: err, Started: started})
			})
		}
		all.Wait()
	})
}

// ProposedNothing reports whether an error of a Submit says that nothing was proposed.
func ProposedNothing(err error) bool {
	st, ok := status.FromError(err)
	if !ok {
		return false
	}
	for _, detail := range st.Details() {
		if f, ok := detail.(*ballastv1.Failure); ok {
			return f.GetOutcome() == ballastv1.Outcome_OUTCOME_NOT_DONE
		}
	}
	return st.Code() == codes.InvalidArgument
}

var errHeld = errors.New("the request was held until its caller left")
