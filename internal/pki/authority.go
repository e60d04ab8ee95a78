package pki

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/google/uuid"

	"github.com/ballastdb/ballast/internal/tlsauth"
)

// Authority signs the certificates of one cluster.
type Authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	pair        Pair
}

// NewAuthority makes an authority for a cluster, believed from now for life.
func NewAuthority(cluster uuid.UUID, life time.Duration, now time.Time) (*Authority, error) {
	if cluster == uuid.Nil {
		return nil, errors.New("the cluster's UUID is missing or zero")
	}
	if err := checkLife(life); err != nil {
		return nil, err
	}
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{Organization: []string{"Ballast"}, CommonName: "authority of cluster " + cluster.String()},
		URIs:         []*url.URL{{Scheme: "ballast", Host: cluster.String(), Path: "/authority"}},
		NotBefore:    now.Add(-early), NotAfter: now.Add(life),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true, IsCA: true, MaxPathLenZero: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	encoded, err := encodeKey(key)
	if err != nil {
		return nil, err
	}
	return LoadAuthority(Pair{Certificate: encodeCertificate(der), Key: encoded})
}

// LoadAuthority reads an authority.
func LoadAuthority(pair Pair) (*Authority, error) {
	list, err := ParseCertificates(pair.Certificate)
	if err != nil {
		return nil, err
	}
	key, err := parseKey(pair.Key)
	if err != nil {
		return nil, err
	}
	certificate := list[0]
	if !certificate.IsCA {
		return nil, fmt.Errorf("expected the certificate of an authority, found that of %s", certificate.Subject)
	}
	if !key.PublicKey.Equal(certificate.PublicKey) {
		return nil, errors.New("the authority's key does not belong to its certificate")
	}
	return &Authority{certificate: certificate, key: key, pair: pair}, nil
}

// Pair is the authority's own certificate and key.
func (a *Authority) Pair() Pair { return a.pair }

// Certificate is the authority's own.
func (a *Authority) Certificate() *x509.Certificate { return a.certificate }

// Cluster is the cluster that the authority was made for.
func (a *Authority) Cluster() (uuid.UUID, error) {
	for _, u := range a.certificate.URIs {
		if u.Scheme == "ballast" && u.Path == "/authority" {
			return uuid.Parse(u.Host)
		}
	}
	return uuid.Nil, fmt.Errorf("expected a URI ballast://CLUSTER/authority in the authority's certificate, found none: it was not made by ballast certs ca")
}

// Request is what a certificate is asked for.
type Request struct {
	// Identity that it proves.
	Identity tlsauth.Identity
	// Hosts, names and IP addresses, at which a member is reached; a client has none.
	Hosts []string
	// Life is how long it is in force; it never outlives the authority.
	Life time.Duration
}

// Issue makes a key and signs its certificate.
func (a *Authority) Issue(r Request, now time.Time) (Pair, error) {
	key, err := newKey()
	if err != nil {
		return Pair{}, err
	}
	certificate, err := a.sign(r, key, now)
	if err != nil {
		return Pair{}, err
	}
	encoded, err := encodeKey(key)
	return Pair{Certificate: certificate, Key: encoded}, err
}

// Renew signs a certificate for the same identity, hosts and key as an old one, which may have expired.
func (a *Authority) Renew(old Pair, life time.Duration, now time.Time) (Pair, error) {
	list, err := ParseCertificates(old.Certificate)
	if err != nil {
		return Pair{}, err
	}
	key, err := parseKey(old.Key)
	if err != nil {
		return Pair{}, err
	}
	if !key.PublicKey.Equal(list[0].PublicKey) {
		return Pair{}, errors.New("the key does not belong to the certificate")
	}
	id, err := tlsauth.FromCertificate(list[0])
	if err != nil {
		return Pair{}, err
	}
	certificate, err := a.sign(Request{Identity: id, Hosts: Hosts(list[0]), Life: life}, key, now)
	return Pair{Certificate: certificate, Key: old.Key}, err
}

func (a *Authority) sign(r Request, key *ecdsa.PrivateKey, now time.Time) ([]byte, error) {
	if err := a.check(r, now); err != nil {
		return nil, err
	}
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{Organization: []string{"Ballast"}, CommonName: r.Identity.String()},
		URIs:         []*url.URL{r.Identity.URI()},
		NotBefore:    now.Add(-early), NotAfter: now.Add(r.Life),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
	}
	if template.NotAfter.After(a.certificate.NotAfter) {
		template.NotAfter = a.certificate.NotAfter
	}
	if r.Identity.Role == tlsauth.Member {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	if err := addHosts(template, r.Hosts); err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	if err != nil {
		return nil, err
	}
	return encodeCertificate(der), nil
}

// check refuses what the authority must not sign.
func (a *Authority) check(r Request, now time.Time) error {
	if err := r.Identity.Check(); err != nil {
		return err
	}
	if err := checkLife(r.Life); err != nil {
		return err
	}
	cluster, err := a.Cluster()
	if err != nil {
		return err
	}
	switch {
	case cluster != r.Identity.Cluster:
		return fmt.Errorf("this authority is of cluster %s, the certificate is for cluster %s", cluster, r.Identity.Cluster)
	case !now.Before(a.certificate.NotAfter):
		return fmt.Errorf("the authority expired on %s: make a new one", a.certificate.NotAfter.UTC().Format(time.RFC3339))
	case r.Identity.Role == tlsauth.Member && len(r.Hosts) == 0:
		return errors.New("a member's certificate needs the hosts at which it is reached: others check them")
	case r.Identity.Role != tlsauth.Member && len(r.Hosts) > 0:
		return errors.New("a client's certificate has no hosts: nobody connects to a client")
	}
	return nil
}
