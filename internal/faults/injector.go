package faults

import (
	"context"
	"net"
	"slices"
	"sync"
	"time"
)

const (
	// reread is how old the injector's knowledge of the file may be.
	reread = 5 * time.Millisecond
	// poll is how often something that stalls looks whether it still must.
	poll = 5 * time.Millisecond
)

// Injector injects what a file asks for. Its methods may be called from several goroutines.
type Injector struct {
	path string

	mu      sync.Mutex
	readAt  time.Time
	current Faults
}

// NewInjector injects what the file at path asks for; no path, no faults.
func NewInjector(path string) *Injector { return &Injector{path: path} }

// Current is what the file asks for. A file that cannot be read changes nothing.
func (i *Injector) Current() Faults {
	if i.path == "" {
		return Faults{}
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if now := time.Now(); now.Sub(i.readAt) > reread {
		i.readAt = now
		if f, err := Read(i.path); err == nil {
			i.current = f
		}
	}
	return i.current
}

// Now is the host's clock with the offset.
func (i *Injector) Now() time.Time {
	now := time.Now()
	if offset := i.Current().ClockOffset; offset != 0 {
		// Without the monotonic part, as a clock that was really set.
		return now.Round(0).Add(offset)
	}
	return now
}

// DiskFree is what the disk seems to have free where free bytes are.
func (i *Injector) DiskFree(free uint64) uint64 {
	if asked := i.Current().DiskFree; asked > 0 {
		return min(free, asked)
	}
	return free
}

// BeforeLogWrite waits as long as the file asks for.
func (i *Injector) BeforeLogWrite() {
	asked := i.Current()
	for end := time.Now().Add(asked.LogStall); time.Now().Before(end); time.Sleep(poll) {
		if !i.Current().equal(asked) {
			return
		}
	}
}

// Damage calls damage with each account that the file names, until ctx ends; again where it tells that there is no such
// account yet.
func (i *Injector) Damage(ctx context.Context, damage func(account string) bool) {
	ticker := time.NewTicker(poll)
	defer ticker.Stop()
	done := ""
	for {
		if account := i.Current().DamageAccount; account == "" || account != done && damage(account) {
			done = account
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// Dial opens a TCP connection whose reads and writes stall while the file says so.
func (i *Injector) Dial(ctx context.Context, address string) (net.Conn, error) {
	stalls := func() bool {
		f := i.Current()
		return slices.Contains(f.StallWritesTo, address) || slices.Contains(f.StallReadsFrom, address)
	}
	if err := wait(stalls, ctx.Done(), ctx.Err); err != nil {
		return nil, err
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return &stallingConn{Conn: conn, injector: i, address: address, closed: make(chan struct{})}, nil
}

// wait waits while stalls says so, or until done is closed.
func wait(stalls func() bool, done <-chan struct{}, cause func() error) error {
	for stalls() {
		select {
		case <-done:
			return cause()
		case <-time.After(poll):
		}
	}
	return nil
}

type stallingConn struct {
	net.Conn
	injector  *Injector
	address   string
	closed    chan struct{}
	closeOnce sync.Once
}

func (c *stallingConn) Write(b []byte) (int, error) {
	stalls := func() bool { return slices.Contains(c.injector.Current().StallWritesTo, c.address) }
	if err := wait(stalls, c.closed, isClosed); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}

// Read stalls after the read itself, so that what was on its way when the stall began does not slip through.
func (c *stallingConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	stalls := func() bool { return slices.Contains(c.injector.Current().StallReadsFrom, c.address) }
	if stopped := wait(stalls, c.closed, isClosed); stopped != nil {
		return 0, stopped
	}
	return n, err
}

func (c *stallingConn) Close() error {
	c.closeOnce.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

func isClosed() error { return net.ErrClosed }
