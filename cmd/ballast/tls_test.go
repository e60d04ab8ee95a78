package main

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc"

	"github.com/ballastdb/ballast/internal/pki"
	"github.com/ballastdb/ballast/internal/tlsauth"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
	"github.com/ballastdb/ballast/server/access"
)

// What a person sees who has the wrong role, and who has forgotten the certificate.
func TestRefusedByRole(t *testing.T) {
	dir, cluster := t.TempDir(), uuid.New()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	authority, err := pki.NewAuthority(cluster, time.Hour, time.Now())
	must(err)
	must(pki.Write(dir, "ca", authority.Pair()))
	issue := func(role tlsauth.Role, hosts ...string) []string {
		pair, err := authority.Issue(pki.Request{Identity: tlsauth.Identity{Cluster: cluster, Role: role, Name: role.String()}, Hosts: hosts, Life: time.Hour}, time.Now())
		must(err)
		must(pki.Write(dir, role.String(), pair))
		certificate, key := pki.Paths(dir, role.String())
		return []string{"--ca", dir + "/ca.crt", "--cert", certificate, "--key", key}
	}
	issue(tlsauth.Member, "127.0.0.1")
	store, err := tlsauth.Open(tlsauth.Files{CA: dir + "/ca.crt", Certificate: dir + "/member.crt", Key: dir + "/member.key"}, nil)
	must(err)

	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	f := &fakeCluster{
		ledgers: []*ballastv1.Ledger{{Name: "usd", Asset: "USD", Scale: 2}}, accounts: map[string]*ballastv1.Account{},
		results: map[string]*ballastv1.Result{},
	}
	f.open("alice", 100, 0)
	guard := access.NewGuard(hclog.NewNullLogger())
	server := grpc.NewServer(grpc.Creds(store.Server(guard.Refused)), guard.ServerOption())
	ballastv1.RegisterMoneyServiceServer(server, f)
	ballastv1.RegisterOperatorServiceServer(server, f)
	ended := make(chan struct{})
	go func() { defer close(ended); _ = server.Serve(l) }()
	t.Cleanup(func() { server.Stop(); <-ended })

	s := &session{t: t, endpoint: l.Addr().String()}
	reader, writer := issue(tlsauth.Reader), issue(tlsauth.Writer)
	s.must(append(reader, "account", "get", "alice")...)
	s.must(append(writer, "credit", "alice", "1")...)
	for _, tt := range []struct {
		args []string
		code int
		says string
	}{
		{append(reader, "credit", "alice", "1"), exitFailed, "needs the role writer, and this certificate is that of reader reader"},
		{append(writer, "settings", "set", "id_window=2h"), exitFailed, "needs the role operator"},
		{[]string{"account", "get", "alice"}, exitUnavailable, "may answer TLS only"},
	} {
		if r := s.run(tt.args...); r.code != tt.code || !strings.Contains(r.err, tt.says) {
			t.Errorf("%q: exit %d, want %d, and %q in: %s", tt.args, r.code, tt.code, tt.says, r.err)
		}
	}
}
