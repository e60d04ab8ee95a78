package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/go-hclog"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/ballastdb/ballast/config"
	"github.com/ballastdb/ballast/datadir"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// running is a member that Run runs within the test.
type running struct {
	config config.Config
	stop   context.CancelFunc
	ended  chan error
	conn   *grpc.ClientConn
}

func initialised(t *testing.T, host string) config.Config {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	_, err := Init(dir, NewMember{ClusterID: uuid.New(), Name: "node-1"}, "wal", hclog.NewNullLogger())
	must(t, err)
	loaded, err := config.Load(config.Input{
		Flags: map[string]string{
			"data_dir": dir, "client_address": host + ":7401", "member_address": host + ":7411", "operator_address": host + ":7421",
		},
		LookupEnv: func(string) (string, bool) { return "", false },
	})
	must(t, err)
	return loaded.Config
}

func start(t *testing.T, c config.Config) *running {
	t.Helper()
	return startWith(t, c, func(*Options) {})
}

// startWith starts a member with other options than usual.
func startWith(t *testing.T, c config.Config, change func(*Options)) *running {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	r := &running{config: c, stop: stop, ended: make(chan error, 1)}
	fatal := func(err error) { panic(fmt.Sprintf("fatal: %v", err)) }
	options := Options{Config: c, Logger: hclog.NewNullLogger(), Fatal: fatal}
	change(&options)
	go func() { r.ended <- Run(ctx, options) }()
	var err error
	r.conn, err = grpc.NewClient(c.ClientAddress, grpc.WithTransportCredentials(insecure.NewCredentials()))
	must(t, err)
	return r
}

// end stops the member and expects it to end well and to leave nothing behind.
func (r *running) end(t *testing.T) {
	t.Helper()
	must(t, r.conn.Close())
	r.stop()
	must(t, <-r.ended)
}

func (r *running) status(t *testing.T) *ballastv1.StatusResponse {
	t.Helper()
	s, err := ballastv1.NewOperatorServiceClient(r.conn).Status(t.Context(), &ballastv1.StatusRequest{}, grpc.WaitForReady(true))
	must(t, err)
	return s
}

func (r *running) submit(t *testing.T, op *ballastv1.Operation) error {
	t.Helper()
	op.Id, op.IssuedAt = uuid.NewString(), time.Now().UnixNano()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	response, err := ballastv1.NewMoneyServiceClient(r.conn).Submit(ctx, &ballastv1.SubmitRequest{Operations: []*ballastv1.Operation{op}})
	if err != nil {
		return err
	}
	if code := response.Results[0].Code; code != ballastv1.ResultCode_RESULT_CODE_APPLIED {
		return fmt.Errorf("refused: %v", code)
	}
	return nil
}

// A member that belongs to no cluster says so and refuses money; bootstrapped, it serves; started again, it still knows.
func TestLifeOfAMember(t *testing.T) {
	c := initialised(t, "127.114.0.1")
	r := start(t, c)
	if s := r.status(t); len(s.Members) != 0 || s.Leader != "" || s.Pid == 0 {
		t.Fatalf("a new member says %v", s)
	}
	ledger := &ballastv1.Operation{Kind: &ballastv1.Operation_CreateLedger{CreateLedger: &ballastv1.CreateLedger{Name: "usd", Asset: "USD", Scale: 6}}}
	if err := r.submit(t, ledger); status.Code(err) != codes.Unavailable {
		t.Fatalf("a member without a cluster answered a write with %v", err)
	}
	_, err := ballastv1.NewOperatorServiceClient(r.conn).Bootstrap(t.Context(), &ballastv1.BootstrapRequest{})
	must(t, err)
	must(t, r.submit(t, ledger))
	must(t, r.submit(t, &ballastv1.Operation{Kind: &ballastv1.Operation_CreateAccount{CreateAccount: &ballastv1.CreateAccount{Account: "alice", Ledger: "usd"}}}))
	must(t, r.submit(t, &ballastv1.Operation{Kind: &ballastv1.Operation_Credit{Credit: &ballastv1.Credit{Account: "alice", Amount: 7}}}))
	r.waitServing(t)
	r.end(t)

	r = start(t, c)
	r.waitServing(t)
	accounts, err := ballastv1.NewMoneyServiceClient(r.conn).GetAccounts(t.Context(), &ballastv1.GetAccountsRequest{Ids: []string{"alice"}})
	must(t, err)
	if len(accounts.Accounts) != 1 || accounts.Accounts[0].Posted != 7 {
		t.Fatalf("after a restart: %v", accounts)
	}
	r.end(t)
}

// waitServing waits until the health service says that money is served.
func (r *running) waitServing(t *testing.T) {
	t.Helper()
	watch, err := grpc_health_v1.NewHealthClient(r.conn).Watch(t.Context(), &grpc_health_v1.HealthCheckRequest{
		Service: ballastv1.MoneyService_ServiceDesc.ServiceName,
	}, grpc.WaitForReady(true))
	must(t, err)
	for {
		answer, err := watch.Recv()
		must(t, err)
		if answer.Status == grpc_health_v1.HealthCheckResponse_SERVING {
			return
		}
	}
}

// Wherever building fails, what was built is taken down: the directory can be used again at once.
func TestFailedStartLeavesNothingBehind(t *testing.T) {
	c := initialised(t, "127.114.0.2")
	taken, err := net.Listen("tcp", c.OperatorAddress)
	must(t, err)
	err = Run(t.Context(), Options{Config: c, Logger: hclog.NewNullLogger(), Fatal: func(error) {}})
	if err == nil {
		t.Fatal("an address that is taken was served")
	}
	must(t, taken.Close())
	r := start(t, c)
	if s := r.status(t); s.Name != "node-1" {
		t.Fatalf("got %v", s)
	}
	r.end(t)
}

func TestRunRefusesBeforeAnythingElse(t *testing.T) {
	c := initialised(t, "127.114.0.3")
	c.DataDir += "-elsewhere"
	err := Run(t.Context(), Options{Config: c, Logger: hclog.NewNullLogger(), Fatal: func(error) {}})
	var refused *datadir.RefusedError
	if !errors.As(err, &refused) || refused.Problem != datadir.Missing {
		t.Fatalf("got %v", err)
	}
}

func TestStackUnwindsInReverseAndGoesOnAfterErrors(t *testing.T) {
	s := stack{logger: hclog.NewNullLogger()}
	var order []int
	boom := errors.New("boom")
	for i := range 3 {
		s.push("step", func(context.Context) error {
			order = append(order, i)
			if i == 1 {
				return boom
			}
			return nil
		})
	}
	if err := s.unwind(t.Context()); !errors.Is(err, boom) {
		t.Fatalf("got %v", err)
	}
	must(t, s.unwind(t.Context())) // Once.
	if fmt.Sprint(order) != "[2 1 0]" {
		t.Fatalf("order %v", order)
	}
}
