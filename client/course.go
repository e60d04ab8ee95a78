package client

import (
	"slices"
	"time"
)

// course is the way of one call from member to member. A hint is followed at once, but not in a circle: members whose
// hints name each other, two of them or all, know of no leader yet, and asking them round and round helps nobody.
type course struct {
	backoff
	asked []string // since the last pause, each once, at most maxLearned
}

// news reports whether a hint leads to a member that was not asked since the last pause.
func (w *course) news(from, to string) bool {
	if !slices.Contains(w.asked, from) {
		w.asked = append(w.asked, from)
	}
	return len(w.asked) < maxLearned && !slices.Contains(w.asked, to)
}

// pause is how long to wait before the next try; after it every member's hint is news again.
func (w *course) pause(atLeast time.Duration) time.Duration {
	w.asked = w.asked[:0]
	return w.next(atLeast)
}
