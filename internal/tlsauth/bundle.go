package tlsauth

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

const (
	// maxFile bounds what is read of a file.
	maxFile = 1 << 20
	// forbiddenKeyMode are the permissions that a private key must not give: the group may read it at most.
	forbiddenKeyMode = 0o037
)

// Files are the paths of what TLS needs, all PEM.
type Files struct {
	// CA holds the certificates of the authorities that are believed: one, or two while one follows the other.
	CA string
	// Certificate holds our own, and intermediate ones after it.
	Certificate string
	// Key holds its private key; nobody but the owner and, to read, the group may have access.
	Key string
}

// bundle is what was read from Files, checked.
type bundle struct {
	roots *x509.CertPool
	// authorities are the certificates in roots.
	authorities []*x509.Certificate
	own         tls.Certificate
	identity    Identity
}

// load reads and checks the files: they must fit each other, and the certificate must be in force.
func load(files Files, now time.Time) (*bundle, error) {
	ca, err := readFile(files.CA)
	if err != nil {
		return nil, err
	}
	b := &bundle{roots: x509.NewCertPool()}
	if b.authorities, err = authorities(ca); err != nil {
		return nil, fmt.Errorf("%s: %w", files.CA, err)
	}
	for _, c := range b.authorities {
		b.roots.AddCert(c)
	}
	if err := b.loadOwn(files); err != nil {
		return nil, err
	}
	if b.identity, err = FromCertificate(b.own.Leaf); err != nil {
		return nil, fmt.Errorf("%s: %w", files.Certificate, err)
	}
	if _, err := b.verify(certificates(b.own), x509.ExtKeyUsageClientAuth, now); err != nil {
		return nil, fmt.Errorf("%s: %w", files.Certificate, err)
	}
	return b, nil
}

// loadOwn reads the certificate with its key.
func (b *bundle) loadOwn(files Files) error {
	certificate, err := readFile(files.Certificate)
	if err != nil {
		return err
	}
	info, err := os.Stat(files.Key)
	if err != nil {
		return err
	}
	if mode := info.Mode().Perm(); mode&forbiddenKeyMode != 0 {
		return fmt.Errorf("%s: a private key must be its owner's alone: expected mode 0600 (or 0640), found %04o; chmod 0600 %s, and have it renewed if others may have read it",
			files.Key, mode, files.Key)
	}
	key, err := readFile(files.Key)
	if err != nil {
		return err
	}
	if b.own, err = tls.X509KeyPair(certificate, key); err != nil {
		return fmt.Errorf("%s and %s: expected a certificate and its key in PEM: %w", files.Certificate, files.Key, err)
	}
	if b.own.Leaf == nil {
		b.own.Leaf, err = x509.ParseCertificate(b.own.Certificate[0])
	}
	return err
}

// authorities takes every certificate of a PEM text; unlike x509.CertPool's own method it tells what is wrong with one.
func authorities(text []byte) (list []*x509.Certificate, err error) {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("expected certificates only, found a %s", block.Type)
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		if !c.IsCA {
			return nil, fmt.Errorf("expected certificates of authorities only, found that of %s", c.Subject)
		}
		list = append(list, c)
	}
	if len(list) == 0 {
		return nil, errors.New("expected at least one certificate in PEM, found none")
	}
	return list, nil
}

// certificates are a pair's certificates, our own first.
func certificates(pair tls.Certificate) []*x509.Certificate {
	list := []*x509.Certificate{pair.Leaf}
	for _, der := range pair.Certificate[1:] {
		if c, err := x509.ParseCertificate(der); err == nil {
			list = append(list, c)
		}
	}
	return list
}

// same tells whether another bundle was read from the same certificates.
func (b *bundle) same(other *bundle) bool {
	return b.roots.Equal(other.roots) && bytes.Equal(b.own.Leaf.Raw, other.own.Leaf.Raw)
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("%s: larger than %d bytes", path, maxFile)
	}
	return data, nil
}
