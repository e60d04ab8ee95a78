package client

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestPausesAreBoundedAndHonourTheServer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var b backoff
		for range rapid.IntRange(1, 100).Draw(t, "tries") {
			atLeast := time.Duration(rapid.Int64Range(0, int64(10*time.Second)).Draw(t, "asked"))
			pause := b.next(atLeast)
			if pause < atLeast || pause < firstPause/2 || pause > max(longestPause, atLeast*5/4+1) {
				t.Fatalf("asked for %v, paused %v", atLeast, pause)
			}
		}
	})
}

func TestTryLeavesTimeForAnother(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		left := time.Duration(rapid.Int64Range(1, int64(time.Hour)).Draw(t, "left"))
		switch timeout := tryTimeout(left); {
		case timeout <= 0 || timeout > left || timeout > longestTry:
			t.Fatalf("%v of %v", timeout, left)
		case left >= 2*shortestTry && timeout > left/2:
			t.Fatalf("%v of %v leaves too little", timeout, left)
		case left >= shortestTry && timeout < shortestTry:
			t.Fatalf("%v of %v is too little", timeout, left)
		}
	})
}
