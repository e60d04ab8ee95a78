//go:build lab

package lab

import "testing"

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
	for range 2 {
		load.goesOn("with the power on")
		for _, h := range l.hosts {
			must(t, h.freeze(l.ctx()))
		}
		for _, h := range l.hosts {
			must(t, h.powerCut(l.ctx()))
		}
		l.boot(l.hosts...)
		l.leader(c, l.hosts...)
	}
	load.end(true)
}
