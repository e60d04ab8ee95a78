//go:build lab

package lab

import (
	"strings"
	"testing"
)

// TestUpgrade: from one version of the package to the next, one member at a time, under load. Installing restarts nothing; no
// call fails.
func TestUpgrade(t *testing.T) {
	l := open(t)
	l.follow()
	c := l.connect()
	l.prepareAccounts(c)
	load := l.start(c)
	for _, h := range l.hosts {
		must(t, sh("cp %s/%s %s%s/next.deb", l.packages, packageName(secondVersion), h.root, home))
		before := mainPID(l, h)
		out := l.on(h, "dpkg -i ~/next.deb")
		if !strings.Contains(out, "systemctl restart ballastd") {
			t.Errorf("installing does not say what is left to do:\n%s", out)
		}
		if now := mainPID(l, h); now != before {
			t.Errorf("installing restarted the member: process %s, before %s", now, before)
		}
		l.on(h, "systemctl restart ballastd")
		l.leader(c, l.hosts...)
		load.goesOn("with " + h.name + " upgraded")
		l.says(h, "/proc/$(systemctl show -P MainPID ballastd)/exe version", secondVersion)
	}
	load.end(false)
}

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
