//go:build lab

package lab

import "testing"

// TestSmoke: three empty hosts, the package, docs/deployment.md to the letter, and the leader killed under load. systemd starts
// it again, another leads meanwhile, and no call fails.
func TestSmoke(t *testing.T) {
	l := open(t)
	l.follow()
	c := l.connect()
	l.prepareAccounts(c)
	load := l.start(c)
	load.goesOn("before anything happens")

	leader := l.leader(c, l.hosts...)
	killed := mainPID(l, leader)
	l.on(leader, "kill -9 %s", killed)
	load.goesOn("after " + leader.name + " was killed")
	l.says(leader, "systemctl show -P NRestarts ballastd", "1\n")
	l.says(leader, "systemctl is-active ballastd || true", "active\n")
	l.leader(c, l.hosts...)
	if now := mainPID(l, leader); now == killed {
		t.Fatalf("%s still runs as process %s", leader.name, now)
	}
	load.end(false)
}
