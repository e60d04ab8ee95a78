package node

import (
	"net"
	"sync"

	"github.com/hashicorp/go-hclog"
)

const (
	// callerConnections bounds the connections at the same time on the client and on the operator address.
	callerConnections = 4096
	// memberConnections bounds those on the member address: every other member has three.
	memberConnections = 256
)

// limited is a listener with a bounded number of connections. One too many is closed at once: a caller that is told
// nothing would wait, and each costs memory before it has proven anything.
type limited struct {
	net.Listener
	most   int
	logger hclog.Logger

	mu   sync.Mutex
	open int
	full bool // the limit was told, and there was no room since
}

// Accept is net.Listener's.
func (l *limited) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if l.enter() {
			return &counted{Conn: conn, leave: sync.OnceFunc(l.leave)}, nil
		}
		_ = conn.Close() // nothing was said on it
	}
}

// enter counts a connection; false: there is no room.
func (l *limited) enter() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open < l.most {
		l.open++
		l.full = false
		return true
	}
	if !l.full {
		l.logger.Warn("too many connections: further ones are closed", "limit", l.most)
		l.full = true
	}
	return false
}

func (l *limited) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open--
}

// counted is a connection that makes room when it is closed.
type counted struct {
	net.Conn
	leave func()
}

// Close is net.Conn's.
func (c *counted) Close() error {
	c.leave()
	return c.Conn.Close()
}
