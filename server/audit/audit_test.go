package audit

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ballastdb/ballast/internal/tlsauth"
	"github.com/ballastdb/ballast/internal/vfs"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
	"github.com/ballastdb/ballast/server/access"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, fsys vfs.FS) *Log {
	t.Helper()
	l, err := Open(fsys, "/audit")
	must(t, err)
	return l
}

func newest(t *testing.T, l *Log, limit int) []Entry {
	t.Helper()
	list, err := l.Newest(limit)
	must(t, err)
	return list
}

func recorder(l *Log) *Recorder {
	return NewRecorder(Config{
		Log: l, By: func(context.Context) string { return "operator alice" }, Clock: func() time.Time { return time.Unix(7, 0) }, Logger: hclog.NewNullLogger(),
	})
}

type serverStream struct {
	grpc.ServerStream
	ctx context.Context
}

func (s serverStream) Context() context.Context { return s.ctx }

// Every call that needs an operator leaves a line, but those that are listed here as changing nothing. A new call is one of
// these or leaves a line: whoever adds one need not think of it.
func TestEveryCallOfOperatorsLeavesALine(t *testing.T) {
	looks := map[string]bool{"GetAudit": true, "Examine": true}
	audited := 0
	for method, rule := range access.Rules() {
		l := open(t, vfs.NewMem())
		r := recorder(l)
		refused := status.Error(codes.FailedPrecondition, "not now")
		_, err := r.unary(t.Context(), &ballastv1.RemoveMemberRequest{Name: "node-7", Force: true}, &grpc.UnaryServerInfo{FullMethod: method},
			func(context.Context, any) (any, error) {
				if list := newest(t, l, 9); rule.Audited() && (len(list) != 1 || list[0].Outcome != begun) {
					t.Errorf("%s began before it was noted: %v", method, list)
				}
				return nil, refused
			})
		if !errors.Is(err, refused) {
			t.Errorf("%s: %v", method, err)
		}
		must(t, r.stream(nil, serverStream{ctx: t.Context()}, &grpc.StreamServerInfo{FullMethod: method}, func(any, grpc.ServerStream) error { return nil }))
		list := newest(t, l, 9)
		if rule.Least != tlsauth.Operator || looks[path.Base(method)] {
			if len(list) != 0 {
				t.Errorf("%s left %v", method, list)
			}
			continue
		}
		audited++
		if len(list) != 2 || list[0].Call != method || list[0].Outcome != "OK" {
			t.Fatalf("%s left %+v", method, list)
		}
		e := list[1]
		if e.By != "operator alice" || e.Outcome != "FailedPrecondition" || e.Error != "not now" || !e.Time.Equal(time.Unix(7, 0)) ||
			!strings.Contains(e.Request, "node-7") {
			t.Errorf("%s left %+v", method, e)
		}
	}
	if audited < 8 {
		t.Errorf("only %d calls are audited", audited)
	}
}

// Whatever is written, the log stays bounded, and the newest lines are there.
func TestLogIsBounded(t *testing.T) {
	m := vfs.NewMem()
	l := open(t, m)
	long := strings.Repeat("x", 5000)
	const lines = 6000
	for i := range lines {
		must(t, l.Append(Entry{ID: fmt.Sprint(i), Request: long}))
	}
	if used := m.Used(); used > (olderFiles+1)*maxFileBytes || used < olderFiles*maxFileBytes/2 {
		t.Errorf("%d bytes", used)
	}
	list := newest(t, l, MaxEntries+1)
	if len(list) != MaxEntries || list[0].ID != fmt.Sprint(lines-1) || list[999].ID != fmt.Sprint(lines-1000) {
		t.Errorf("%d entries from %s", len(list), list[0].ID)
	}
}

// What was written before a fault or a power cut is there afterwards, whole; what comes later is too.
func TestLogFaults(t *testing.T) {
	for _, fault := range []vfs.Fault{vfs.Fail, vfs.FailPersisted, vfs.PowerCut} {
		for at := range 12 {
			m := vfs.NewMem()
			l := open(t, m)
			must(t, m.SyncDir("/"))
			must(t, l.Append(Entry{ID: "before"}))
			calls := 0
			m.Inject(func(vfs.Op) vfs.Fault {
				calls++
				if calls == at+1 {
					return fault
				}
				return vfs.None
			})
			var sure []string
			for i := range 4 {
				if id := fmt.Sprint(i); l.Append(Entry{ID: id}) == nil {
					sure = append(sure, id)
				}
			}
			after := open(t, m.Crash(uint64(at))) //nolint:gosec // small
			must(t, after.Append(Entry{ID: "after"}))
			found := map[string]bool{}
			for _, e := range newest(t, after, 99) {
				found[e.ID] = true
			}
			for _, id := range append(sure, "before", "after") {
				// A failed sync loses what was not synced, also of an older call whose error was told.
				if !found[id] {
					t.Errorf("fault %v at call %d: %s is lost of %v", fault, at, id, found)
				}
			}
		}
	}
}

// A line that a crash cut short is no line, and those behind it are.
func TestTornLine(t *testing.T) {
	m := vfs.NewMem()
	l := open(t, m)
	must(t, l.Append(Entry{ID: "a"}))
	must(t, l.Append(Entry{ID: "b"}))
	f, err := m.OpenFile("/audit/"+fileName, 2, 0)
	must(t, err)
	size, err := f.Size()
	must(t, err)
	must(t, f.Truncate(size-4))
	must(t, l.Append(Entry{ID: "c"}))
	if list := newest(t, l, 9); len(list) != 2 || list[0].ID != "c" || list[1].ID != "a" {
		t.Errorf("%+v", list)
	}
}
