package tlsauth_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ballastdb/ballast/internal/pki"
	"github.com/ballastdb/ballast/internal/tlsauth"
)

// issuer makes certificates for a test.
type issuer struct {
	t         *testing.T
	cluster   uuid.UUID
	authority *pki.Authority
	dir       string
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	i := &issuer{t: t, cluster: uuid.New(), dir: t.TempDir()}
	var err error
	i.authority, err = pki.NewAuthority(i.cluster, pki.DefaultAuthorityLife, time.Now())
	i.must(err)
	i.must(pki.Write(i.dir, "ca", i.authority.Pair()))
	return i
}

func (i *issuer) must(err error) {
	i.t.Helper()
	if err != nil {
		i.t.Fatal(err)
	}
}

func (i *issuer) request(role tlsauth.Role, name string) pki.Request {
	r := pki.Request{Identity: tlsauth.Identity{Cluster: i.cluster, Role: role, Name: name}, Life: time.Hour}
	if role == tlsauth.Member {
		r.Hosts = []string{"127.0.0.1", "localhost"}
	}
	return r
}

// issue makes the files of a certificate, as of the time at.
func (i *issuer) issue(role tlsauth.Role, name string, at time.Time) tlsauth.Files {
	i.t.Helper()
	pair, err := i.authority.Issue(i.request(role, name), at)
	i.must(err)
	dir := i.t.TempDir()
	i.must(pki.Write(dir, name, pair))
	ca, _ := pki.Paths(i.dir, "ca")
	certificate, key := pki.Paths(dir, name)
	return tlsauth.Files{CA: ca, Certificate: certificate, Key: key}
}

func (i *issuer) open(files tlsauth.Files) *tlsauth.Store {
	i.t.Helper()
	s, err := tlsauth.Open(files, nil)
	i.must(err)
	return s
}

// store is that of a new certificate.
func (i *issuer) store(role tlsauth.Role, name string) *tlsauth.Store {
	i.t.Helper()
	return i.open(i.issue(role, name, time.Now()))
}

// copyOf copies a file to a new place with a mode.
func (i *issuer) copyOf(path string, mode os.FileMode) string {
	i.t.Helper()
	data, err := os.ReadFile(path)
	i.must(err)
	to := filepath.Join(i.t.TempDir(), filepath.Base(path))
	i.must(os.WriteFile(to, data, mode))
	i.must(os.Chmod(to, mode))
	return to
}
