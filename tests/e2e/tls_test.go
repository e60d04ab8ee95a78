package e2e

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/internal/testcluster"
	"github.com/ballastdb/ballast/internal/tlsauth"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// dial makes a client with a certificate of the role.
func dial(t *testing.T, cluster *testcluster.Cluster, role tlsauth.Role) *client.Client {
	t.Helper()
	files, err := cluster.Issue(role, role.String())
	must(t, err)
	return dialWith(t, cluster, client.WithTLS(files.CA, files.Certificate, files.Key))
}

func dialWith(t *testing.T, cluster *testcluster.Cluster, options ...client.Option) *client.Client {
	t.Helper()
	c, err := client.New(cluster.Endpoints(), options...)
	must(t, err)
	t.Cleanup(func() { must(t, c.Close()) })
	return c
}

// Three members that speak TLS with each other serve clients by their roles, also after the leader was killed and
// leadership was handed over; strangers learn why they are refused.
func TestClusterWithTLS(t *testing.T) {
	cluster := testcluster.Start(t, testcluster.Options{TLS: true})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	reader, writer, operator := dial(t, cluster, tlsauth.Reader), dial(t, cluster, tlsauth.Writer), dial(t, cluster, tlsauth.Operator)

	_, err := writer.CreateLedger(ctx, "usd", "USD", 2)
	must(t, err)
	_, err = writer.CreateAccount(ctx, "alice", "usd", client.Limits{})
	must(t, err)
	_, err = writer.Credit(ctx, "alice", 7)
	must(t, err)
	_, err = reader.Credit(ctx, "alice", 1)
	wantRefused(t, err, codes.PermissionDenied, "needs the role writer")
	if !errors.Is(err, client.ErrNotDone) {
		t.Errorf("a reader's credit: %v, want it to be not done for certain", err)
	}
	_, err = writer.Operator().TransferLeadership(ctx, "")
	wantRefused(t, err, codes.PermissionDenied, "needs the role operator")

	before, err := cluster.WaitLeader(ctx)
	must(t, err)
	next, err := operator.Operator().TransferLeadership(ctx, "")
	must(t, err)
	if next == before.Name {
		t.Errorf("leadership went from %s to %s", before.Name, next)
	}
	leader, err := cluster.WaitLeader(ctx)
	must(t, err)
	must(t, leader.Kill())
	_, err = writer.Credit(ctx, "alice", 5)
	must(t, err)
	must(t, leader.Start())
	must(t, cluster.WaitEqual(ctx))
	account, err := reader.Account(ctx, "alice")
	must(t, err)
	if account.Posted != 12 {
		t.Errorf("alice has %d, want 12", account.Posted)
	}
	for _, s := range reader.Operator().StatusOfAll(ctx) {
		must(t, s.Err)
	}

	strangers(ctx, t, cluster)
}

// strangers are refused with a reason, in the answer and in the log.
func strangers(ctx context.Context, t *testing.T, cluster *testcluster.Cluster) {
	plain := dialWith(t, cluster, client.WithTimeout(2*time.Second))
	_, err := plain.Operator().Status(ctx, cluster.Member(1).ClientAddress)
	wantRefused(t, err, codes.Unavailable, "server preface")
	waitLog(ctx, t, cluster.Member(1), "is not TLS")

	// A member's certificate of another cluster, shown to a member address.
	other, err := testcluster.New(ctx, testcluster.Options{Members: 1, TLS: true, Dir: t.TempDir()})
	must(t, err)
	t.Cleanup(func() { must(t, other.Close()) })
	foreign := other.Member(1).TLS
	pair, err := tls.LoadX509KeyPair(foreign.Certificate, foreign.Key)
	must(t, err)
	conn, err := tls.Dial("tcp", cluster.Member(1).MemberAddress, &tls.Config{
		InsecureSkipVerify: true, NextProtos: []string{"h2"}, Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS13,
	})
	must(t, err)
	must(t, conn.Close())
	waitLog(ctx, t, cluster.Member(1), "authority that is not in the CA file")

	mistaken := dialWith(t, cluster, client.WithTLS(foreign.CA, foreign.Certificate, foreign.Key), client.WithTimeout(2*time.Second))
	_, err = mistaken.Operator().Status(ctx, cluster.Member(1).ClientAddress)
	wantRefused(t, err, codes.Unavailable, "authority that is not in the CA file")
}

// SIGHUP makes a member use its renewed certificate and its new log level, and a bad file changes nothing.
func TestReloadWithoutRestart(t *testing.T) {
	cluster := testcluster.Start(t, testcluster.Options{TLS: true, Config: map[string]string{"log_level": "info"}})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	m := cluster.Member(2)
	pid, first := m.PID(), serial(t, m)

	must(t, cluster.Renew(m))
	must(t, m.Hangup())
	waitLog(ctx, t, m, "the certificates were reloaded")
	renewed := serial(t, m)
	if renewed == first {
		t.Error("the member shows its old certificate")
	}

	good, err := os.ReadFile(m.TLS.Certificate)
	must(t, err)
	must(t, os.WriteFile(m.TLS.Certificate, []byte("nothing"), 0o600))
	must(t, m.Hangup())
	waitLog(ctx, t, m, "the certificates in use stay in use")
	if serial(t, m) != renewed {
		t.Error("a bad file replaced the certificate")
	}
	must(t, os.WriteFile(m.TLS.Certificate, good, 0o600))

	path := filepath.Join(m.Dir, "ballastd.toml")
	file, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(path, []byte(strings.Replace(string(file), `log_level = "info"`, `log_level = "debug"`, 1)+"shutdown_timeout = \"7s\"\n"), 0o600))
	must(t, m.Hangup())
	waitLog(ctx, t, m, "log level changed")
	waitLog(ctx, t, m, "takes effect only when the member is started again")

	if status, err := m.Status(ctx); err != nil || m.PID() != pid || status.GetRaftState() == ballastv1.RaftState_RAFT_STATE_UNSPECIFIED {
		t.Errorf("after all that: %v, %v", status, err)
	}
}

// serial is the serial number of the certificate that a member shows on its client address.
func serial(t *testing.T, m *testcluster.Member) string {
	t.Helper()
	// Whose it is was checked before; here it is only looked at.
	conn, err := tls.Dial("tcp", m.ClientAddress, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}, MinVersion: tls.VersionTLS13})
	must(t, err)
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.String()
}

func wantRefused(t *testing.T, err error, code codes.Code, says string) {
	t.Helper()
	var status *client.StatusError
	if !errors.As(err, &status) || status.Code != code || !strings.Contains(status.Message, says) {
		t.Errorf("got %v, want %v and %q", err, code, says)
	}
}

// waitLog waits until a member's log has a text.
func waitLog(ctx context.Context, t *testing.T, m *testcluster.Member, text string) {
	t.Helper()
	must(t, testcluster.Until(ctx, fmt.Sprintf("the log of %s has %q", m.Name, text), func(context.Context) error {
		data, err := os.ReadFile(m.LogPath())
		if err == nil && !strings.Contains(string(data), text) {
			err = errors.New("not there")
		}
		return err
	}))
}
