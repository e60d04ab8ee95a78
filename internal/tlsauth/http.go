package tlsauth

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
)

// HTTP is the configuration of a server that speaks HTTP/1.1 beside gRPC: each handshake uses the certificates of its
// time. As with Server, a certificate that is refused is not refused by the handshake, which could not say why: ask
// Caller.
func (s *Store) HTTP() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			return &tls.Config{
				MinVersion:             tls.VersionTLS13,
				Certificates:           []tls.Certificate{s.current.Load().own},
				NextProtos:             []string{"http/1.1"},
				ClientAuth:             tls.RequestClientCert,
				SessionTicketsDisabled: true,
			}, nil
		},
	}
}

// Caller says who is at the other end of a connection made with HTTP, or why that one may do nothing.
func (s *Store) Caller(state *tls.ConnectionState) (Identity, error) {
	if state == nil {
		return Identity{}, errors.New("the call did not come by TLS")
	}
	return s.current.Load().verify(state.PeerCertificates, x509.ExtKeyUsageClientAuth, s.now())
}
