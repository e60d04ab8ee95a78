package node

import (
	"testing"
	"time"
)

// TestBusy: a latency is compared with what was usual before the transfer that it is measured in; one that nobody feels, or
// that nobody waits for, is usual, and a load that changed for good becomes so.
func TestBusy(t *testing.T) {
	var done tally
	sending := false
	l := &latency{read: done.read, sending: func() bool { return sending }}
	windows := func(count int, each time.Duration) float64 {
		for range count {
			for range 10 {
				done.add(each)
			}
			l.sample()
		}
		return l.busy()
	}
	if b := windows(60, 5*time.Millisecond); b < 0.99 || b > 1.01 {
		t.Errorf("a steady latency is %.2f times its usual", b)
	}
	sending = true
	if b := windows(1, 15*time.Millisecond); b < 2.5 {
		t.Errorf("three times the latency is %.2f times its usual", b)
	}
	if b := windows(20, 15*time.Millisecond); b < 2 {
		t.Errorf("20 windows into a transfer, three times the latency is %.2f times its usual", b)
	}
	if b := windows(2000, 15*time.Millisecond); b > 1.1 {
		t.Errorf("a load that changed for good is %.2f times its usual", b)
	}
	sending = false
	windows(200, 100*time.Microsecond)
	if b := windows(1, time.Millisecond); b > 1.01 {
		t.Errorf("a latency that nobody feels is %.2f times its usual", b)
	}
	windows(1, time.Second)
	if l.sample(); l.busy() != 1 {
		t.Errorf("where nobody waits the latency is %.2f times its usual", l.busy())
	}
}
