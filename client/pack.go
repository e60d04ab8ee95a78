package client

import "time"

// pack takes calls from the head of the queue, in order, that fit into one request. nil: none waits. The caller holds
// the lane's mutex.
func (l *lane) pack(now time.Time) (r *request, size int) {
	taken := 0
	for _, c := range l.queue {
		if c.state != callWaiting {
			taken++
			continue
		}
		if r != nil && !r.hasRoomFor(c, now, size) {
			break
		}
		taken++
		c.state = callSent
		size += len(c.operations)
		if r == nil {
			r = &request{sent: now, expires: c.expires, latest: c.expires}
		}
		r.calls = append(r.calls, c)
		r.count += c.count
		r.expires, r.latest = earlier(r.expires, c.expires), later(r.latest, c.expires)
		if c.alone {
			break
		}
	}
	l.drop(taken)
	return r, size
}

// hasRoomFor reports whether a further call may share the request. All of a request are dropped together when its
// timeout has passed, the shortest of its calls', so only calls with about as much time left share one.
func (r *request) hasRoomFor(c *call, now time.Time, size int) bool {
	if c.alone || size+len(c.operations) > packBytes || r.count+c.count > packOperations {
		return false
	}
	return later(r.latest, c.expires).Sub(now) <= 2*earlier(r.expires, c.expires).Sub(now)
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// drop removes the first n calls of the queue and keeps its memory for the next ones.
func (l *lane) drop(n int) {
	rest := copy(l.queue, l.queue[n:])
	clear(l.queue[rest:])
	l.queue = l.queue[:rest]
}
