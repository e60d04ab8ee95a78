package faults

import (
	"context"
	"io"
	"net"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestClockFollowsTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "faults")
	i := NewInjector(path)
	if off := time.Until(i.Now()); off.Abs() > time.Minute {
		t.Fatalf("without a file the clock is off by %v", off)
	}
	if err := Write(path, Faults{ClockOffset: time.Hour}); err != nil {
		t.Fatal(err)
	}
	for time.Until(i.Now()) < 30*time.Minute {
		time.Sleep(poll)
	}
}

func TestConnectionStallsUntilHealedOrClosed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "faults")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	address := listener.Addr().String()
	i := NewInjector(path)
	conn, err := i.Dial(context.Background(), address)
	if err != nil {
		t.Fatal(err)
	}
	peer, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()

	stall(t, i, path, Faults{StallWritesTo: []string{address}, StallReadsFrom: []string{address}})
	wrote := make(chan error, 1)
	go func() { _, err := conn.Write([]byte("ping")); wrote <- err }()
	if err := peer.SetReadDeadline(time.Now().Add(20 * poll)); err != nil {
		t.Fatal(err)
	}
	if n, err := peer.Read(make([]byte, 4)); err == nil {
		t.Fatalf("%d bytes passed a stalled connection", n)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*poll)
	defer cancel()
	if c, err := i.Dial(ctx, address); err == nil {
		c.Close()
		t.Fatal("a stalled address was reached")
	}

	stall(t, i, path, Faults{StallReadsFrom: []string{address}})
	if err := <-wrote; err != nil {
		t.Fatal(err)
	}
	if err := peer.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(peer, make([]byte, 4)); err != nil {
		t.Fatal(err)
	}
	if _, err := peer.Write([]byte("pong")); err != nil {
		t.Fatal(err)
	}
	read := make(chan error, 1)
	go func() { _, err := conn.Read(make([]byte, 4)); read <- err }()
	conn.Close()
	if err := <-read; err == nil {
		t.Fatal("a stalled read ended well after close")
	}
}

// stall writes the file and waits until the injector knows it.
func stall(t *testing.T, i *Injector, path string, f Faults) {
	t.Helper()
	if err := Write(path, f); err != nil {
		t.Fatal(err)
	}
	for !i.Current().equal(f) {
		time.Sleep(poll)
	}
}
