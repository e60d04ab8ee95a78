package client

import (
	"context"
	"math/rand/v2"
	"time"
)

// Pauses between tries of one call.
const (
	firstPause   = 10 * time.Millisecond
	longestPause = 250 * time.Millisecond
)

// backoff makes the growing, jittered pauses of one call, so that callers who failed together do not come back together.
type backoff struct{ tries int }

// next is the pause before the next try: at least atLeast (what the server asked for).
func (b *backoff) next(atLeast time.Duration) time.Duration {
	pause := longestPause
	if b.tries < 8 {
		pause = min(firstPause<<b.tries, longestPause)
	}
	b.tries++
	pause = pause/2 + rand.N(pause/2+1)
	if atLeast > 0 {
		pause = max(pause, atLeast+rand.N(atLeast/4+1))
	}
	return pause
}

// sleep waits for d and reports whether there is time left after it; it does not start a wait that the deadline would
// cut short.
func sleep(ctx, closing context.Context, d time.Duration, deadline time.Time) bool {
	if d <= 0 {
		return true
	}
	if time.Until(deadline) <= d {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	case <-closing.Done():
		return false
	}
}

// Bounds of one try.
const (
	shortestTry = time.Second
	longestTry  = 3 * time.Second
)

// tryTimeout is how long one try may take of what is left: half of it, so that a member that went silent leaves time to
// ask another one, but not so little that a busy member has no chance, nor so much that a caller with minutes to spend
// spends them on a member that is gone.
func tryTimeout(left time.Duration) time.Duration {
	return min(left, max(left/2, shortestTry), longestTry)
}
