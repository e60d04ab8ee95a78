//go:build lab

package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/internal/testcluster"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// patience bounds every wait for something that will happen.
const patience = 3 * time.Minute

// lab is hosts on a network, and a workstation: a directory with the package's programs on its PATH.
type lab struct {
	t           *testing.T
	hosts       []*host
	workstation string
	packages    string
	programs    string
}

// open boots three hosts with nothing on them.
func open(t *testing.T) *lab {
	t.Helper()
	if why := os.Getenv(missingVariable); why != "" {
		t.Skip("this machine cannot run a lab: " + why)
	}
	run := os.Getenv(runVariable)
	l := &lab{t: t, workstation: t.TempDir(), packages: filepath.Join(run, packageDir), programs: filepath.Join(run, programDir, "usr/bin")}
	must(t, openBridge())
	t.Cleanup(func() { must(t, closeBridge()) })
	for number := 1; number <= 3; number++ {
		h, err := newHost(run, number)
		t.Cleanup(func() {
			if t.Failed() {
				l.tell(h)
			}
			if err := h.remove(); err != nil {
				t.Error(err)
			}
		})
		must(t, err)
		l.hosts = append(l.hosts, h)
	}
	l.boot(l.hosts...)
	return l
}

// tell logs what a host has to say about a failure.
func (l *lab) tell(h *host) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if h.nspawn == nil {
		l.t.Logf("%s is off; its console ends\n%s", h.name, h.console())
		return
	}
	out, _ := h.run(ctx, "systemctl --no-pager status ballastd || true; journalctl --no-pager -n 40 -u ballastd || true")
	l.t.Logf("%s:\n%s", h.name, out)
}

func (l *lab) boot(hosts ...*host) {
	l.t.Helper()
	for _, h := range hosts {
		must(l.t, h.boot(l.ctx()))
	}
}

// ctx is a context for one wait.
func (l *lab) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	l.t.Cleanup(cancel)
	return ctx
}

// on runs a script on a host.
func (l *lab) on(h *host, script string, args ...any) string {
	l.t.Helper()
	out, err := h.run(l.ctx(), fmt.Sprintf(script, args...))
	must(l.t, err)
	return out
}

// until waits for a condition.
func (l *lab) until(what string, holds func(context.Context) error) {
	l.t.Helper()
	must(l.t, testcluster.Until(l.ctx(), what, holds))
}

// says waits until what a script prints on a host has a text in it.
func (l *lab) says(h *host, script, want string) {
	l.t.Helper()
	l.until(fmt.Sprintf("%s says %q to %s", h.name, want, script), func(ctx context.Context) error {
		out, err := h.run(ctx, script)
		if err == nil && !strings.Contains(out, want) {
			err = fmt.Errorf("it says %q", out)
		}
		return err
	})
}

// credentials are the files that the page makes for its reader.
func (l *lab) credentials() (ca, cert, key string) {
	file := func(name string) string { return filepath.Join(l.workstation, "plan/operator", name) }
	return file("ca.crt"), file("operator.crt"), file("operator.key")
}

// connect is a client with the certificate that the page makes for its reader.
func (l *lab) connect() *client.Client {
	l.t.Helper()
	ca, cert, key := l.credentials()
	var endpoints []string
	for _, h := range l.hosts {
		endpoints = append(endpoints, h.address+":7401")
	}
	c, err := client.New(endpoints, client.WithTLS(ca, cert, key))
	must(l.t, err)
	l.t.Cleanup(func() {
		if err := c.Close(); err != nil {
			l.t.Error(err)
		}
	})
	return c
}

// leader is the host whose member leads, as soon as all members that are listed in up follow it and have what it has.
func (l *lab) leader(c *client.Client, up ...*host) (leader *host) {
	l.t.Helper()
	l.until("all follow one leader and have caught up", func(ctx context.Context) error {
		var first *ballastv1.StatusResponse
		for _, h := range up {
			once, cancel := context.WithTimeout(ctx, 2*time.Second)
			s, err := c.Operator().Status(once, h.address+":7421")
			cancel()
			if err != nil {
				return err
			}
			if first == nil {
				first = s
			}
			if s.Leader == "" || s.Leader != first.Leader || s.Term != first.Term || s.AppliedIndex < first.AppliedIndex {
				return fmt.Errorf("%s: leader %q, term %d, applied %d; %s: leader %q, term %d, applied %d", first.Name, first.Leader, first.Term,
					first.AppliedIndex, s.Name, s.Leader, s.Term, s.AppliedIndex)
			}
		}
		leader = l.named(first.Leader)
		if leader == nil {
			return errors.New("no such host: " + first.Leader)
		}
		return nil
	})
	return leader
}

func (l *lab) named(name string) *host {
	for _, h := range l.hosts {
		if h.name == name {
			return h
		}
	}
	return nil
}

// but are all hosts but one.
func (l *lab) but(one *host) (others []*host) {
	for _, h := range l.hosts {
		if h != one {
			others = append(others, h)
		}
	}
	return others
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
