package tlsauth_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ballastdb/ballast/internal/tlsauth"
)

func TestOpenRefuses(t *testing.T) {
	i := newIssuer(t)
	good := i.issue(tlsauth.Member, "node-1", time.Now())
	other := i.issue(tlsauth.Member, "node-2", time.Now())
	stranger := newIssuer(t).issue(tlsauth.Member, "node-1", time.Now())
	with := func(change func(*tlsauth.Files)) tlsauth.Files {
		f := good
		change(&f)
		return f
	}
	tests := []struct {
		name  string
		files tlsauth.Files
		says  string
	}{
		{"missing certificate", with(func(f *tlsauth.Files) { f.Certificate = "/nonexistent" }), "no such file"},
		{"another's key", with(func(f *tlsauth.Files) { f.Key = other.Key }), "a certificate and its key"},
		{"key for all to read", with(func(f *tlsauth.Files) { f.Key = i.copyOf(f.Key, 0o644) }), "expected mode 0600"},
		{"key for the group to write", with(func(f *tlsauth.Files) { f.Key = i.copyOf(f.Key, 0o660) }), "expected mode 0600"},
		{"another authority", with(func(f *tlsauth.Files) { f.CA = stranger.CA }), "authority that is not in the CA file"},
		{"no authority", with(func(f *tlsauth.Files) { f.CA = good.Certificate }), "authorities only"},
		{"a key as authority", with(func(f *tlsauth.Files) { f.CA = good.Key }), "found a PRIVATE KEY"},
		{"nothing as authority", with(func(f *tlsauth.Files) { f.CA = os.DevNull }), "found none"},
		{"expired", i.issue(tlsauth.Member, "node-1", time.Now().Add(-48*time.Hour)), "expired on"},
		{"not yet in force", i.issue(tlsauth.Member, "node-1", time.Now().Add(48*time.Hour)), "in force only from"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := tlsauth.Open(tt.files, nil); err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Fatalf("got %v, want an error that says %q", err, tt.says)
			}
		})
	}
	if _, err := tlsauth.Open(with(func(f *tlsauth.Files) { f.Key = i.copyOf(f.Key, 0o640) }), nil); err != nil {
		t.Fatalf("a key that the group may read: %v", err)
	}
}

func TestReloadKeepsWhatIsGood(t *testing.T) {
	i := newIssuer(t)
	files := i.issue(tlsauth.Member, "node-1", time.Now())
	s := i.open(files)
	first := s.Certificate()
	if changed, err := s.Reload(); changed || err != nil {
		t.Fatalf("the same files: %v, %v", changed, err)
	}

	replace := func(path, by string) {
		data, err := os.ReadFile(by)
		i.must(err)
		i.must(os.WriteFile(path, data, 0o600))
	}
	refuse := func(says string) {
		t.Helper()
		changed, err := s.Reload()
		if changed || err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "stay in use") {
			t.Fatalf("got %v, %v, want an error that says %q", changed, err, says)
		}
		if changed, err := s.OnDisk(); changed || err == nil || !strings.Contains(err.Error(), says) {
			t.Fatalf("on the disk: %v, %v, want an error that says %q", changed, err, says)
		}
		if !s.Certificate().Equal(first) {
			t.Fatal("the certificate in use was replaced by a bad one")
		}
	}
	other := i.issue(tlsauth.Member, "node-2", time.Now())
	replace(files.Certificate, other.Certificate)
	refuse("a certificate and its key")
	replace(files.Key, other.Key)
	refuse("expected ballast://" + i.cluster.String() + "/member/node-1")
	i.must(os.WriteFile(files.Certificate, nil, 0o600))
	refuse("certificate")

	renewed := i.issue(tlsauth.Member, "node-1", time.Now())
	replace(files.Certificate, renewed.Certificate)
	replace(files.Key, renewed.Key)
	if changed, err := s.OnDisk(); !changed || err != nil || !s.Certificate().Equal(first) || len(s.Authorities()) != 1 {
		t.Fatalf("a renewed certificate on the disk: %v, %v", changed, err)
	}
	if changed, err := s.Reload(); !changed || err != nil || s.Certificate().Equal(first) {
		t.Fatalf("a renewed certificate: %v, %v", changed, err)
	}
}
