package tlsauth_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/grpc/credentials"

	"github.com/ballastdb/ballast/internal/tlsauth"
)

// roots are those of some issuers.
func roots(issuers ...*issuer) *x509.CertPool {
	pool := x509.NewCertPool()
	for _, i := range issuers {
		pool.AddCert(i.authority.Certificate())
	}
	return pool
}

// bare connects without a certificate.
func bare(i *issuer) credentials.TransportCredentials {
	return credentials.NewTLS(&tls.Config{RootCAs: roots(i), MinVersion: tls.VersionTLS13})
}

// presenting connects with a certificate whatever the server's authorities are, as somebody with other software would.
func presenting(i *issuer, files tlsauth.Files) credentials.TransportCredentials {
	i.t.Helper()
	pair, err := tls.LoadX509KeyPair(files.Certificate, files.Key)
	i.must(err)
	return credentials.NewTLS(&tls.Config{
		RootCAs: roots(i), MinVersion: tls.VersionTLS13,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil },
	})
}

// withRootsOf makes files believe the authorities of several issuers.
func withRootsOf(t *testing.T, files tlsauth.Files, issuers ...*issuer) tlsauth.Files {
	t.Helper()
	var all []byte
	for _, i := range issuers {
		all = append(all, i.authority.Pair().Certificate...)
	}
	files.CA = filepath.Join(t.TempDir(), "ca.crt")
	if err := os.WriteFile(files.CA, all, 0o600); err != nil {
		t.Fatal(err)
	}
	return files
}

// listenOn serves a member whose certificate names 127.0.0.1 at another host.
func listenOn(t *testing.T, host string, i *issuer) string {
	t.Helper()
	return serveAt(t, i.store(tlsauth.Member, "node-3"), host).address
}

// watching remembers the serial number of the server's certificate.
type watching struct {
	credentials.TransportCredentials
	serial string
}

func (w *watching) ClientHandshake(ctx context.Context, authority string, raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn, info, err := w.TransportCredentials.ClientHandshake(ctx, authority, raw)
	if err == nil {
		w.serial = info.(tlsauth.AuthInfo).State.PeerCertificates[0].SerialNumber.String()
	}
	return conn, info, err
}

// Clone keeps one watcher for all connections of a test.
func (w *watching) Clone() credentials.TransportCredentials { return w }

func replaceFile(i *issuer, path, by string) {
	i.t.Helper()
	data, err := os.ReadFile(by)
	i.must(err)
	i.must(os.WriteFile(path, data, 0o600))
}
