//go:build lab

package lab

import (
	"strings"
	"testing"

	"github.com/ballastdb/ballast/client"
)

// TestHostLosesPower: the leader's host is gone from one moment to the next, silently. Calls take longer, none fails; when it is
// back its member is too, without a hand.
func TestHostLosesPower(t *testing.T) {
	l := open(t)
	l.follow()
	c := l.connect()
	l.prepareAccounts(c)
	load := l.start(c)
	load.goesOn("before anything happens")
	gone := l.leader(c, l.hosts...)
	must(t, gone.powerOff())
	load.goesOn("without " + gone.name)
	l.leader(c, l.but(gone)...)
	l.boot(gone)
	l.leader(c, l.hosts...)
	load.end(false)
}

// TestAllLosePower: all three hosts and their disks at once, under load. What was acknowledged is there when the power is back.
func TestAllLosePower(t *testing.T) {
	l := open(t)
	l.follow()
	c := l.connect()
	l.prepareAccounts(c)
	load := l.start(c)
	load.goesOn("with the power on")
	for _, h := range l.hosts {
		must(t, h.freeze(l.ctx()))
	}
	for _, h := range l.hosts {
		must(t, h.powerCut(l.ctx()))
	}
	l.boot(l.hosts...)
	l.leader(c, l.hosts...)
	load.end(true)
	again := l.start(c)
	again.goesOn("with the power back")
	again.stop()
	again.ended.Wait()
}

// TestWipedDiskIsReplaced: a host comes back with an empty disk. Its member does not start on it, nor does anything make data for
// it: the operator removes the old member, makes a data directory, and puts the new one in its place. It catches up and votes.
func TestWipedDiskIsReplaced(t *testing.T) {
	l := open(t)
	l.follow()
	c := l.connect()
	l.prepareAccounts(c)
	load := l.start(c)
	h := l.but(l.leader(c, l.hosts...))[0]
	must(t, h.powerOff())
	must(t, h.disk.wipe())
	l.boot(h)
	refused(l, h, "ballastd init")
	l.on(h, "! test -e /var/lib/ballast/data")
	load.goesOn("with an empty disk in " + h.name)

	t.Log(l.work(l.ballast("members remove " + h.name)))
	l.on(h, `runuser -u ballast -- ballastd init --config /etc/ballast/ballastd.toml --cluster-id %s --name %s
systemctl restart ballastd`, l.clusterID(c), h.name)
	t.Log(l.work(l.ballast("members replace " + h.name + " " + h.address + ":7421")))
	load.goesOn("with " + h.name + " in its own place")
	l.leader(c, l.hosts...)
	if out := l.work(l.ballast("members list -o csv")); strings.Count(out, ",voter,")+strings.Count(out, ",leader,") != 3 {
		t.Errorf("not all three vote:\n%s", out)
	}
	load.end(false)
}

// clusterID is the cluster's UUID.
func (l *lab) clusterID(c *client.Client) string {
	l.t.Helper()
	s, err := c.Operator().Status(l.ctx(), l.hosts[0].address+":7421")
	if err != nil {
		s, err = c.Operator().Status(l.ctx(), l.hosts[1].address+":7421")
	}
	must(l.t, err)
	return s.ClusterId
}
