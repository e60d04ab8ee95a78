// Package deploy tests what deploy/ has for an operator: the service unit and the example configuration.
package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/ballastdb/ballast/config"
)

const folder = "../../deploy/"

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(folder + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// unit is a copy of the unit whose program is there, for tools that look for it.
func unit(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("systemd-analyze is not installed (package systemd)")
	}
	path := filepath.Join(t.TempDir(), "ballastd.service")
	text := strings.ReplaceAll(read(t, "ballastd.service"), "/usr/bin/ballastd", "/bin/true")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestUnitIsUnderstood(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "systemd-analyze", "verify", "--man=no", unit(t)).CombinedOutput()
	if err != nil || len(strings.TrimSpace(string(out))) > 0 {
		t.Fatalf("systemd-analyze verify: %v\n%s", err, out)
	}
}

// TestUnitIsConfined: the exposure that systemd reckons, 0 to 10.
func TestUnitIsConfined(t *testing.T) {
	const most = 1.5
	out, err := exec.CommandContext(t.Context(), "systemd-analyze", "security", "--offline=yes", "--no-pager", unit(t)).CombinedOutput()
	if err != nil {
		t.Fatalf("systemd-analyze security: %v\n%s", err, out)
	}
	found := regexp.MustCompile(`Overall exposure level for \S+: ([0-9.]+)`).FindSubmatch(out)
	if found == nil {
		t.Fatalf("no score in\n%s", out)
	}
	if score, err := strconv.ParseFloat(string(found[1]), 64); err != nil || score > most {
		t.Fatalf("exposure %s, at most %.1f", found[1], most)
	}
}

// TestUnitKeepsItsPromises: what operators rely on at three in the morning.
func TestUnitKeepsItsPromises(t *testing.T) {
	text := "\n" + read(t, "ballastd.service")
	for _, line := range []string{"Type=notify", "RestartPreventExitStatus=78", "Restart=always", "WatchdogSec=60", "ExecReload=/bin/kill -HUP $MAINPID"} {
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("no line %q", line)
		}
	}
}

// TestExampleConfiguration: as it is, and with everything that it has commented out.
func TestExampleConfiguration(t *testing.T) {
	text := read(t, "ballastd.toml")
	all := regexp.MustCompile(`(?m)^#([a-z_]+ *=)`).ReplaceAllString(text, "$1")
	if all == text {
		t.Fatal("nothing is commented out")
	}
	for name, text := range map[string]string{"as it is": text, "with everything": all} {
		path := filepath.Join(t.TempDir(), "ballastd.toml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := config.Load(config.Input{File: path, LookupEnv: func(string) (string, bool) { return "", false }})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
