package tlsauth

import (
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

// verify says who showed these certificates, or why they are refused.
func (b *bundle) verify(shown []*x509.Certificate, usage x509.ExtKeyUsage, now time.Time) (Identity, error) {
	if len(shown) == 0 {
		return Identity{}, errors.New("no certificate was shown: connect with a certificate of this cluster and its key (--ca, --cert, --key)")
	}
	rest := x509.NewCertPool()
	for _, c := range shown[1:] {
		rest.AddCert(c)
	}
	_, err := shown[0].Verify(x509.VerifyOptions{
		Roots: b.roots, Intermediates: rest, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{usage},
	})
	if err != nil {
		return Identity{}, explain(shown[0], err, now)
	}
	id, err := FromCertificate(shown[0])
	if err != nil {
		return Identity{}, err
	}
	if id.Cluster != b.identity.Cluster {
		return Identity{}, fmt.Errorf("certificate of %s: expected cluster %s, found cluster %s: it belongs to another cluster; check the addresses and the certificate",
			id, b.identity.Cluster, id.Cluster)
	}
	return id, nil
}

// explain says in words why a certificate is not believed.
func explain(c *x509.Certificate, err error, now time.Time) error {
	whose := "certificate"
	if id, notOurs := FromCertificate(c); notOurs == nil {
		whose = "certificate of " + id.String()
	}
	var invalid x509.CertificateInvalidError
	var unknown x509.UnknownAuthorityError
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && now.Before(c.NotBefore):
		return fmt.Errorf("%s: in force only from %s, and it is %s: check the clocks: %w", whose, stamp(c.NotBefore), stamp(now), err)
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return fmt.Errorf("%s: expired on %s: renew it (ballast certs renew): %w", whose, stamp(c.NotAfter), err)
	case errors.As(err, &unknown):
		return fmt.Errorf("%s: signed by an authority that is not in the CA file here: use a certificate of this cluster's authority: %w", whose, err)
	}
	return fmt.Errorf("%s: %w", whose, err)
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
