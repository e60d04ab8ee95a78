package tlsauth

import (
	"crypto/x509"
	"fmt"
	"slices"
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

// Authorities are the certificates of the authorities that are believed.
func (s *Store) Authorities() []*x509.Certificate {
	return slices.Clone(s.current.Load().authorities)
}

// OnDisk tells what a Reload would do now, and does nothing: whether it would change anything, or why it would be refused.
func (s *Store) OnDisk() (changed bool, err error) {
	b, err := s.next()
	if err != nil {
		return false, err
	}
	return !b.same(s.current.Load()), nil
}

// Reload reads the files again. On an error what was in use stays in use. changed tells whether there was anything new.
func (s *Store) Reload() (changed bool, err error) {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	b, err := s.next()
	if err != nil {
		return false, fmt.Errorf("the certificates in use stay in use: %w", err)
	}
	changed = !b.same(s.current.Load())
	s.current.Store(b)
	return changed, nil
}

// next reads what may follow the certificates in use.
func (s *Store) next() (*bundle, error) {
	b, err := load(s.files, s.now())
	if err != nil {
		return nil, err
	}
	if is := s.Identity(); b.identity != is {
		return nil, fmt.Errorf("%s: expected %s, as when this process started, found %s", s.files.Certificate, is.URI(), b.identity.URI())
	}
	return b, nil
}
