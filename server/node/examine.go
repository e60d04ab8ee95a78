package node

import (
	"context"
	"crypto/x509"
	"runtime"
	"strings"
	"time"

	"github.com/hashicorp/raft"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/ballastdb/ballast/backup"
	"github.com/ballastdb/ballast/config"
	"github.com/ballastdb/ballast/datadir"
	"github.com/ballastdb/ballast/fsm/journal"
	"github.com/ballastdb/ballast/fsm/proposal"
	"github.com/ballastdb/ballast/fsm/roster"
	"github.com/ballastdb/ballast/internal/redact"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
	"github.com/ballastdb/ballast/server/examine"
	"github.com/ballastdb/ballast/snapshots"
)

// looker is the member that looks at itself.
type looker struct{ n *node }

var _ examine.Self = looker{}

// Describe implements examine.Self.
func (l looker) Describe(answer *ballastv1.ExamineResponse) {
	n := l.n
	answer.Name, answer.Started = n.dir.Identity().Name, n.started.UnixNano()
	answer.GoVersion, answer.Platform = runtime.Version(), runtime.GOOS+"/"+runtime.GOARCH
	for _, f := range []struct {
		name    string
		version uint32
	}{
		{"data directory", datadir.FormatVersion},
		{"journal", journal.FormatVersion},
		{"proposal", proposal.FormatVersion},
		{"snapshot", snapshots.FormatVersion},
		{"backup", backup.FormatVersion},
	} {
		answer.Formats = append(answer.Formats, &ballastv1.Format{Name: f.name, Version: f.version})
	}
	l.certificates(answer)
	l.configuration(answer)
}

func (l looker) certificates(answer *ballastv1.ExamineResponse) {
	store := l.n.TLS
	if store == nil {
		return
	}
	answer.Certificates = append(answer.Certificates, certificateProto(store.Identity().URI().String(), store.Certificate(), false))
	for _, c := range store.Authorities() {
		answer.Certificates = append(answer.Certificates, certificateProto(c.Subject.CommonName, c, true))
	}
	changed, err := store.OnDisk()
	if answer.CertificatesChanged = changed; err != nil {
		answer.CertificatesProblem = err.Error()
	}
}

func certificateProto(identity string, c *x509.Certificate, authority bool) *ballastv1.Certificate {
	return &ballastv1.Certificate{
		Identity: identity, Authority: authority, NotBefore: c.NotBefore.UnixNano(), NotAfter: c.NotAfter.UnixNano(), Serial: c.SerialNumber.Text(16),
	}
}

func (l looker) configuration(answer *ballastv1.ExamineResponse) {
	running, next := l.n.Values, map[string]string(nil)
	if l.n.Configured != nil {
		values, read, err := l.n.Configured()
		running = values
		if err != nil {
			answer.ConfigurationProblem = shown(err.Error())
		} else {
			next = config.ByKey(read)
		}
	}
	drifted := map[string]string{}
	for _, d := range l.n.drifted {
		drifted[d.Key] = d.Was
	}
	for _, v := range running {
		value := &ballastv1.ConfigurationValue{Key: v.Key, Value: shown(v.Text), Origin: v.Origin}
		if was, ok := drifted[v.Key]; ok {
			value.Drifted, value.LastGood = true, shown(was)
		}
		if now, ok := next[v.Key]; ok && now != v.Text {
			value.Changed, value.Pending = true, shown(now)
		}
		answer.Configuration = append(answer.Configuration, value)
	}
}

// shown is a value as others may see it: somebody may have put a key where its path belongs.
func shown(value string) string { return string(redact.PrivateKeys([]byte(value))) }

// TryDisk implements examine.Self.
func (l looker) TryDisk(ctx context.Context) *ballastv1.DiskTrial { return l.n.disk.trial(ctx) }

// Now implements examine.Self.
func (l looker) Now() time.Time { return l.n.hooks.clock() }

// Others implements examine.Self.
func (l looker) Others() (list []roster.Member) {
	configuration, err := latestConfiguration(l.n.raft)
	if err != nil {
		return nil // raft is shut down
	}
	for _, s := range configuration.Servers {
		if s.ID == l.n.id {
			continue
		}
		m, _ := l.n.machine.Member(string(s.ID))
		m.ID, m.MemberAddress = string(s.ID), string(s.Address)
		list = append(list, m)
	}
	return list
}

// Reach implements examine.Self.
func (l looker) Reach(ctx context.Context, m roster.Member, way ballastv1.Way) (time.Time, error) {
	address := m.ClientAddress
	switch way {
	case ballastv1.Way_WAY_MEMBER:
		return l.n.transport.Probe(ctx, raft.ServerID(m.ID), raft.ServerAddress(m.MemberAddress))
	case ballastv1.Way_WAY_OPERATOR:
		address = m.OperatorAddress
	}
	name, _, _ := strings.Cut(m.ID, "/")
	conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(l.n.security.peer(name)), grpc.WithNoProxy())
	if err != nil {
		return time.Time{}, err
	}
	defer conn.Close()
	// Whether it serves is what its status says; here it is enough that it answers.
	_, err = grpc_health_v1.NewHealthClient(conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: ballastv1.OperatorService_ServiceDesc.ServiceName})
	return time.Time{}, err
}
