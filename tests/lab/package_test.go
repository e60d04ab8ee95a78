//go:build lab

package lab

import (
	"strings"
	"testing"
)

// TestPurgeKeepsTheData: the package goes, configuration and all; with it installed and configured again the member goes on.
func TestPurgeKeepsTheData(t *testing.T) {
	l := open(t)
	l.follow()
	c := l.connect()
	l.prepareAccounts(c)
	load := l.start(c)
	h := l.but(l.leader(c, l.hosts...))[0]
	l.on(h, "cp /etc/ballast/ballastd.toml ~/")
	out := l.on(h, "dpkg --purge ballast")
	for _, want := range []string{"/var/lib/ballast is kept", "/etc/ballast/tls is kept"} {
		if !strings.Contains(out, want) {
			t.Errorf("purging does not say %q:\n%s", want, out)
		}
	}
	l.on(h, "! command -v ballastd; ! test -e /etc/ballast/ballastd.toml; test -s /etc/ballast/tls/member.key; test -n \"$(ls -A /var/lib/ballast/data)\"")
	load.goesOn("without " + h.name)
	l.on(h, "dpkg -i ~/ballast_*.deb; cp ~/ballastd.toml /etc/ballast/; systemctl enable --now ballastd")
	l.leader(c, l.hosts...)
	load.end(false)
}
