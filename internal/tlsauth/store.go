package tlsauth

import (
	"crypto/x509"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Store holds the certificates in use. It may be used by many goroutines; connections that are made after a Reload use
// the new ones, and those that are there go on as they are.
type Store struct {
	files Files
	now   func() time.Time

	reloading sync.Mutex
	current   atomic.Pointer[bundle]
}

// Open reads the files and checks that they fit each other and are in force. now is the clock by which certificates end;
// nil: time.Now.
func Open(files Files, now func() time.Time) (*Store, error) {
	if now == nil {
		now = time.Now
	}
	s := &Store{files: files, now: now}
	b, err := load(files, now())
	if err != nil {
		return nil, fmt.Errorf("TLS: %w", err)
	}
	s.current.Store(b)
	return s, nil
}

// Identity is who our own certificate is for. It never changes.
func (s *Store) Identity() Identity { return s.current.Load().identity }

// Certificate is our own certificate in use.
func (s *Store) Certificate() *x509.Certificate { return s.current.Load().own.Leaf }

// Reload reads the files again. On an error what was in use stays in use. changed tells whether there was anything new.
func (s *Store) Reload() (changed bool, err error) {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	before := s.current.Load()
	b, err := load(s.files, s.now())
	if err != nil {
		return false, fmt.Errorf("the certificates in use stay in use: %w", err)
	}
	if b.identity != before.identity {
		return false, fmt.Errorf("the certificates in use stay in use: %s: expected %s, as when this process started, found %s",
			s.files.Certificate, before.identity.URI(), b.identity.URI())
	}
	s.current.Store(b)
	return !b.same(before), nil
}
