// Package access says who may call what: one table for every call that a member answers, and the check that gRPC makes
// before it reads a message.
package access

import (
	"context"
	"fmt"
	"net"
	"sync"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"

	"github.com/ballastdb/ballast/internal/tlsauth"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// Rule says who may make a call.
type Rule struct {
	// Least is the least role that may.
	Least tlsauth.Role
	// Members may too: they ask each other for it.
	Members bool
	// Looks: it needs an operator and changes nothing, so it is not audited.
	Looks bool
}

// Audited tells whether the call is one of operators that leaves a line in the audit log.
func (r Rule) Audited() bool { return r.Least == tlsauth.Operator && !r.Looks }

// Allows tells whether who has the role may make the call.
func (r Rule) Allows(role tlsauth.Role) bool {
	return role.Includes(r.Least) || r.Members && role == tlsauth.Member
}

// Table has the rule of every call that a member answers, by gRPC's full name of it.
type Table map[string]Rule

// Check says why a caller may not make a call, as a status, or nil. caller and refused are what tlsauth.FromContext says.
func (t Table) Check(method string, caller tlsauth.Identity, refused error) error {
	if refused != nil {
		return refusal(codes.Unauthenticated, refused.Error())
	}
	rule, ok := t[method]
	switch {
	case !ok:
		return refusal(codes.Unimplemented, fmt.Sprintf("there is no call %.200s in this version", method))
	case !rule.Allows(caller.Role):
		return refusal(codes.PermissionDenied, fmt.Sprintf(
			"%s needs the role %s, and this certificate is that of %s: use another certificate", method, rule.Least, caller))
	}
	return nil
}

// refusal says that nothing was done as well: callers that move money must know.
func refusal(code codes.Code, message string) error {
	s := status.New(code, message)
	detailed, err := s.WithDetails(&ballastv1.Failure{Outcome: ballastv1.Outcome_OUTCOME_NOT_DONE})
	if err != nil { // only for code OK
		return s.Err()
	}
	return detailed.Err()
}

// Guard checks every call on servers with TLS, and says in the log who was refused and why.
type Guard struct {
	logger hclog.Logger
	table  Table

	mu   sync.Mutex
	said map[string]struct{}
}

// maxSaid bounds what a Guard remembers to have said.
const maxSaid = 256

// NewGuard returns a Guard.
func NewGuard(logger hclog.Logger) *Guard { return &Guard{logger: logger, table: Rules()} }

// ServerOption has gRPC check every call of a server, streams as well, before it reads a message or starts a handler.
func (g *Guard) ServerOption() grpc.ServerOption {
	return grpc.InTapHandle(func(ctx context.Context, info *tap.Info) (context.Context, error) {
		caller, refused := tlsauth.FromContext(ctx)
		err := g.table.Check(info.FullMethodName, caller, refused)
		if err == nil || refused != nil { // what was refused at the handshake has been told
			return ctx, err
		}
		from := ""
		if p, ok := peer.FromContext(ctx); ok {
			from = host(p.Addr)
		}
		g.say("a call was refused", fmt.Sprint(caller), from, status.Convert(err).Message())
		return ctx, err
	})
}

// Refused tells of a connection that is refused.
func (g *Guard) Refused(remote net.Addr, why error) {
	g.say("a connection was refused", "unknown", host(remote), why.Error())
}

// say says each thing once for each host: whoever is refused comes again and again.
func (g *Guard) say(what, caller, from, why string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	key := caller + "\x00" + from + "\x00" + why
	if _, said := g.said[key]; said {
		return
	}
	if g.said == nil || len(g.said) >= maxSaid {
		g.said = map[string]struct{}{}
	}
	g.said[key] = struct{}{}
	g.logger.Warn(what, "caller", caller, "from", from, "reason", why)
}

func host(address net.Addr) string {
	if address == nil {
		return ""
	}
	name, _, err := net.SplitHostPort(address.String())
	if err != nil {
		return address.String()
	}
	return name
}
