package node

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
)

// Connections above the limit are closed, and one that ends makes room for one more, once.
func TestConnectionsAreBounded(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	l := &limited{Listener: inner, most: 2, logger: hclog.NewNullLogger()}
	accepted := make(chan net.Conn, 8)
	ended := make(chan error, 1)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				ended <- err
				return
			}
			accepted <- conn
		}
	}()
	dial := func() net.Conn {
		conn, err := net.Dial("tcp", inner.Addr().String())
		must(t, err)
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	closed := func(conn net.Conn) {
		t.Helper()
		must(t, conn.SetReadDeadline(time.Now().Add(20*time.Second)))
		if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Fatalf("one connection too many: %v, want the end", err)
		}
	}
	dial()
	dial()
	first, second := <-accepted, <-accepted
	closed(dial())
	must(t, first.Close())
	if err := first.Close(); err == nil {
		t.Fatal("closed twice")
	}
	dial()
	third := <-accepted
	closed(dial())
	must(t, inner.Close())
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Fatal(err)
	}
	must(t, errors.Join(second.Close(), third.Close()))
}
