package systemd

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// recorder is a manager that notes what it is told.
func recorder(watchdog time.Duration) (*Manager, chan string) {
	told := make(chan string, 16)
	send := func(state string) error {
		told <- state
		return nil
	}
	return &Manager{send: send, watchdog: watchdog, logger: hclog.NewNullLogger()}, told
}

// during runs part until do has returned.
func during(t *testing.T, part func(context.Context), do func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		part(ctx)
	}()
	do()
	cancel()
	<-ended
}

func TestStartIsExtendedOnlyByProgress(t *testing.T) {
	m, told := recorder(0)
	tick, asked := make(chan time.Time), 0
	progress := []string{"loading: 1 of 9 pages", "loading: 1 of 9 pages", "loading: 2 of 9 pages"}
	next := func() string { asked++; return progress[min(asked, len(progress))-1] }
	during(t, func(ctx context.Context) { m.starting(ctx, next, tick) }, func() {
		for range 4 {
			tick <- time.Time{}
		}
	})
	close(told)
	var all []string
	for s := range told {
		all = append(all, s)
	}
	want := []string{
		"EXTEND_TIMEOUT_USEC=60000000\nSTATUS=loading: 1 of 9 pages",
		"EXTEND_TIMEOUT_USEC=60000000\nSTATUS=loading: 2 of 9 pages",
	}
	if !slices.Equal(all, want) {
		t.Fatalf("told %q, want %q", all, want)
	}
}

func TestWatchdogIsAnsweredOnlyWhileAlive(t *testing.T) {
	m, told := recorder(time.Minute)
	looks, pings := make(chan time.Time), make(chan time.Time)
	dead := errors.New("raft's loop does not answer")
	var answer error
	alive := func(context.Context) error { return answer }
	during(t, func(ctx context.Context) { m.watch(ctx, func() string { return "serves" }, alive, looks, pings) }, func() {
		pings <- time.Time{}
		looks <- time.Time{} // the ping before is over
		answer = dead
		pings <- time.Time{}
		looks <- time.Time{}
		answer = nil
		pings <- time.Time{}
		looks <- time.Time{}
	})
	close(told)
	var all []string
	for s := range told {
		all = append(all, s)
	}
	if want := []string{"STATUS=serves", "WATCHDOG=1", "WATCHDOG=1"}; !slices.Equal(all, want) {
		t.Fatalf("told %q, want %q", all, want)
	}
}

func TestStatusIsOneBoundedLine(t *testing.T) {
	if got := statusLine("a\nREADY=1\n b"); got != "STATUS=a READY=1 b" {
		t.Fatalf("%q", got)
	}
	if got := statusLine(strings.Repeat("ä", maxStatus)); len(got) > maxStatus+len("STATUS=") || !strings.HasSuffix(got, "ä") {
		t.Fatalf("%d bytes, ends %q", len(got), got[len(got)-4:])
	}
}

// TestProtocol: a real socket gets what is told.
func TestProtocol(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", "3000000")
	t.Setenv("WATCHDOG_PID", "")
	m := FromEnvironment(hclog.NewNullLogger())
	if m.watchdog != 3*time.Second {
		t.Fatalf("watchdog %v", m.watchdog)
	}
	m.Ready()
	m.Stopping()
	buf := make([]byte, 1024)
	for _, want := range []string{"READY=1", "STOPPING=1"} {
		n, err := socket.Read(buf)
		if err != nil || !strings.HasPrefix(string(buf[:n]), want) {
			t.Fatalf("%q (%v), want %q", buf[:n], err, want)
		}
	}
}

func TestNobodyListens(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	m := FromEnvironment(hclog.NewNullLogger())
	m.Starting(t.Context(), func() string { t.Error("asked"); return "" })
	m.Ready()
	m.Watch(t.Context(), nil, nil)
	m.Stopping()
}
