package pki

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ballastdb/ballast/internal/tlsauth"
)

func authority(t *testing.T, life time.Duration, at time.Time) (*Authority, uuid.UUID) {
	t.Helper()
	cluster := uuid.New()
	a, err := NewAuthority(cluster, life, at)
	if err != nil {
		t.Fatal(err)
	}
	return a, cluster
}

func first(t *testing.T, pair Pair) *x509.Certificate {
	t.Helper()
	list, err := ParseCertificates(pair.Certificate)
	if err != nil {
		t.Fatal(err)
	}
	return list[0]
}

// A certificate is good for what its role needs, and for nothing else; it does not outlive its authority.
func TestIssuedCertificatesAreGoodForTheirRoleOnly(t *testing.T) {
	now := time.Now()
	a, cluster := authority(t, 30*24*time.Hour, now)
	roots := x509.NewCertPool()
	roots.AddCert(a.Certificate())
	for _, role := range []tlsauth.Role{tlsauth.Reader, tlsauth.Writer, tlsauth.Operator, tlsauth.Member} {
		r := Request{Identity: tlsauth.Identity{Cluster: cluster, Role: role, Name: "n"}, Life: 365 * 24 * time.Hour}
		if role == tlsauth.Member {
			r.Hosts = []string{"10.0.0.1", "db1.example.com"}
		}
		pair, err := a.Issue(r, now)
		if err != nil {
			t.Fatal(err)
		}
		c := first(t, pair)
		verify := func(usage x509.ExtKeyUsage) error {
			_, err := c.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{usage}})
			return err
		}
		if err := verify(x509.ExtKeyUsageClientAuth); err != nil {
			t.Errorf("%s: %v", role, err)
		}
		if err := verify(x509.ExtKeyUsageServerAuth); (err == nil) != (role == tlsauth.Member) {
			t.Errorf("%s as a server: %v", role, err)
		}
		if id, err := tlsauth.FromCertificate(c); err != nil || id != r.Identity {
			t.Errorf("%s: identity %v, %v", role, id, err)
		}
		if !c.NotAfter.Equal(a.Certificate().NotAfter) || c.IsCA {
			t.Errorf("%s: ends %v, the authority %v; authority itself: %v", role, c.NotAfter, a.Certificate().NotAfter, c.IsCA)
		}
		if role == tlsauth.Member && (c.VerifyHostname("10.0.0.1") != nil || c.VerifyHostname("db1.example.com") != nil || c.VerifyHostname("10.0.0.2") == nil) {
			t.Errorf("hosts %v", Hosts(c))
		}
	}
}

func TestAuthorityRefusesToSign(t *testing.T) {
	now := time.Now()
	a, cluster := authority(t, time.Hour, now)
	good := Request{Identity: tlsauth.Identity{Cluster: cluster, Role: tlsauth.Member, Name: "n"}, Hosts: []string{"h"}, Life: time.Hour}
	tests := []struct {
		name   string
		change func(*Request)
		at     time.Time
		says   string
	}{
		{"another cluster", func(r *Request) { r.Identity.Cluster = uuid.New() }, now, "this authority is of cluster"},
		{"no cluster", func(r *Request) { r.Identity.Cluster = uuid.Nil }, now, "missing or zero"},
		{"no role", func(r *Request) { r.Identity.Role = tlsauth.NoRole }, now, "expected a role"},
		{"a name with a slash", func(r *Request) { r.Identity.Name = "a/b" }, now, "begins with a letter"},
		{"no life", func(r *Request) { r.Life = 0 }, now, "expected a life"},
		{"no hosts", func(r *Request) { r.Hosts = nil }, now, "needs the hosts"},
		{"a wildcard", func(r *Request) { r.Hosts = []string{"*.example.com"} }, now, "expected a host name"},
		{"too many hosts", func(r *Request) { r.Hosts = make([]string, maxHosts+1) }, now, "at most"},
		{"a client with hosts", func(r *Request) { r.Identity.Role = tlsauth.Reader }, now, "has no hosts"},
		{"after its end", func(*Request) {}, now.Add(2 * time.Hour), "the authority expired"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := good
			tt.change(&r)
			if _, err := a.Issue(r, tt.at); err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Fatalf("got %v, want an error that says %q", err, tt.says)
			}
		})
	}
	if _, err := a.Issue(good, now); err != nil {
		t.Fatal(err)
	}
}

func TestRenewedIsTheSameButForTheEnd(t *testing.T) {
	now := time.Now()
	a, cluster := authority(t, DefaultAuthorityLife, now.Add(-48*time.Hour))
	r := Request{Identity: tlsauth.Identity{Cluster: cluster, Role: tlsauth.Member, Name: "n"}, Hosts: []string{"h", "::1"}, Life: time.Hour}
	old, err := a.Issue(r, now.Add(-24*time.Hour)) // has expired
	if err != nil {
		t.Fatal(err)
	}
	renewed, err := a.Renew(old, time.Hour, now)
	if err != nil {
		t.Fatal(err)
	}
	before, after := first(t, old), first(t, renewed)
	if string(renewed.Key) != string(old.Key) || before.URIs[0].String() != after.URIs[0].String() ||
		strings.Join(Hosts(after), " ") != "h ::1" || before.SerialNumber.Cmp(after.SerialNumber) == 0 || !after.NotAfter.After(now) {
		t.Errorf("before %v, after %v", before, after)
	}
	other, err := a.Issue(r, now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Renew(Pair{Certificate: old.Certificate, Key: other.Key}, time.Hour, now); err == nil {
		t.Error("renewed with another's key")
	}
	stranger, _ := authority(t, time.Hour, now)
	if _, err := stranger.Renew(old, time.Hour, now); err == nil {
		t.Error("renewed by another cluster's authority")
	}
	if _, err := LoadAuthority(Pair{Certificate: a.Pair().Certificate, Key: stranger.Pair().Key}); err == nil {
		t.Error("an authority was loaded with another's key")
	}
	if _, err := LoadAuthority(other); err == nil {
		t.Error("a member's certificate was loaded as an authority")
	}
}

// Nothing is overwritten, not even half of it.
func TestWriteOverwritesNothing(t *testing.T) {
	a, _ := authority(t, time.Hour, time.Now())
	for _, there := range []string{"x.crt", "x.key"} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, there), []byte("mine"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := Write(dir, "x", a.Pair()); err == nil || !strings.Contains(err.Error(), there+" exists") {
			t.Errorf("%s: %v", there, err)
		}
		entries, err := os.ReadDir(dir)
		if err != nil || len(entries) != 1 {
			t.Errorf("%s: left %v, %v", there, entries, err)
		}
	}
	if err := Write(filepath.Join(t.TempDir(), "missing"), "x", a.Pair()); err == nil {
		t.Error("written into a directory that is not there")
	}
}
