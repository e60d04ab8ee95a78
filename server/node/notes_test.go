package node

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ballastdb/ballast/config"
	"github.com/ballastdb/ballast/internal/pki"
	"github.com/ballastdb/ballast/internal/tlsauth"
)

func TestNotesWarnOfEndingCertificatesAndDrift(t *testing.T) {
	now := time.Now()
	for _, tt := range []struct {
		life  time.Duration // from a year ago
		drift []config.Difference
		says  string
	}{
		{365 * 24 * time.Hour, nil, "its certificate has expired"},
		{(365 + 20) * 24 * time.Hour, nil, "its certificate ends in "},
		{2 * 365 * 24 * time.Hour, nil, ""},
		{2 * 365 * 24 * time.Hour, []config.Difference{{Value: config.Value{Key: "log_level"}}, {Value: config.Value{Key: "shutdown_timeout"}}}, "configured otherwise than at the last good run: log_level, shutdown_timeout"},
	} {
		made := now.Add(-365*24*time.Hour - time.Minute)
		dir, id := t.TempDir(), tlsauth.Identity{Cluster: uuid.New(), Role: tlsauth.Member, Name: "node-1"}
		authority, err := pki.NewAuthority(id.Cluster, pki.DefaultAuthorityLife, made)
		must(t, err)
		must(t, pki.Write(dir, "ca", authority.Pair()))
		pair, err := authority.Issue(pki.Request{Identity: id, Hosts: []string{"127.0.0.1"}, Life: tt.life}, made)
		must(t, err)
		must(t, pki.Write(dir, "node-1", pair))
		files := tlsauth.Files{CA: dir + "/ca.crt", Certificate: dir + "/node-1.crt", Key: dir + "/node-1.key"}
		store, err := tlsauth.Open(files, func() time.Time { return made.Add(time.Hour) }) // when it was in force
		must(t, err)
		n := &node{Options: Options{TLS: store, Config: config.Config{}}, drifted: tt.drift}
		got := strings.Join(n.notes(), "|")
		if (tt.says == "") != (got == "") || !strings.Contains(got, tt.says) {
			t.Errorf("%v: %q, want %q", tt.life, got, tt.says)
		}
	}
}
