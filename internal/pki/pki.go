// Package pki makes the certificates of a cluster: an authority, and what it signs for members and clients. Whose a
// certificate is stands in it as package tlsauth reads it.
package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"regexp"
	"time"
)

const (
	// DefaultAuthorityLife is how long an authority is believed.
	DefaultAuthorityLife = 10 * 365 * 24 * time.Hour
	// DefaultLife is how long a member's or client's certificate is in force.
	DefaultLife = 365 * 24 * time.Hour
	// minLife and maxLife bound both.
	minLife = time.Minute
	maxLife = 30 * 365 * 24 * time.Hour
	// early is how long before it was made a certificate is in force already, for clocks that are behind.
	early = 5 * time.Minute
	// serialBits makes serial numbers that nobody can guess and that never repeat.
	serialBits = 120
	// maxHosts bounds the hosts of one certificate.
	maxHosts = 64
)

// Pair is a certificate with its private key, both PEM.
type Pair struct {
	// Certificate is PEM.
	Certificate []byte
	// Key is PKCS #8 in PEM.
	Key []byte
}

func newKey() (*ecdsa.PrivateKey, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }

func encodeKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

func encodeCertificate(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func newSerial() (*big.Int, error) {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), serialBits))
	if err != nil {
		return nil, err
	}
	return n.Add(n, big.NewInt(1)), nil // zero is not allowed
}

// ParseCertificates reads every certificate of a PEM text, at least one.
func ParseCertificates(text []byte) ([]*x509.Certificate, error) {
	var list []*x509.Certificate
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("expected certificates in PEM, found a %s", block.Type)
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	if len(list) == 0 {
		return nil, errors.New("expected a certificate in PEM, found none")
	}
	return list, nil
}

func parseKey(text []byte) (*ecdsa.PrivateKey, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("expected a private key in PEM, found none")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("expected a private key in PKCS #8: %w", err)
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("expected an ECDSA key, found a %T", parsed)
	}
	return key, nil
}

func checkLife(life time.Duration) error {
	if life < minLife || life > maxLife {
		return fmt.Errorf("expected a life of %v to %v, found %v", minLife, maxLife, life)
	}
	return nil
}

// hostName is a DNS name as it is used for hosts, underscores included.
var hostName = regexp.MustCompile(`^[0-9A-Za-z_]([0-9A-Za-z_.-]*[0-9A-Za-z_])?$`)

// CheckHost refuses what is neither an IP address nor a host name, in which no port belongs.
func CheckHost(host string) error {
	if net.ParseIP(host) == nil && (len(host) > 253 || !hostName.MatchString(host)) {
		return fmt.Errorf("expected a host name or an IP address, found %.80q (without a port)", host)
	}
	return nil
}

// addHosts sorts hosts into addresses and names.
func addHosts(c *x509.Certificate, hosts []string) error {
	if len(hosts) > maxHosts {
		return fmt.Errorf("expected at most %d hosts, found %d", maxHosts, len(hosts))
	}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			c.IPAddresses = append(c.IPAddresses, ip)
			continue
		}
		if err := CheckHost(host); err != nil {
			return err
		}
		c.DNSNames = append(c.DNSNames, host)
	}
	return nil
}

// Hosts are a certificate's host names and addresses.
func Hosts(c *x509.Certificate) []string {
	hosts := append([]string(nil), c.DNSNames...)
	for _, ip := range c.IPAddresses {
		hosts = append(hosts, ip.String())
	}
	return hosts
}
