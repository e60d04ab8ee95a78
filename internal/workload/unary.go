package workload

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/ballastdb/ballast/client"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

const (
	// unaryConnections that a UnaryTarget spreads its calls over: one alone would be the limit, not the server.
	unaryConnections = 4
	unaryTimeout     = 5 * time.Second
)

// UnaryTarget calls the leader by plain unary gRPC, one call for each, as a program in a language without our client
// would. It does not follow the leader and repeats nothing.
type UnaryTarget struct {
	conns []*grpc.ClientConn
	next  atomic.Uint64
}

// NewUnaryTarget connects to the leader's client address, without TLS. Close ends it.
func NewUnaryTarget(leader string) (*UnaryTarget, error) {
	t := &UnaryTarget{}
	for range unaryConnections {
		conn, err := grpc.NewClient("passthrough:///"+leader, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			return nil, errors.Join(err, t.Close())
		}
		t.conns = append(t.conns, conn)
	}
	return t, nil
}

// Close ends the connections.
func (t *UnaryTarget) Close() error {
	var errs []error
	for _, conn := range t.conns {
		errs = append(errs, conn.Close())
	}
	return errors.Join(errs...)
}

func (t *UnaryTarget) money() ballastv1.MoneyServiceClient {
	return ballastv1.NewMoneyServiceClient(t.conns[t.next.Add(1)%uint64(len(t.conns))])
}

// Submit gives each operation an id and counts results that are not APPLIED.
func (t *UnaryTarget) Submit(ctx context.Context, ops []*ballastv1.Operation) (refused int, err error) {
	ctx, cancel := context.WithTimeout(ctx, unaryTimeout)
	defer cancel()
	now := time.Now().UnixNano()
	for _, op := range ops {
		op.Id, op.IssuedAt = client.NewID(), now
	}
	response, err := t.money().Submit(ctx, &ballastv1.SubmitRequest{Operations: ops})
	if err != nil {
		return 0, err
	}
	if got := len(response.GetResults()); got != len(ops) {
		return 0, fmt.Errorf("%d results, expected %d", got, len(ops))
	}
	for _, r := range response.GetResults() {
		if r.GetCode() != ballastv1.ResultCode_RESULT_CODE_APPLIED {
			refused++
		}
	}
	return refused, nil
}

// Read asks the leader, also where stale.
func (t *UnaryTarget) Read(ctx context.Context, accounts []string, stale bool) error {
	ctx, cancel := context.WithTimeout(ctx, unaryTimeout)
	defer cancel()
	request := &ballastv1.GetAccountsRequest{Ids: accounts, Consistency: ballastv1.Consistency_CONSISTENCY_LINEARIZABLE}
	if stale {
		request.Consistency = ballastv1.Consistency_CONSISTENCY_STALE
	}
	answer, err := t.money().GetAccounts(ctx, request)
	if err != nil {
		return err
	}
	return allFound(answer, len(accounts))
}
