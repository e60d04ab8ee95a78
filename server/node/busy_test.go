package node

import (
	"testing"
	"time"
)

// TestBusy: a latency is compared with what was usual before the bulk work that it is measured in; one that nobody feels, or
// that nobody waits for, is usual, and a load that changed for good becomes so.
func TestBusy(t *testing.T) {
	var done tally
	bulk := false
	l := &latency{read: done.read, bulk: func() bool { return bulk }}
	windows := func(count int, each time.Duration) float64 {
		for range count {
			for range 10 {
				done.add(each)
			}
			l.tick()
		}
		return l.busy()
	}
	if b := windows(60, 5*time.Millisecond); b < 0.99 || b > 1.01 {
		t.Errorf("a steady latency is %.2f times its usual", b)
	}
	bulk = true
	if b := windows(1, 15*time.Millisecond); b < 2.5 {
		t.Errorf("three times the latency is %.2f times its usual", b)
	}
	if b := windows(80, 15*time.Millisecond); b < 2 {
		t.Errorf("80 windows into a transfer, three times the latency is %.2f times its usual", b)
	}
	if b := windows(8000, 15*time.Millisecond); b > 1.1 {
		t.Errorf("a load that changed for good is %.2f times its usual", b)
	}
	bulk = false
	windows(800, 100*time.Microsecond)
	if b := windows(1, time.Millisecond); b > 1.01 {
		t.Errorf("a latency that nobody feels is %.2f times its usual", b)
	}
	windows(1, time.Second)
	for range busyTicks {
		l.tick()
	}
	if l.busy() != 1 {
		t.Errorf("where nobody waits the latency is %.2f times its usual", l.busy())
	}
}

// TestBusyWaitsForEnough: few slow ones make no window until it is as long as it may be.
func TestBusyWaitsForEnough(t *testing.T) {
	var done tally
	l := &latency{read: done.read, bulk: func() bool { return true }}
	for range busyEnough {
		done.add(5 * time.Millisecond)
	}
	l.tick()
	done.add(time.Second)
	for range busyTicks - 1 {
		if l.tick(); l.busy() != 1 {
			t.Fatalf("one slow one in a short window: %.2f times its usual", l.busy())
		}
	}
	if l.tick(); l.busy() < 100 {
		t.Errorf("one slow one in the longest window: %.2f times its usual", l.busy())
	}
}
