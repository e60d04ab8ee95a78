package web_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/go-hclog"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/ballastdb/ballast/internal/pki"
	"github.com/ballastdb/ballast/internal/tlsauth"
	"github.com/ballastdb/ballast/server/access"
	"github.com/ballastdb/ballast/server/web"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// site is one address that answers gRPC's health service and the pages.
type site struct {
	t       *testing.T
	address string
	split   *web.Splitter
	problem []string // why it is not ready
}

func serve(t *testing.T, store *tlsauth.Store) *site {
	t.Helper()
	logger := hclog.NewNullLogger()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	s := &site{t: t, address: l.Addr().String(), split: web.Split(l, store != nil, logger)}
	guard := access.NewGuard(logger)
	cfg := web.Config{
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "a_metric 1\n") }),
		Live:    func() []string { return nil },
		Ready:   func() []string { return s.problem },
		Guard:   guard, Logger: logger,
	}
	var options []grpc.ServerOption
	pagesOn := s.split.HTTP()
	if store != nil {
		options = []grpc.ServerOption{grpc.Creds(store.Server(guard.Refused)), guard.ServerOption()}
		cfg.Caller = store.Caller
		pagesOn = tls.NewListener(pagesOn, store.HTTP())
	}
	calls, pages := grpc.NewServer(options...), web.Server(cfg)
	grpc_health_v1.RegisterHealthServer(calls, health.NewServer())
	ended := make(chan error, 2)
	go func() { ended <- calls.Serve(s.split.GRPC()) }()
	go func() { ended <- pages.Serve(pagesOn) }()
	t.Cleanup(func() {
		calls.Stop()
		must(t, pages.Close())
		must(t, s.split.Close())
		_, _ = <-ended, <-ended // that they were closed
	})
	return s
}

func (s *site) callHealth(creds credentials.TransportCredentials) error {
	s.t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+s.address, grpc.WithTransportCredentials(creds))
	must(s.t, err)
	defer conn.Close()
	ctx, cancel := context.WithTimeout(s.t.Context(), 10*time.Second)
	defer cancel()
	_, err = grpc_health_v1.NewHealthClient(conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{})
	return err
}

