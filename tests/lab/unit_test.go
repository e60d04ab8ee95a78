//go:build lab

package lab

import (
	"strings"
	"testing"
)

// mainPID is the process of a host's member.
func mainPID(l *lab, h *host) string {
	l.t.Helper()
	return strings.TrimSpace(l.on(h, "systemctl show -P MainPID ballastd"))
}

const statusText = "systemctl show -P StatusText ballastd"

// TestUnitSaysHowItIs: a member is ready when it listens, and its STATUS line says what it waits for or does.
func TestUnitSaysHowItIs(t *testing.T) {
	l := open(t)
	l.install()
	for _, h := range l.hosts {
		l.says(h, "systemctl is-active ballastd || true", "active\n")
		l.says(h, statusText, "belongs to no cluster yet: bootstrap one here, or join it to one")
	}
	l.form()
	c := l.connect()
	leader := l.leader(c, l.hosts...)
	l.says(leader, statusText, "leads 3 members in term")
	for _, h := range l.but(leader) {
		l.says(h, statusText, "follows "+leader.name+" in term")
	}
	others := l.but(leader)
	l.on(others[0], "systemctl stop ballastd")
	l.on(others[1], "systemctl stop ballastd")
	l.says(leader, statusText, "needs a majority of the voters running; nothing is lost, do not wipe data")
	l.says(leader, "systemctl is-active ballastd || true", "active\n")
	l.on(others[0], "systemctl start ballastd")
	l.on(others[1], "systemctl start ballastd")
	l.leader(c, l.hosts...)
}

// TestRefusedStartIsNotRepeated: after exit code 78 systemd leaves the unit alone, and the journal says what to do.
func TestRefusedStartIsNotRepeated(t *testing.T) {
	l := open(t)
	fresh := l.hosts[0]
	must(t, sh("cp %s/%s %s%s/", l.packages, packageName(firstVersion), fresh.root, home))
	l.on(fresh, "dpkg -i ~/ballast_*.deb; systemctl start ballastd || true")
	refused(l, fresh, "ballastd init")
	l.on(fresh, "! test -e /var/lib/ballast/data; systemctl reset-failed; dpkg --purge ballast; rm ~/ballast_*.deb")

	l.follow()
	c := l.connect()
	l.prepareAccounts(c)
	load := l.start(c)
	leader := l.leader(c, l.hosts...)
	victim := l.but(leader)[0]
	const file = "/etc/ballast/ballastd.toml"
	l.on(victim, "cp %[1]s %[1]s.good; echo 'log_levle = \"debug\"' >> %[1]s; systemctl restart ballastd || true", file)
	refused(l, victim, `did you mean \"log_level\"?`, `did you mean "log_level"?`)
	load.goesOn("with " + victim.name + " refused")
	l.on(victim, "mv %[1]s.good %[1]s; systemctl restart ballastd", file)
	l.leader(c, l.hosts...)
	load.end(false)
}

// refused waits until the unit has failed for good with exit code 78, and looks for one of the texts in its journal.
func refused(l *lab, h *host, texts ...string) {
	l.t.Helper()
	l.says(h, "systemctl is-active ballastd || true", "failed\n") // and not "activating": that would be the next start
	got := l.on(h, "systemctl show -P ExecMainStatus -P NRestarts ballastd | tr '\\n' ' '")
	if got != "78 0 " && got != "0 78 " {
		l.t.Errorf("%s: exit status and restarts are %q, want 78 and none", h.name, got)
	}
	journal := l.on(h, "journalctl --no-pager -o cat -u ballastd")
	for _, text := range texts {
		if strings.Contains(journal, text) {
			return
		}
	}
	l.t.Errorf("%s: its journal does not say %q:\n%s", h.name, texts, tail(journal))
}

// TestWatchdogEndsAMemberThatHangs: a stopped process answers nobody; systemd kills it and starts it again.
func TestWatchdogEndsAMemberThatHangs(t *testing.T) {
	l := open(t)
	l.follow()
	c := l.connect()
	l.prepareAccounts(c)
	load := l.start(c)
	leader := l.leader(c, l.hosts...)
	// The unit's own minute is the same thing slower.
	l.on(leader, `mkdir -p /etc/systemd/system/ballastd.service.d
printf '[Service]\nWatchdogSec=15\nTimeoutAbortSec=5\n' > /etc/systemd/system/ballastd.service.d/sooner.conf
systemctl daemon-reload; systemctl restart ballastd`)
	l.leader(c, l.hosts...)
	hung := mainPID(l, leader)
	l.on(leader, "kill -STOP %s", hung)
	load.goesOn("while " + leader.name + " hangs")
	l.says(leader, "journalctl --no-pager -u ballastd", "Watchdog timeout")
	l.says(leader, "systemctl show -P NRestarts ballastd", "1\n")
	l.says(leader, "systemctl is-active ballastd || true", "active\n")
	l.leader(c, l.hosts...)
	load.end(false)
}
