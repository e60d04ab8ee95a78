// Package systemd tells the service manager how its service is: starting and making progress, ready, what it waits for,
// alive, stopping. The protocol is sd_notify(3); outside a unit of Type=notify nothing is sent.
package systemd

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/hashicorp/go-hclog"
)

const (
	// extendEvery is how often a start that makes progress asks for more time, extendBy for how much.
	extendEvery = 5 * time.Second
	extendBy    = 60 * time.Second
	// statusEvery is how often the STATUS line is looked at; it is sent when it changes.
	statusEvery = time.Second
	// maxStatus bytes of a STATUS line are sent.
	maxStatus = 512
)

// Manager is the service manager. Its methods do nothing on a nil Manager.
type Manager struct {
	send     func(state string) error
	watchdog time.Duration // within which it must hear of us; 0: it does not watch
	logger   hclog.Logger
}

// FromEnvironment is the manager that started this process; nil: none that listens.
func FromEnvironment(logger hclog.Logger) *Manager {
	if os.Getenv("NOTIFY_SOCKET") == "" {
		return nil
	}
	watchdog, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		logger.Warn("what the service manager says of its watchdog is not understood: it is not answered", "error", err)
		watchdog = 0
	}
	send := func(state string) error {
		_, err := daemon.SdNotify(false, state)
		return err
	}
	return &Manager{send: send, watchdog: watchdog, logger: logger}
}

func (m *Manager) tell(state string) {
	if err := m.send(state); err != nil {
		m.logger.Warn("the service manager was not told", "state", state, "error", err)
	}
}

// Starting asks for more time to start for as long as progress changes, and says what it is, until ctx ends. A start that
// stands still is given up by the manager within its TimeoutStartSec.
func (m *Manager) Starting(ctx context.Context, progress func() string) {
	if m == nil {
		return
	}
	m.starting(ctx, progress, time.Tick(extendEvery))
}

func (m *Manager) starting(ctx context.Context, progress func() string, tick <-chan time.Time) {
	last := ""
	for {
		if now := progress(); now != last {
			last = now
			m.tell(fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d\n%s", extendBy.Microseconds(), statusLine(now)))
		}
		select {
		case <-tick:
		case <-ctx.Done():
			return
		}
	}
}

// Ready says that the service is up: what was loaded is loaded, and it listens.
func (m *Manager) Ready() {
	if m != nil {
		m.tell(daemon.SdNotifyReady)
	}
}

// Stopping says that an orderly stop has begun.
func (m *Manager) Stopping() {
	if m != nil {
		m.tell(daemon.SdNotifyStopping + "\nSTATUS=stopping: leadership is handed over, calls in flight are answered")
	}
}

// Watch keeps the STATUS line current, and answers the watchdog as long as alive does not fail, until ctx ends. alive is
// asked three times within the manager's limit and must answer within a third of it: only then is the manager told
// nothing, and kills the process.
func (m *Manager) Watch(ctx context.Context, status func() string, alive func(context.Context) error) {
	if m == nil {
		return
	}
	var pings <-chan time.Time
	if m.watchdog > 0 {
		pings = time.Tick(m.watchdog / 3)
	}
	m.watch(ctx, status, alive, time.Tick(statusEvery), pings)
}

func (m *Manager) watch(ctx context.Context, status func() string, alive func(context.Context) error, looks, pings <-chan time.Time) {
	last := ""
	for {
		if now := status(); now != last {
			last = now
			m.tell(statusLine(now))
		}
		select {
		case <-looks:
		case <-pings:
			m.ping(ctx, alive)
		case <-ctx.Done():
			return
		}
	}
}

func (m *Manager) ping(ctx context.Context, alive func(context.Context) error) {
	limited, cancel := context.WithTimeout(ctx, m.watchdog/3)
	defer cancel()
	switch err := alive(limited); {
	case err == nil:
		m.tell(daemon.SdNotifyWatchdog)
	case ctx.Err() == nil:
		m.logger.Error("this member does not answer itself: the service manager is not told that it is alive", "error", err)
	}
}

// statusLine is a STATUS assignment: one line, bounded.
func statusLine(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > maxStatus {
		text = strings.ToValidUTF8(text[:maxStatus], "")
	}
	return "STATUS=" + text
}
