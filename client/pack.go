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
			r = &request{sent: now, expires: c.expires}
		}
		r.calls = append(r.calls, c)
		r.count += c.count
		if c.expires.Before(r.expires) {
			r.expires = c.expires
		}
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
	shorter, longer := r.expires.Sub(now), c.expires.Sub(now)
	if longer < shorter {
		shorter, longer = longer, shorter
	}
	return longer <= 2*shorter
}

// drop removes the first n calls of the queue and keeps its memory for the next ones.
func (l *lane) drop(n int) {
	rest := copy(l.queue, l.queue[n:])
	clear(l.queue[rest:])
	l.queue = l.queue[:rest]
}
