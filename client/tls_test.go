package client

import (
	"errors"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/ballastdb/ballast/internal/pki"
	"github.com/ballastdb/ballast/internal/tlsauth"
)

// A client proves who it is with its files, and with renewed ones without being made anew.
func TestClientShowsItsRenewedCertificate(t *testing.T) {
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	id, dir := uuid.New(), t.TempDir()
	authority, err := pki.NewAuthority(id, time.Hour, time.Now())
	must(err)
	must(pki.Write(dir, "ca", authority.Pair()))
	issue := func(role tlsauth.Role, name string, hosts ...string) tlsauth.Files {
		pair, err := authority.Issue(pki.Request{Identity: tlsauth.Identity{Cluster: id, Role: role, Name: name}, Hosts: hosts, Life: time.Hour}, time.Now())
		must(err)
		must(pki.Write(dir, name, pair))
		ca, _ := pki.Paths(dir, "ca")
		certificate, key := pki.Paths(dir, name)
		return tlsauth.Files{CA: ca, Certificate: certificate, Key: key}
	}
	member, err := tlsauth.Open(issue(tlsauth.Member, "node-1", "127.0.0.1"), nil)
	must(err)
	mine := issue(tlsauth.Reader, "me")

	// The server answers with the serial number of the certificate that it is shown, on one connection after the other.
	answer := func(_ any, stream grpc.ServerStream) error {
		p, _ := peer.FromContext(stream.Context())
		info, ok := p.AuthInfo.(tlsauth.AuthInfo)
		if !ok || info.Refused != nil {
			return info.Refused
		}
		return status.Error(codes.NotFound, info.Identity.String()+" "+info.State.PeerCertificates[0].SerialNumber.String())
	}
	serve := func() string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		must(err)
		s := grpc.NewServer(grpc.UnknownServiceHandler(answer), grpc.Creds(member.Server(func(net.Addr, error) {})))
		ended := make(chan struct{})
		go func() { defer close(ended); _ = s.Serve(l) }()
		t.Cleanup(func() { s.Stop(); <-ended })
		return l.Addr().String()
	}
	one, two := serve(), serve()
	c, err := New([]string{one}, WithTLS(mine.CA, mine.Certificate, mine.Key))
	must(err)
	defer c.Close()
	says := func(endpoint string) string {
		_, err := c.Operator().Status(t.Context(), endpoint)
		var s *StatusError
		if !errors.As(err, &s) {
			t.Fatal(err)
		}
		return s.Message
	}
	shows := func(pair pki.Pair) string {
		list, err := pki.ParseCertificates(pair.Certificate)
		must(err)
		return "reader me " + list[0].SerialNumber.String()
	}
	old, err := pki.Read(mine.Certificate, mine.Key)
	must(err)
	if got := says(one); got != shows(old) {
		t.Fatalf("the first connection showed %s, want %s", got, shows(old))
	}
	renewed, err := authority.Renew(old, 2*time.Minute, time.Now())
	must(err)
	must(pki.Replace(mine.Certificate, renewed))
	if got := says(two); got != shows(renewed) {
		t.Fatalf("after renewal the next connection showed %s, want %s", got, shows(renewed))
	}

	for _, wrong := range []tlsauth.Files{
		{CA: mine.CA, Certificate: mine.Certificate, Key: "/nonexistent"},
		{CA: mine.Certificate, Certificate: mine.Certificate, Key: mine.Key},
	} {
		if _, err := New([]string{one}, WithTLS(wrong.CA, wrong.Certificate, wrong.Key)); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "TLS") {
			t.Errorf("%+v: %v", wrong, err)
		}
	}
	must(os.Remove(mine.Key))
	if got := says(serve()); got != shows(renewed) {
		t.Errorf("with its key gone the client showed %s, want what it had", got)
	}
}
