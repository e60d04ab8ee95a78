// Package tlsauth says who is at the other end of a TLS connection: a member of this cluster, or a client with a role. It
// loads the three files that TLS needs, replaces them while connections are served, and refuses with a reason.
//
// Who somebody is stands in the certificate, as the one URI of the scheme "ballast":
//
//	ballast://<cluster UUID>/member/<name>
//	ballast://<cluster UUID>/<reader|writer|operator>/<name>
//
// docs/security.md tells operators about it.
package tlsauth

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/google/uuid"
)

// scheme of the URI that says who a certificate is for.
const scheme = "ballast"

// maxNameLen bounds a name, as datadir does.
const maxNameLen = 63

// Identity is who a certificate is for.
type Identity struct {
	// Cluster is the UUID of the cluster.
	Cluster uuid.UUID
	// Role is what it may do.
	Role Role
	// Name of the member or client: see CheckName.
	Name string
}

// URI is the identity as it stands in a certificate.
func (i Identity) URI() *url.URL {
	return &url.URL{Scheme: scheme, Host: i.Cluster.String(), Path: "/" + i.Role.String() + "/" + i.Name}
}

// String is for people: "member node-1", "operator alice".
func (i Identity) String() string { return i.Role.String() + " " + i.Name }

// Check says what is wrong with an identity that a certificate is to be made for.
func (i Identity) Check() error {
	if i.Cluster == uuid.Nil {
		return errors.New("the cluster's UUID is missing or zero")
	}
	if _, err := ParseRole(i.Role.String()); err != nil {
		return err
	}
	return CheckName(i.Name)
}

// CheckName tells whether a name can stand in a certificate: 1 to 63 of a-z, 0-9, '-', '_' and '.', beginning with a
// letter or digit. These are the names that members can have.
func CheckName(name string) error {
	if name == "" || len(name) > maxNameLen {
		return fmt.Errorf("a name has 1 to %d characters; %.80q has %d", maxNameLen, name, len(name))
	}
	for i, c := range []byte(name) {
		alphanumeric := c >= 'a' && c <= 'z' || c >= '0' && c <= '9'
		if !alphanumeric && (i == 0 || c != '-' && c != '_' && c != '.') {
			return fmt.Errorf("a name has a-z, 0-9, '-', '_' and '.' and begins with a letter or digit; %q has %q at position %d",
				name, c, i+1)
		}
	}
	return nil
}

// FromCertificate reads who a certificate is for. It does not verify the certificate.
func FromCertificate(c *x509.Certificate) (Identity, error) {
	var found []*url.URL
	for _, u := range c.URIs {
		if u.Scheme == scheme {
			found = append(found, u)
		}
	}
	if len(found) != 1 {
		return Identity{}, fmt.Errorf("expected one URI %s://CLUSTER/ROLE/NAME in the certificate, found %d: it was not made for Ballast (see: ballast certs issue)",
			scheme, len(found))
	}
	return parseURI(found[0])
}

// parseURI takes only what URI makes: one identity has one text.
func parseURI(u *url.URL) (Identity, error) {
	refuse := func(err error) (Identity, error) {
		return Identity{}, fmt.Errorf("expected the certificate's URI to be %s://CLUSTER/ROLE/NAME, found %.200q: %w", scheme, u, err)
	}
	cluster, err := uuid.Parse(u.Host)
	if err != nil {
		return refuse(err)
	}
	role, name, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	id := Identity{Cluster: cluster, Name: name}
	if id.Role, err = ParseRole(role); err != nil {
		return refuse(err)
	}
	if err := id.Check(); err != nil {
		return refuse(err)
	}
	if id.URI().String() != u.String() {
		return refuse(errors.New("it has more in it, or is spelt otherwise"))
	}
	return id, nil
}
