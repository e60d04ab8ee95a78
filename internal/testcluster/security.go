package testcluster

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/ballastdb/ballast/internal/pki"
	"github.com/ballastdb/ballast/internal/tlsauth"
)

// life is how long a test's certificates are in force where it does not say otherwise: so long that nothing warns of their end.
const life = 400 * 24 * time.Hour

// security is the authority of a cluster with TLS.
type security struct {
	dir       string
	authority *pki.Authority
	operator  *tlsauth.Store
}

func newSecurity(dir string, cluster uuid.UUID) (*security, error) {
	authority, err := pki.NewAuthority(cluster, life, time.Now())
	if err != nil {
		return nil, err
	}
	s := &security{dir: filepath.Join(dir, "tls"), authority: authority}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return nil, err
	}
	if err := pki.Write(s.dir, "ca", authority.Pair()); err != nil {
		return nil, err
	}
	files, err := s.issue(tlsauth.Identity{Cluster: cluster, Role: tlsauth.Operator, Name: "testcluster"}, nil)
	if err != nil {
		return nil, err
	}
	s.operator, err = tlsauth.Open(files, nil)
	return s, err
}

// issue makes the files of a certificate in a directory of its own.
func (s *security) issue(id tlsauth.Identity, hosts []string) (tlsauth.Files, error) {
	dir, err := os.MkdirTemp(s.dir, id.Name+"-")
	if err != nil {
		return tlsauth.Files{}, err
	}
	pair, err := s.authority.Issue(pki.Request{Identity: id, Hosts: hosts, Life: life}, time.Now())
	if err != nil {
		return tlsauth.Files{}, err
	}
	ca, _ := pki.Paths(s.dir, "ca")
	certificate, key := pki.Paths(dir, id.Name)
	return tlsauth.Files{CA: ca, Certificate: certificate, Key: key}, pki.Write(dir, id.Name, pair)
}

// Issue makes a client's certificate and key in a cluster with TLS.
func (c *Cluster) Issue(role tlsauth.Role, name string) (tlsauth.Files, error) {
	return c.security.issue(tlsauth.Identity{Cluster: c.ID, Role: role, Name: name}, nil)
}

// Renew makes another certificate of a member in a cluster with TLS and puts it in the place of the one it has. The
// member uses it after Hangup.
func (c *Cluster) Renew(m *Member) error { return c.RenewFor(m, life) }

// RenewFor makes one that is in force for a while.
func (c *Cluster) RenewFor(m *Member, life time.Duration) error {
	old, err := pki.Read(m.TLS.Certificate, m.TLS.Key)
	if err != nil {
		return err
	}
	renewed, err := c.security.authority.Renew(old, life, time.Now())
	if err != nil {
		return err
	}
	return pki.Replace(m.TLS.Certificate, renewed)
}

// operatorCredentials are those of the test's own calls.
func (c *Cluster) operatorCredentials() credentials.TransportCredentials {
	if c.security == nil {
		return insecure.NewCredentials()
	}
	return c.security.operator.Client(nil)
}

// secure makes a member's certificate and writes where it is into the configuration.
func (m *Member) secure(file *strings.Builder) error {
	if m.cluster.security == nil {
		return nil
	}
	host, _, err := net.SplitHostPort(m.MemberAddress)
	if err != nil {
		return err
	}
	id := tlsauth.Identity{Cluster: m.cluster.ID, Role: tlsauth.Member, Name: m.Name}
	if m.TLS, err = m.cluster.security.issue(id, []string{host}); err != nil {
		return err
	}
	for _, kv := range [][2]string{{"tls_ca", m.TLS.CA}, {"tls_certificate", m.TLS.Certificate}, {"tls_key", m.TLS.Key}} {
		fmt.Fprintf(file, "%s = %q\n", kv[0], kv[1])
	}
	return nil
}
