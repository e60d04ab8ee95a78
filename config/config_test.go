package config

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

const tls = "tls_ca = '/ca'\ntls_certificate = '/crt'\ntls_key = '/key'\n"

func env(pairs map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) { v, ok := pairs[name]; return v, ok }
}

func file(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ballastd.toml")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestStrongestOriginWins(t *testing.T) {
	in := Input{
		File:      file(t, "data_dir = '/file'\nlog_level = 'warn'\nlog_format = 'text'\nshutdown_timeout = '12s'\n"),
		LookupEnv: env(map[string]string{"BALLAST_DATA_DIR": "/env", "BALLAST_LOG_LEVEL": "error", "BALLAST_UNRELATED": "x"}),
		Flags:     map[string]string{"data_dir": "/flag"},
	}
	got, err := Load(in)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]Value{
		"data_dir":         {"data_dir", "/flag", "flag --data-dir"},
		"log_level":        {"log_level", "error", "environment BALLAST_LOG_LEVEL"},
		"log_format":       {"log_format", "text", "file " + in.File},
		"shutdown_timeout": {"shutdown_timeout", "12s", "file " + in.File},
		"member_address":   {"member_address", "127.0.0.1:7411", "default"},
	}
	if len(got.Values) != len(Keys()) {
		t.Fatalf("%d values for %d keys", len(got.Values), len(Keys()))
	}
	for _, v := range got.Values {
		if w, ok := want[v.Key]; ok && v != w {
			t.Errorf("got %+v, want %+v", v, w)
		}
	}
	if got.DataDir != "/flag" || got.LogLevel != "error" || got.LogFormat != "text" || got.ShutdownTimeout != 12*time.Second {
		t.Errorf("effective %+v", got.Config)
	}
}

func TestLoadRefuses(t *testing.T) {
	tests := []struct{ name, file, says string }{
		{"misspelt key", "dat_dir = '/d'", `unknown key "dat_dir"; did you mean "data_dir"?`},
		{"unheard-of key", "replica_of = 'self'", `unknown key "replica_of"; docs/configuration.md`},
		{"a table", "[faults]\nx = 1", `unknown key "faults"`},
		{"wrong type", "data_dir = true", "data_dir is a bool"},
		{"not TOML", "data_dir = ", "file "},
		{"all addresses", "client_address = '0.0.0.0:1'", "only loopback addresses"},
		{"no host", "client_address = ':1'", "only loopback addresses"},
		{"another host", "member_address = 'db1:7411'", "only loopback addresses"},
		{"port chosen by the system", "member_address = '127.0.0.1:0'", "a port from 1"},
		{"no port", "operator_address = '127.0.0.1'", "expected host:port"},
		{"one address twice", "operator_address = '127.0.0.1:9'\nclient_address = '127.0.0.1:9'", "each needs its own"},
		{"duration without unit", "heartbeat_timeout = 500", "with its unit"},
		{"elections before heartbeats", "heartbeat_timeout = '1s'\nelection_timeout = '500ms'", "at least heartbeat_timeout"},
		{"a removed key", "trailing_logs = 5", `unknown key "trailing_logs"`},
		{"half of TLS", "tls_ca = '/ca'\ntls_key = '/key'", "give all three"},
		{"all addresses with TLS", tls + "member_address = '0.0.0.0:1'", "told to them"},
		{"no host with TLS", tls + "member_address = ':1'", "told to them"},
		{"level", "log_level = 'loud'", "trace, debug, info, warn, error"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Load(Input{File: file(t, tt.file), LookupEnv: env(nil), Flags: map[string]string{"data_dir": "/d"}})
			wantProblem(t, err, tt.says)
		})
	}
	_, err := Load(Input{LookupEnv: env(nil)})
	wantProblem(t, err, "use --data-dir, BALLAST_DATA_DIR or")
	_, err = Load(Input{File: "/nonexistent/ballastd.toml", LookupEnv: env(map[string]string{"BALLAST_LOG_LEVEL": ""})})
	wantProblem(t, err, "/nonexistent/ballastd.toml")
	wantProblem(t, err, "log_level")
}

func TestLoopbackAddressesAreAccepted(t *testing.T) {
	for _, a := range []string{"127.0.0.1:1", "127.8.9.1:65535", "[::1]:7401", "localhost:7401"} {
		if err := errors.Join(checkAddress(a), checkHost(a, false)); err != nil {
			t.Errorf("%s: %v", a, err)
		}
	}
}

func TestOtherAddressesAreAcceptedWithTLS(t *testing.T) {
	for _, a := range []string{"10.0.0.1:7411", "[fe80::1]:7411", "db1.example.com:7411"} {
		got, err := Load(Input{
			File: file(t, tls+"data_dir = '/d'\nmember_address = '"+a+"'"), LookupEnv: env(nil),
		})
		if err != nil || got.MemberAddress != a || !got.TLS() {
			t.Errorf("%s: %v, %v", a, got, err)
		}
	}
}

// Every key and its default stand in the documentation, and no others.
func TestEveryKeyIsDocumented(t *testing.T) {
	doc, err := os.ReadFile("../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| ([^|]*) \\|").FindAllStringSubmatch(string(doc), -1)
	documented := map[string]string{}
	for _, row := range rows {
		documented[row[1]] = strings.Trim(row[2], "` ")
	}
	for _, key := range Keys() {
		want := key.Default
		if want == "" {
			want = "none"
		}
		if got, ok := documented[key.Name]; !ok || got != want {
			t.Errorf("key %s: documented default %q, want %q", key.Name, got, want)
		}
		delete(documented, key.Name)
	}
	for name := range documented {
		t.Errorf("%s is documented and unknown", name)
	}
}

func FuzzLoad(f *testing.F) {
	f.Add("data_dir = '/d'\nclient_address = 'localhost:1'")
	f.Add("[a.b]\nc = [1, 2]")
	f.Fuzz(func(t *testing.T, content string) {
		got, err := Load(Input{File: file(t, content), LookupEnv: env(nil)})
		if err == nil && (checkHost(got.ClientAddress, got.TLS()) != nil || got.DataDir == "") {
			t.Fatalf("%q was accepted as %+v", content, got.Config)
		}
	})
}

func wantProblem(t *testing.T, err error, says string) {
	t.Helper()
	var wrong *Error
	if !errors.As(err, &wrong) || !strings.Contains(err.Error(), says) {
		t.Fatalf("got %v, want an *Error that says %q", err, says)
	}
}
