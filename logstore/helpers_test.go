package logstore

import (
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// eachKind runs a test for each kind of log.
func eachKind(t *testing.T, test func(t *testing.T, kind Kind)) {
	t.Helper()
	for _, kind := range Kinds() {
		t.Run(string(kind), func(t *testing.T) { test(t, kind) })
	}
}

// openTest opens a store on real files whose failures fail the test.
func openTest(t *testing.T, dir string, kind Kind) *Store {
	t.Helper()
	store, err := Open(Options{Dir: dir, Kind: kind, Logger: hclog.NewNullLogger(), Fatal: func(err error) { t.Errorf("fatal: %v", err) }})
	must(t, err)
	return store
}

// reopen closes a store and opens it again.
func reopen(t *testing.T, s *Store, dir string) *Store {
	t.Helper()
	must(t, s.Close())
	return openTest(t, dir, s.Kind())
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func entries(low, high uint64) []*raft.Log { return entriesOf(1, low, high) }

func entriesOf(term, low, high uint64) []*raft.Log {
	var logs []*raft.Log
	for i := low; i <= high; i++ {
		logs = append(logs, &raft.Log{Index: i, Term: term, Data: []byte{byte(i)}, AppendedAt: time.Unix(1000, 0)})
	}
	return logs
}

// requireBounds compares the log's ends.
func requireBounds(t *testing.T, s *Store, first, last uint64) {
	t.Helper()
	foundFirst, err := s.FirstIndex()
	must(t, err)
	foundLast, err := s.LastIndex()
	must(t, err)
	if foundFirst != first || foundLast != last {
		t.Fatalf("expected the log %d to %d, found %d to %d", first, last, foundFirst, foundLast)
	}
}

// hooks are fixed answers.
func hooks(applied, index, term uint64) Hooks {
	return Hooks{Applied: func() uint64 { return applied }, Snapshot: func() (uint64, uint64) { return index, term }}
}

// settled runs the store's own work to its end, at a time.
func settled(t *testing.T, s *Store, now time.Time) {
	t.Helper()
	for _, step := range []func() (bool, error){s.sweep, func() (bool, error) { return s.trimStep(now) }} {
		for more := true; more; {
			var err error
			more, err = step()
			must(t, err)
		}
	}
}
