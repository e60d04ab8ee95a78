package network

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// Members is the network between the members: each is reached by the others at an address of ours. Who dials is told by
// the process that owns the other end of the connection.
type Members struct {
	pids      func() []int // of the members, by number; 0: not running
	listeners []net.Listener
	targets   []string
	gates     [][]*gate // gates[from][to]

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu    sync.Mutex
	conns map[*pipe]struct{}
}

// pipe is one connection through us.
type pipe struct {
	from, to       int
	dialer, target net.Conn
}

func (p *pipe) close() {
	_ = p.dialer.Close()
	_ = p.target.Close()
}

// NewMembers makes the network of n members and listens for each. pids tells which processes they are at present.
func NewMembers(n int, pids func() []int) (*Members, error) {
	m := &Members{pids: pids, targets: make([]string, n), conns: map[*pipe]struct{}{}}
	m.ctx, m.cancel = context.WithCancel(context.Background())
	for range n {
		row := make([]*gate, n)
		for i := range row {
			row[i] = newGate()
		}
		m.gates = append(m.gates, row)
	}
	for range n {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			m.Close()
			return nil, fmt.Errorf("a proxy for member traffic: %w", err)
		}
		m.listeners = append(m.listeners, listener)
	}
	return m, nil
}

// Address is where the others reach member i: what it must advertise.
func (m *Members) Address(i int) string { return m.listeners[i].Addr().String() }

// Serve begins to pass connections on to where the members really listen.
func (m *Members) Serve(targets []string) {
	copy(m.targets, targets)
	for to, listener := range m.listeners {
		m.wg.Go(func() { m.accept(to, listener) })
	}
}

// Close ends all connections and waits for what serves them.
func (m *Members) Close() {
	m.cancel()
	for _, listener := range m.listeners {
		_ = listener.Close()
	}
	m.reset(func(*pipe) bool { return true })
	m.wg.Wait()
}

// Cut holds what from sends to to. What was sent meanwhile arrives after Heal.
func (m *Members) Cut(from, to int) { m.gates[from][to].close() }

// Heal ends all cuts. With reset the connections that were cut are broken, and what they held is lost.
func (m *Members) Heal(reset bool) {
	if reset {
		m.reset(func(p *pipe) bool { return m.gates[p.from][p.to].shut || m.gates[p.to][p.from].shut })
	}
	for _, row := range m.gates {
		for _, g := range row {
			g.open()
		}
	}
}

func (m *Members) reset(which func(*pipe) bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for p := range m.conns {
		if which(p) {
			p.close()
		}
	}
}

func (m *Members) accept(to int, listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		m.wg.Go(func() { m.connect(to, conn) })
	}
}

// connect passes one connection on until either side ends it.
func (m *Members) connect(to int, dialer net.Conn) {
	from, err := owner(dialer, m.pids())
	if err != nil { // the process has gone already
		_ = dialer.Close()
		return
	}
	target, err := (&net.Dialer{Timeout: time.Second}).DialContext(m.ctx, "tcp", m.targets[to])
	if err != nil {
		_ = dialer.Close()
		return
	}
	p := &pipe{from: from, to: to, dialer: dialer, target: target}
	m.mu.Lock()
	m.conns[p] = struct{}{}
	m.mu.Unlock()
	if m.ctx.Err() != nil {
		p.close()
	}
	var both sync.WaitGroup
	both.Go(func() { m.pump(p, p.dialer, p.target, m.gates[from][to]) })
	both.Go(func() { m.pump(p, p.target, p.dialer, m.gates[to][from]) })
	both.Wait()
	m.mu.Lock()
	delete(m.conns, p)
	m.mu.Unlock()
}

// pump copies one direction; bytes wait at the gate.
func (m *Members) pump(p *pipe, from, to net.Conn, g *gate) {
	defer p.close()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			if g.wait(m.ctx) != nil {
				return
			}
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			if errors.Is(err, io.EOF) { // the end of a connection does not pass a cut either
				_ = g.wait(m.ctx)
			}
			return
		}
	}
}
