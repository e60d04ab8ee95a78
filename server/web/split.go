package web

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

// helloTimeout bounds the wait for the first bytes of a connection, as gRPC bounds its handshake.
const helloTimeout = 10 * time.Second

// Splitter divides the connections of one address between gRPC and HTTP/1 by what the caller says first. Without TLS that
// is HTTP/2's preface or another request; with TLS the protocols that its hello offers: gRPC's clients offer h2 alone, all
// others http/1.1 too, or nothing.
type Splitter struct {
	from   net.Listener
	tls    bool
	logger hclog.Logger

	grpc, http *half
	ended      context.Context
	end        context.CancelFunc
	running    sync.WaitGroup
}

// Split starts to divide what from accepts, until Close. tls: connections are secured; a caller that does not speak TLS
// goes to gRPC's side then, which refuses with a reason.
func Split(from net.Listener, tls bool, logger hclog.Logger) *Splitter {
	s := &Splitter{from: from, tls: tls, logger: logger}
	s.ended, s.end = context.WithCancel(context.Background())
	s.grpc, s.http = s.half(), s.half()
	s.running.Go(s.accept)
	return s
}

// GRPC is the side for a gRPC server.
func (s *Splitter) GRPC() net.Listener { return s.grpc }

// HTTP is the side for an HTTP server.
func (s *Splitter) HTTP() net.Listener { return s.http }

// Close ends both sides and the address, and waits. Connections that were handed over go on.
func (s *Splitter) Close() error {
	s.end()
	err := s.from.Close()
	s.running.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

func (s *Splitter) accept() {
	defer s.end()
	for {
		conn, err := s.from.Accept()
		if err != nil {
			var passing net.Error
			if s.ended.Err() == nil && errors.As(err, &passing) && passing.Timeout() {
				continue
			}
			if s.ended.Err() == nil {
				s.logger.Error("the operator address accepts no more connections", "error", err)
			}
			return
		}
		s.running.Go(func() { s.hand(conn) })
	}
}

// hand looks at a connection and gives it to its side.
func (s *Splitter) hand(conn net.Conn) {
	stop := context.AfterFunc(s.ended, func() { _ = conn.Close() })
	heard := &replay{Conn: conn}
	side, err := s.listen(heard)
	if !stop() || err != nil {
		_ = conn.Close() // it said nothing that anybody could answer
		return
	}
	select {
	case side.conns <- heard:
	case <-side.closed.Done():
		_ = conn.Close()
	}
}

// listen hears a caller's first bytes.
func (s *Splitter) listen(conn *replay) (*half, error) {
	if err := conn.SetReadDeadline(time.Now().Add(helloTimeout)); err != nil {
		return nil, err
	}
	side, err := s.choose(conn)
	return side, errors.Join(err, conn.SetReadDeadline(time.Time{}))
}

const (
	tlsRecord  = 0x16 // first byte of a TLS hello
	http2Start = "PR" // of HTTP/2's preface, and of no method of HTTP/1 that is served here
)

func (s *Splitter) choose(conn *replay) (*half, error) {
	first, err := conn.peek(len(http2Start))
	switch {
	case err != nil:
		return nil, err
	case first[0] == tlsRecord && s.tls && !onlyHTTP2(conn):
		return s.http, nil
	case first[0] == tlsRecord || s.tls || string(first) == http2Start:
		return s.grpc, nil
	}
	return s.http, nil
}

var errHeard = errors.New("heard enough")

// onlyHTTP2 reads a TLS hello and tells whether it offers HTTP/2 and no other HTTP. One that cannot be read is gRPC's to
// refuse.
func onlyHTTP2(conn *replay) bool {
	answer := true
	conn.recording = true
	config := &tls.Config{GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		answer = slices.Contains(hello.SupportedProtos, "h2") && !slices.Contains(hello.SupportedProtos, "http/1.1")
		return nil, errHeard
	}}
	_ = tls.Server(deaf{conn}, config).Handshake() // ends with errHeard, or with what the real handshake will find too
	conn.rewind()
	return answer
}

// replay is a connection whose first bytes can be read twice.
type replay struct {
	net.Conn
	unread    []byte // what was heard and comes again
	recording bool
	heard     []byte // while recording
}

// Read implements net.Conn.
func (r *replay) Read(b []byte) (n int, err error) {
	if len(r.unread) > 0 {
		n = copy(b, r.unread)
		r.unread = r.unread[n:]
	} else {
		n, err = r.Conn.Read(b)
	}
	if r.recording {
		r.heard = append(r.heard, b[:n]...)
	}
	return n, err
}

// peek is the first n bytes, which stay to be read.
func (r *replay) peek(n int) ([]byte, error) {
	b := make([]byte, n)
	if _, err := io.ReadFull(r.Conn, b); err != nil {
		return nil, err
	}
	r.unread = b
	return b, nil
}

// rewind has everything that was heard while recording read again.
func (r *replay) rewind() {
	r.unread = append(r.heard, r.unread...)
	r.recording, r.heard = false, nil
}

// deaf is a connection that nothing is said on: a hello is read without an answer.
type deaf struct{ *replay }

// Write implements net.Conn.
func (deaf) Write(b []byte) (int, error) { return len(b), nil }

// half is one side's listener.
type half struct {
	conns   chan net.Conn
	address net.Addr
	closed  context.Context
	close   context.CancelFunc
}

func (s *Splitter) half() *half {
	h := &half{conns: make(chan net.Conn), address: s.from.Addr()}
	h.closed, h.close = context.WithCancel(s.ended)
	return h
}

// Accept implements net.Listener.
func (h *half) Accept() (net.Conn, error) {
	select {
	case conn := <-h.conns:
		return conn, nil
	case <-h.closed.Done():
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener: this side alone.
func (h *half) Close() error {
	h.close()
	return nil
}

// Addr implements net.Listener.
func (h *half) Addr() net.Addr { return h.address }
