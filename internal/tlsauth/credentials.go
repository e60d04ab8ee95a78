package tlsauth

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"time"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
)

// refusedFor is how long a connection whose certificate was refused may stay, to be told why.
const refusedFor = 5 * time.Second

// AuthInfo is what a connection's handshake found out about the other end; gRPC keeps it with every call.
type AuthInfo struct {
	credentials.TLSInfo
	// Identity of the other end, where Refused is nil.
	Identity Identity
	// Refused says why nobody at this connection may do anything. Servers answer every call with it: a refusal within the
	// handshake could only be told as a bare TLS alert.
	Refused error
}

// FromContext says who calls. The error says why a call must be refused: it did not come by TLS, or by a connection
// whose certificate was refused.
func FromContext(ctx context.Context) (Identity, error) {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return Identity{}, errors.New("the call came by no connection")
	}
	info, ok := p.AuthInfo.(AuthInfo)
	if !ok {
		return Identity{}, errors.New("the call did not come by TLS")
	}
	return info.Identity, info.Refused
}

// Server is the credentials of a gRPC server. A caller whose certificate is refused gets a connection on which every call
// must be refused with FromContext's reason; refused is told of it, and of connections that are not TLS at all.
func (s *Store) Server(refused func(remote net.Addr, why error)) credentials.TransportCredentials {
	return &serverSide{store: s, refused: refused}
}

// Client is the credentials of who connects to members. expect, if not nil, says what is wrong with the one who answers; it
// is asked after all else was found right. That must be a member of the same cluster, and its certificate must name
// the host of the address.
func (s *Store) Client(expect func(Identity) error) credentials.TransportCredentials {
	return &clientSide{store: s, expect: expect}
}

// Named is what Client expects of the member with this name.
func Named(name string) func(Identity) error {
	return func(i Identity) error {
		if i.Name != name {
			return fmt.Errorf("expected the certificate of member %s at this address, found that of member %s: check the addresses of both", name, i.Name)
		}
		return nil
	}
}

// security is what both sides have.
func security() credentials.ProtocolInfo { return credentials.ProtocolInfo{SecurityProtocol: "tls"} }

var errWrongSide = errors.New("these credentials are for the other side of a connection")

func authInfo(state tls.ConnectionState) AuthInfo {
	return AuthInfo{TLSInfo: credentials.TLSInfo{
		State: state, CommonAuthInfo: credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity},
	}}
}

// serverSide makes a configuration for each handshake, so that reloaded certificates are used from then on.
type serverSide struct {
	store   *Store
	refused func(net.Addr, error)
}

// ServerHandshake is credentials.TransportCredentials'.
func (s *serverSide) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	b := s.store.current.Load()
	conn := tls.Server(raw, &tls.Config{
		MinVersion:   tls.VersionTLS13,
		Certificates: []tls.Certificate{b.own},
		NextProtos:   []string{"h2"},
		// Verified below and not by the handshake, which could not say why it refuses.
		ClientAuth:             tls.RequestClientCert,
		SessionTicketsDisabled: true,
	})
	if err := conn.Handshake(); err != nil {
		var notTLS tls.RecordHeaderError
		if errors.As(err, &notTLS) && notTLS.Conn != nil {
			err = fmt.Errorf("the connection is not TLS, and only TLS is answered here: %w", err)
			_, _ = raw.Write([]byte(plaintextAnswer)) // whether it is read is the caller's affair
		}
		s.refused(raw.RemoteAddr(), err)
		return nil, nil, err
	}
	info := authInfo(conn.ConnectionState())
	info.Identity, info.Refused = b.verify(info.State.PeerCertificates, x509.ExtKeyUsageClientAuth, s.store.now())
	if info.State.NegotiatedProtocol == "" && info.Refused == nil {
		info.Refused = errors.New("expected a caller that speaks HTTP/2 (ALPN h2), found one that names no protocol")
	}
	if info.Refused != nil {
		s.refused(raw.RemoteAddr(), info.Refused)
		time.AfterFunc(refusedFor, func() { _ = raw.Close() })
	}
	return conn, info, nil
}

// plaintextAnswer tells people with an HTTP client, and gRPC clients in so far as they name the protocol that they see.
const plaintextAnswer = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n" +
	"Only TLS is answered here.\r\n"

// ClientHandshake is credentials.TransportCredentials'.
func (s *serverSide) ClientHandshake(context.Context, string, net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errWrongSide
}

// Info is credentials.TransportCredentials'.
func (s *serverSide) Info() credentials.ProtocolInfo { return security() }

// Clone is credentials.TransportCredentials'.
func (s *serverSide) Clone() credentials.TransportCredentials { return &serverSide{s.store, s.refused} }

// OverrideServerName is credentials.TransportCredentials'.
func (s *serverSide) OverrideServerName(string) error { return errWrongSide }

// clientSide makes a configuration for each handshake too.
type clientSide struct {
	store  *Store
	expect func(Identity) error
}

// ClientHandshake is credentials.TransportCredentials'.
func (c *clientSide) ClientHandshake(ctx context.Context, authority string, raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn := tls.Client(raw, c.store.clientConfig(authority, c.expect))
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, nil, explainHandshake(err, c.store.now())
	}
	return conn, authInfo(conn.ConnectionState()), nil
}

// clientConfig is for one handshake with the member at authority.
func (s *Store) clientConfig(authority string, expect func(Identity) error) *tls.Config {
	b := s.current.Load()
	host, _, err := net.SplitHostPort(authority)
	if err != nil {
		host = authority
	}
	return &tls.Config{
		MinVersion:   tls.VersionTLS13,
		ServerName:   host,
		RootCAs:      b.roots,
		Certificates: []tls.Certificate{b.own},
		NextProtos:   []string{"h2"},
		Time:         s.now,
		VerifyConnection: func(state tls.ConnectionState) error {
			id, err := b.verify(state.PeerCertificates, x509.ExtKeyUsageServerAuth, s.now())
			switch {
			case err != nil:
				return err
			case id.Role != Member:
				return fmt.Errorf("expected a member at this address, found the certificate of %s", id)
			case expect != nil:
				return expect(id)
			}
			return nil
		},
	}
}

// explainHandshake says in words why the one who answers is not believed.
func explainHandshake(err error, now time.Time) error {
	var unverified *tls.CertificateVerificationError
	var notTLS tls.RecordHeaderError
	switch {
	case errors.As(err, &unverified) && len(unverified.UnverifiedCertificates) > 0:
		return explain(unverified.UnverifiedCertificates[0], unverified.Err, now)
	case errors.As(err, &notTLS):
		return fmt.Errorf("what answers at this address does not speak TLS: is it a member, and is it configured with TLS? %w", err)
	}
	return err
}

// ServerHandshake is credentials.TransportCredentials'.
func (c *clientSide) ServerHandshake(net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errWrongSide
}

// Info is credentials.TransportCredentials'.
func (c *clientSide) Info() credentials.ProtocolInfo { return security() }

// Clone is credentials.TransportCredentials'.
func (c *clientSide) Clone() credentials.TransportCredentials { return &clientSide{c.store, c.expect} }

// OverrideServerName is credentials.TransportCredentials'.
func (c *clientSide) OverrideServerName(string) error {
	return errors.New("the name that is expected follows from the address")
}
