package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/go-hclog"

	"github.com/ballastdb/ballast/config"
	"github.com/ballastdb/ballast/internal/pki"
	"github.com/ballastdb/ballast/internal/tlsauth"
	"github.com/ballastdb/ballast/server/node"
)

// certificate makes the files of a member's certificate and returns the lines that configure them.
func certificate(t *testing.T, cluster, name string, life time.Duration, at time.Time) (files tlsauth.Files, lines string) {
	t.Helper()
	dir := t.TempDir()
	authority, err := pki.NewAuthority(uuid.MustParse(cluster), pki.DefaultAuthorityLife, at)
	must(t, err)
	must(t, pki.Write(dir, "ca", authority.Pair()))
	id := tlsauth.Identity{Cluster: uuid.MustParse(cluster), Role: tlsauth.Member, Name: name}
	pair, err := authority.Issue(pki.Request{Identity: id, Hosts: []string{"127.113.0.2"}, Life: life}, at)
	must(t, err)
	must(t, pki.Write(dir, name, pair))
	files.CA, _ = pki.Paths(dir, "ca")
	files.Certificate, files.Key = pki.Paths(dir, name)
	return files, "tls_ca = '" + files.CA + "'\ntls_certificate = '" + files.Certificate + "'\ntls_key = '" + files.Key + "'\n"
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func configFile(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ballastd.toml")
	must(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

func TestConfigShowTellsOrigins(t *testing.T) {
	file := configFile(t, "data_dir = '/d'\nshutdown_timeout = '5s'\n")
	code, out := ballastd(t.Context(), "config", "show", "--config", file, "--log-level", "warn")
	if code != exitDone {
		t.Fatalf("exit code %d: %s", code, out)
	}
	for _, want := range []string{
		"data_dir /d file " + file, "shutdown_timeout 5s file " + file, "log_level warn flag --log-level", "tls_ca - default",
		"election_timeout 500ms default",
	} {
		if !strings.Contains(strings.Join(strings.Fields(out), " "), want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
}

func TestConfigCheck(t *testing.T) {
	_, good := certificate(t, clusterID, "node-1", time.Hour, time.Now())
	_, expired := certificate(t, clusterID, "node-1", time.Hour, time.Now().Add(-48*time.Hour))
	public := "data_dir = '/d'\nclient_address = '10.0.0.1:7401'\nmember_address = '10.0.0.1:7411'\noperator_address = '10.0.0.1:7421'\n"
	tests := []struct {
		name, file string
		code       int
		says       string
	}{
		{"without TLS", "data_dir = '/d'\n", exitDone, "only loopback addresses are served"},
		{"with TLS", public + good, exitDone, "ballast://" + clusterID + "/member/node-1"},
		{"public without TLS", public, exitConfig, "only loopback addresses"},
		{"certificate expired", public + expired, exitConfig, "expired on"},
		{"certificate missing", public + "tls_ca = '/nonexistent'\ntls_certificate = '/c'\ntls_key = '/k'\n", exitConfig, "no such file"},
		{"unknown key", "data_dir = '/d'\ntls_cert = '/c'\n", exitConfig, `did you mean "tls_`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			code, out := ballastd(t.Context(), "config", "check", "--config", configFile(t, tt.file))
			if code != tt.code || !strings.Contains(out, tt.says) {
				t.Errorf("exit code %d, want %d, and %q in: %s", code, tt.code, tt.says, out)
			}
		})
	}
}

// A member starts with its own certificate only.
func TestRunRefusesAnotherMembersCertificate(t *testing.T) {
	dir := initialised(t)
	_, anothers := certificate(t, clusterID, "node-2", time.Hour, time.Now())
	_, elsewhere := certificate(t, uuid.NewString(), "node-1", time.Hour, time.Now())
	for name, lines := range map[string]string{"another member": anothers, "another cluster": elsewhere} {
		file := configFile(t, lines+"data_dir = '"+dir+"'\n")
		code, out := ballastd(t.Context(), "run", "--config", file, "--log-format", "text")
		if code != exitConfig || !strings.Contains(out, "expected ballast://"+clusterID+"/member/node-1") {
			t.Errorf("%s: exit code %d: %s", name, code, out)
		}
	}
}

func TestReloadDoesWhatItSays(t *testing.T) {
	files, lines := certificate(t, clusterID, "node-1", time.Hour, time.Now())
	file := configFile(t, lines+"data_dir = '/d'\n")
	load := func() (*config.Loaded, error) {
		return config.Load(config.Input{File: file, LookupEnv: func(string) (string, bool) { return "", false }})
	}
	running, err := load()
	must(t, err)
	store, err := node.OpenTLS(running.Config)
	must(t, err)
	var said strings.Builder
	logger := hclog.New(&hclog.LoggerOptions{Level: hclog.Info, Output: &said})
	below := logger.Named("below")
	r := &reloader{logger: logger, load: load, running: running.Values, certificates: store}
	after := func(content string, want ...string) {
		t.Helper()
		must(t, os.WriteFile(file, []byte(content), 0o600))
		said.Reset()
		r.reload()
		for _, text := range want {
			if !strings.Contains(said.String(), text) {
				t.Errorf("%q is not in\n%s", text, said.String())
			}
		}
	}
	base := lines + "data_dir = '/d'\n"
	after(base, "have not changed")
	after(base+"log_level = 'debug'\n", "log level changed: was=info is=debug")
	if !below.IsDebug() {
		t.Error("loggers below did not follow")
	}
	after(base+"log_level = 'error'\n", "log level changed: was=debug is=error")
	after(base+"log_level = 'info'\nshutdown_timeout = '9s'\n", "log level changed", "only when the member is started again: key=shutdown_timeout running=10s configured=9s")
	after("log_level = 'loud'\n", "nothing of it was reloaded")
	must(t, os.WriteFile(files.Certificate, nil, 0o600))
	after(base+"log_level = 'info'\n", "were not reloaded", "stay in use")
}