// get answers the status and text of a page. config nil: no TLS.
func (s *site) get(path string, config *tls.Config) (int, string) {
	s.t.Helper()
	transport := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	url := "http://" + s.address + path
	if config != nil {
		url = "https://" + s.address + path
	}
	answer, err := (&http.Client{Transport: transport, Timeout: 10 * time.Second}).Get(url)
	must(s.t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	must(s.t, err)
	return answer.StatusCode, string(text)
}

func TestOneAddressAnswersBoth(t *testing.T) {
	s := serve(t, nil)
	must(t, s.callHealth(insecure.NewCredentials()))
	for path, want := range map[string]string{
		"/metrics": "a_metric 1", "/livez": "live\n", "/readyz": "ready\n", "/debug/pprof/": "goroutine", "/debug/pprof/goroutine?debug=1": "goroutine profile",
	} {
		if code, text := s.get(path, nil); code != http.StatusOK || !strings.Contains(text, want) {
			t.Errorf("%s: %d %q", path, code, text)
		}
	}
	if code, _ := s.get("/", nil); code != http.StatusNotFound {
		t.Errorf("a page that does not exist: %d", code)
	}
	s.problem = []string{"it knows no leader", "its disk is full"}
	if code, text := s.get("/readyz", nil); code != http.StatusServiceUnavailable || text != "not ready\nit knows no leader\nits disk is full\n" {
		t.Errorf("not ready: %d %q", code, text)
	}
}

// A connection that says nothing, or half of something, keeps nobody waiting, and ends with the splitter.
func TestSilentConnectionsHoldUpNobody(t *testing.T) {
	s := serve(t, nil)
	for _, words := range []string{"", "P", "\x16"} {
		conn, err := net.Dial("tcp", s.address)
		must(t, err)
		defer conn.Close()
		_, err = io.WriteString(conn, words)
		must(t, err)
	}
	must(t, s.callHealth(insecure.NewCredentials()))
	if code, _ := s.get("/livez", nil); code != http.StatusOK {
		t.Errorf("got %d", code)
	}
}

func TestWithTLSCallersNeedARole(t *testing.T) {
	c := newAuthority(t)
	s := serve(t, c.store(tlsauth.Member))
	operator := c.store(tlsauth.Operator)
	must(t, s.callHealth(operator.Client(nil)))
	for _, test := range []struct {
		role tlsauth.Role
		path string
		want int
		says string
	}{
		{tlsauth.Reader, "/metrics", 200, "a_metric"},
		{tlsauth.Reader, "/readyz", 200, "ready"},
		{tlsauth.Member, "/livez", 200, "live"},
		{tlsauth.Writer, "/debug/pprof/", 403, "/debug/pprof/ needs the role operator, and this certificate is that of writer x"},
		{tlsauth.Operator, "/debug/pprof/goroutine?debug=1", 200, "goroutine profile"},
		{tlsauth.NoRole, "/metrics", 401, "no certificate was shown"},
	} {
		if code, text := s.get(test.path, c.client(test.role)); code != test.want || !strings.Contains(text, test.says) {
			t.Errorf("%s by %s: %d %q, want %d and %q", test.path, test.role, code, text, test.want, test.says)
		}
	}
	stranger := newAuthority(t)
	if code, text := s.get("/metrics", &tls.Config{InsecureSkipVerify: true, Certificates: stranger.client(tlsauth.Reader).Certificates}); code != 401 || !strings.Contains(text, "authority") {
		t.Errorf("by another cluster's reader: %d %q", code, text)
	}
}

// Who does not speak TLS is told so, whatever it speaks.
func TestWithTLSPlaintextIsRefused(t *testing.T) {
	s := serve(t, newAuthority(t).store(tlsauth.Member))
	conn, err := net.Dial("tcp", s.address)
	must(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
	must(t, err)
	must(t, conn.SetReadDeadline(time.Now().Add(10*time.Second)))
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	if !strings.Contains(line, "400") {
		t.Errorf("answered %q", line)
	}
	if err := s.callHealth(insecure.NewCredentials()); err == nil {
		t.Error("a call in plain was answered")
	}
}

// authority makes certificates.
type authority struct {
	t    *testing.T
	id   uuid.UUID
	from *pki.Authority
	dir  string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, id: uuid.New(), dir: t.TempDir()}
	var err error
	a.from, err = pki.NewAuthority(a.id, time.Hour, time.Now())
	must(t, err)
	must(t, pki.Write(a.dir, "ca", a.from.Pair()))
	return a
}

func (a *authority) files(role tlsauth.Role) tlsauth.Files {
	a.t.Helper()
	r := pki.Request{Identity: tlsauth.Identity{Cluster: a.id, Role: role, Name: "x"}, Life: time.Hour}
	if role == tlsauth.Member {
		r.Hosts = []string{"127.0.0.1"}
	}
	pair, err := a.from.Issue(r, time.Now())
	must(a.t, err)
	dir := a.t.TempDir()
	must(a.t, pki.Write(dir, "x", pair))
	ca, _ := pki.Paths(a.dir, "ca")
	certificate, key := pki.Paths(dir, "x")
	return tlsauth.Files{CA: ca, Certificate: certificate, Key: key}
}

func (a *authority) store(role tlsauth.Role) *tlsauth.Store {
	a.t.Helper()
	store, err := tlsauth.Open(a.files(role), nil)
	must(a.t, err)
	return store
}

// client is how a scraper of that role connects; NoRole: without a certificate. What the member shows is checked elsewhere.
func (a *authority) client(role tlsauth.Role) *tls.Config {
	a.t.Helper()
	config := &tls.Config{InsecureSkipVerify: true}
	if role != tlsauth.NoRole {
		files := a.files(role)
		pair, err := tls.LoadX509KeyPair(files.Certificate, files.Key)
		must(a.t, err)
		config.Certificates = []tls.Certificate{pair}
	}
	return config
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
