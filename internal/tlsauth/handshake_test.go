package tlsauth_test

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/ballastdb/ballast/internal/tlsauth"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// served is a gRPC server that answers every call with who it takes the caller for.
type served struct {
	address string
	refused chan error
}

func serve(t *testing.T, store *tlsauth.Store) *served {
	t.Helper()
	return serveAt(t, store, "127.0.0.1")
}

func serveAt(t *testing.T, store *tlsauth.Store, host string) *served {
	t.Helper()
	l, err := net.Listen("tcp", host+":0")
	if err != nil {
		t.Fatal(err)
	}
	s := &served{address: l.Addr().String(), refused: make(chan error, 64)}
	answer := func(_ any, stream grpc.ServerStream) error {
		id, err := tlsauth.FromContext(stream.Context())
		if err != nil {
			return status.Error(codes.Unauthenticated, err.Error())
		}
		return status.Error(codes.Aborted, id.String())
	}
	server := grpc.NewServer(grpc.UnknownServiceHandler(answer), grpc.Creds(store.Server(func(_ net.Addr, why error) {
		select {
		case s.refused <- why:
		default: // a test looks at the first ones
		}
	})))
	ended := make(chan struct{})
	go func() { defer close(ended); _ = server.Serve(l) }()
	t.Cleanup(func() { server.Stop(); <-ended })
	return s
}

// call makes a call and returns the status's code and message.
func call(t *testing.T, address string, c credentials.TransportCredentials) (codes.Code, string) {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(c))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	err = conn.Invoke(ctx, "/x/y", nil, nil, grpc.ForceCodec(noBytes{}))
	return status.Code(err), status.Convert(err).Message()
}

// noBytes encodes everything as nothing.
type noBytes struct{}

func (noBytes) Marshal(any) ([]byte, error) { return nil, nil }
func (noBytes) Unmarshal([]byte, any) error { return nil }
func (noBytes) Name() string                { return "none" }

func TestCallersAreKnownByTheirCertificates(t *testing.T) {
	i := newIssuer(t)
	s := serve(t, i.store(tlsauth.Member, "node-1"))
	for _, role := range []tlsauth.Role{tlsauth.Reader, tlsauth.Writer, tlsauth.Operator, tlsauth.Member} {
		code, says := call(t, s.address, i.store(role, "alice").Client(tlsauth.Named("node-1")))
		if code != codes.Aborted || says != role.String()+" alice" {
			t.Errorf("%s: %v, %s", role, code, says)
		}
	}
}

// What a server refuses, with the reason in the answer and in what it tells its owner.
func TestServerRefuses(t *testing.T) {
	i, foreign := newIssuer(t), newIssuer(t)
	trusting := i.store(tlsauth.Reader, "r").Client(nil) // its roots let the server's certificate pass
	s := serve(t, i.store(tlsauth.Member, "node-1"))

	// The same authority, but another cluster: what a shared authority would have signed.
	shared := newIssuer(t)
	elsewhere := presenting(i, shared.issue(tlsauth.Writer, "w", time.Now()))
	both := serve(t, i.open(withRootsOf(t, i.issue(tlsauth.Member, "node-1", time.Now()), i, shared)))

	expired := i.issue(tlsauth.Writer, "w", time.Now().Add(-48*time.Hour))

	tests := []struct {
		name    string
		address string
		creds   credentials.TransportCredentials
		code    codes.Code
		says    string // to the caller
		logs    string // to the server's owner
	}{
		{"no certificate", s.address, bare(i), codes.Unauthenticated, "no certificate was shown", "no certificate was shown"},
		{"a foreign authority's", s.address, presenting(i, foreign.issue(tlsauth.Writer, "w", time.Now())), codes.Unauthenticated, "authority that is not in the CA file", "authority that is not in the CA file"},
		{"an expired one", s.address, presenting(i, expired), codes.Unauthenticated, "expired on", "expired on"},
		{"another cluster's", both.address, elsewhere, codes.Unauthenticated, "expected cluster " + i.cluster.String() + ", found cluster " + shared.cluster.String(), "it belongs to another cluster"},
		{"plaintext", s.address, insecure.NewCredentials(), codes.Unavailable, "server preface", "is not TLS"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			code, says := call(t, tt.address, tt.creds)
			if code != tt.code || !strings.Contains(says, tt.says) {
				t.Errorf("the caller was told %v: %s; want %v and %q", code, says, tt.code, tt.says)
			}
			from := s
			if tt.address == both.address {
				from = both
			}
			select {
			case why := <-from.refused:
				if !strings.Contains(why.Error(), tt.logs) {
					t.Errorf("the server's owner was told %v; want %q", why, tt.logs)
				}
			case <-time.After(20 * time.Second):
				t.Error("the server's owner was told nothing")
			}
			for len(from.refused) > 0 {
				t.Log("and again:", <-from.refused)
			}
		})
	}
	if code, says := call(t, s.address, trusting); code != codes.Aborted || says != "reader r" {
		t.Errorf("after all that a good certificate got %v: %s", code, says)
	}
}

// What a client refuses of the one that answers.
func TestClientRefuses(t *testing.T) {
	i, foreign := newIssuer(t), newIssuer(t)
	node1 := serve(t, i.store(tlsauth.Member, "node-1"))
	stranger := serve(t, foreign.store(tlsauth.Member, "node-1"))
	noMember := serve(t, i.store(tlsauth.Operator, "mallory"))
	member := i.store(tlsauth.Member, "node-2")

	l, err := net.Listen("tcp", "127.0.0.1:0")
	i.must(err)
	plain := grpc.NewServer()
	ended := make(chan struct{})
	go func() { defer close(ended); _ = plain.Serve(l) }()
	t.Cleanup(func() { plain.Stop(); <-ended })

	tests := []struct {
		name, address string
		says          string
	}{
		{"another member", node1.address, "expected the certificate of member node-3 at this address, found that of member node-1"},
		{"a foreign authority's", stranger.address, "authority that is not in the CA file"},
		{"no member", noMember.address, "certificate of operator mallory"},
		{"another host", listenOn(t, "127.0.0.2", i), "127.0.0.2"},
		{"plaintext", l.Addr().String(), "does not speak TLS"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			code, says := call(t, tt.address, member.Client(tlsauth.Named("node-3")))
			if code != codes.Unavailable || !strings.Contains(says, tt.says) {
				t.Errorf("got %v: %s; want %q", code, says, tt.says)
			}
		})
	}
	if code, says := call(t, node1.address, member.Client(tlsauth.Named("node-1"))); code != codes.Aborted || says != "member node-2" {
		t.Errorf("the right member got %v: %s", code, says)
	}
}

// A certificate that is renewed is shown from the next connection on, by both sides.
func TestReloadedCertificatesAreUsed(t *testing.T) {
	i := newIssuer(t)
	files := i.issue(tlsauth.Member, "node-1", time.Now())
	store := i.open(files)
	s := serve(t, store)
	serial := func() string {
		c := &watching{TransportCredentials: i.store(tlsauth.Reader, "r").Client(nil)}
		if code, says := call(t, s.address, c); code != codes.Aborted {
			t.Fatalf("got %v: %s", code, says)
		}
		return c.serial
	}
	before := serial()
	renewed := i.issue(tlsauth.Member, "node-1", time.Now())
	replaceFile(i, files.Certificate, renewed.Certificate)
	replaceFile(i, files.Key, renewed.Key)
	if _, err := store.Reload(); err != nil {
		t.Fatal(err)
	}
	if after := serial(); after == before || after != store.Certificate().SerialNumber.String() {
		t.Fatalf("serial %s before, %s after", before, after)
	}
}
