package client

import (
	"context"
	"fmt"
	"net"

	"google.golang.org/grpc/credentials"

	"github.com/ballastdb/ballast/internal/tlsauth"
)

// WithTLS secures the connections with the three PEM files that `ballast certs` makes: the authority's certificate, the
// client's own, and its key. Members must have certificates of the same cluster that name the hosts of their addresses.
// Files that cannot be used make New fail. Renewed files are used for the next connection, without a new Client; files
// that do not fit each other leave those in use in use.
func WithTLS(ca, certificate, key string) Option {
	return func(c *config) {
		store, err := tlsauth.Open(tlsauth.Files{CA: ca, Certificate: certificate, Key: key}, nil)
		if err != nil {
			c.err = fmt.Errorf("%w: %w", ErrInvalid, err)
			return
		}
		WithTransportCredentials(&renewing{TransportCredentials: store.Client(nil), store: store})(c)
	}
}

// renewing looks for renewed files before each connection.
type renewing struct {
	credentials.TransportCredentials
	store *tlsauth.Store
}

// ClientHandshake is credentials.TransportCredentials'.
func (r *renewing) ClientHandshake(ctx context.Context, authority string, raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	_, _ = r.store.Reload() // those in use stay in use, and the handshake says what is wrong with them
	return r.TransportCredentials.ClientHandshake(ctx, authority, raw)
}

// Clone is credentials.TransportCredentials'.
func (r *renewing) Clone() credentials.TransportCredentials {
	return &renewing{TransportCredentials: r.TransportCredentials.Clone(), store: r.store}
}
