package network

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// echo answers each line with itself.
func echo(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			lines := bufio.NewReader(conn)
			for {
				line, err := lines.ReadString('\n')
				if err != nil {
					break
				}
				fmt.Fprint(conn, line)
			}
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() { _ = listener.Close(); <-done })
	return listener.Addr().String()
}

func TestCutsHoldAndHealDelivers(t *testing.T) {
	t.Cleanup(func() { goleak.VerifyNone(t) })
	target := echo(t)
	self := os.Getpid()
	m, err := NewMembers(2, func() []int { return []int{self, 0} }) // this process is member 0, the echo member 1
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	m.Serve([]string{target, target})

	for _, c := range []struct{ from, to int }{{0, 1}, {1, 0}} {
		conn, err := net.Dial("tcp", m.Address(1))
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewReader(conn)
		say := func(text string) { fmt.Fprintln(conn, text) }
		hear := func(want string) {
			t.Helper()
			_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
			if line, err := lines.ReadString('\n'); err != nil || line != want+"\n" {
				t.Fatalf("cut %d to %d: heard %q, %v; wanted %q", c.from, c.to, line, err, want)
			}
		}
		say("before")
		hear("before")
		m.Cut(c.from, c.to)
		say("during")
		_ = conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		if line, err := lines.ReadString('\n'); err == nil {
			t.Fatalf("heard %q through the cut from %d to %d", line, c.from, c.to)
		}
		m.Heal(false)
		hear("during")
		m.Cut(c.from, c.to)
		m.Heal(true)
		_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		if _, err := lines.ReadString('\n'); err == nil {
			t.Fatal("the connection survived a reset")
		}
		_ = conn.Close()
	}
}

func TestConnectionsOfStrangersAreClosed(t *testing.T) {
	m, err := NewMembers(2, func() []int { return []int{0, 0} })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	m.Serve([]string{echo(t), echo(t)})
	conn, err := net.Dial("tcp", m.Address(1))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := conn.Read(make([]byte, 1)); err == nil {
		t.Fatal("passed on, though no member dialled")
	}
}
