package node

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/ballastdb/ballast/config"
	"github.com/ballastdb/ballast/datadir"
	"github.com/ballastdb/ballast/internal/tlsauth"
	"github.com/ballastdb/ballast/server/access"
)

// expiresSoon is how long before its end a certificate is worth a warning.
const expiresSoon = 30 * 24 * time.Hour

// OpenTLS reads the certificates that a configuration names; nil: it names none. Errors are *config.Error.
func OpenTLS(c config.Config) (*tlsauth.Store, error) {
	if !c.TLS() {
		return nil, nil
	}
	store, err := tlsauth.Open(tlsauth.Files{CA: c.TLSCA, Certificate: c.TLSCertificate, Key: c.TLSKey}, nil)
	if err != nil {
		return nil, &config.Error{Problems: []string{err.Error()}}
	}
	return store, nil
}

// CheckIdentity says why a certificate is not the one of the member with this identity, as a *config.Error, or nil.
func CheckIdentity(store *tlsauth.Store, member datadir.Identity) error {
	want := tlsauth.Identity{Cluster: member.ClusterID, Role: tlsauth.Member, Name: member.Name}
	if found := store.Identity(); found != want {
		return &config.Error{Problems: []string{fmt.Sprintf(
			"tls_certificate: expected %s, as the data directory says, found %s: give this member's own certificate (ballast certs issue --member %s)",
			want.URI(), found.URI(), member.Name)}}
	}
	return nil
}

// security secures a member's connections, or, without certificates, leaves them plain.
type security struct {
	store *tlsauth.Store
	guard *access.Guard
}

// secure checks that the certificate is this member's.
func (n *node) secure() error {
	logger := n.Logger.Named("access")
	n.security = &security{store: n.TLS, guard: access.NewGuard(logger)}
	switch {
	case n.TLS == nil && n.Config.TLS():
		return &config.Error{Problems: []string{"tls_ca is configured, and no certificates were loaded"}}
	case n.TLS == nil:
		n.Logger.Warn("connections are not secured: without TLS only loopback addresses are served, and whoever reaches them may do anything")
		return nil
	}
	if err := CheckIdentity(n.TLS, n.dir.Identity()); err != nil {
		return err
	}
	LogCertificate(n.Logger, n.TLS)
	return nil
}

// LogCertificate says which certificate is in use and until when.
func LogCertificate(logger hclog.Logger, store *tlsauth.Store) {
	c := store.Certificate()
	level := hclog.Info
	if time.Until(c.NotAfter) < expiresSoon {
		level = hclog.Warn
	}
	logger.Log(level, "certificate in use", "identity", store.Identity().URI().String(), "serial", c.SerialNumber.Text(16),
		"ends", c.NotAfter.UTC().Format(time.RFC3339))
}

// serverOptions are those of every gRPC server of this member.
func (s *security) serverOptions() []grpc.ServerOption {
	if s.store == nil {
		return nil
	}
	return []grpc.ServerOption{grpc.Creds(s.store.Server(s.guard.Refused)), s.guard.ServerOption()}
}

// peer secures connections to the member with this name; empty: to any member of the cluster.
func (s *security) peer(name string) credentials.TransportCredentials {
	switch {
	case s.store == nil:
		return insecure.NewCredentials()
	case name == "":
		return s.store.Client(nil)
	}
	return s.store.Client(tlsauth.Named(name))
}

// anyPeer secures connections to any member of the cluster.
func (s *security) anyPeer() credentials.TransportCredentials { return s.peer("") }

// caller tells the name that a caller's certificate has; nil: there are no certificates.
func (s *security) caller() func(context.Context) (string, error) {
	if s.store == nil {
		return nil
	}
	return func(ctx context.Context) (string, error) {
		id, err := tlsauth.FromContext(ctx)
		return id.Name, err
	}
}
