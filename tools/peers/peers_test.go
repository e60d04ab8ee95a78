package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/internal/devtools/compare"
	"github.com/ballastdb/ballast/internal/workload"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// start starts a peer with a few accounts, or skips the test where it is not installed.
func start(t *testing.T, system compare.System) {
	t.Helper()
	dir := t.TempDir()
	for _, passable := range []string{filepath.Dir(dir), dir} { // for servers that run as somebody else
		if err := os.Chmod(passable, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	err := system.Start(t.Context(), compare.Env{Dir: dir, Tell: func(line string) { t.Log(line) }})
	t.Cleanup(func() {
		if err := system.Stop(); err != nil {
			t.Error(err)
		}
	})
	if errors.Is(err, compare.ErrMissing) {
		t.Skip(err)
	}
	if err == nil {
		err = system.Prepare(t.Context(), 10)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Each target does each kind of operation, alone and several in a call, and reads what was prepared; and once two of three
// are gone, nothing is acknowledged and the set-up is not called fair.
func TestPeersKeepTheirPromise(t *testing.T) {
	for name, peer := range map[string]running{"redis": newRedis(), "etcd": newEtcd(), "postgres": newPostgres()} {
		t.Run(name, func(t *testing.T) {
			start(t, peer.system)
			if err := peer.system.Verify(t.Context()); err != nil {
				t.Fatal(err)
			}
			for _, target := range peer.system.Targets() {
				exercise(t, target)
			}
			// The first is Redis' master and PostgreSQL's primary.
			for _, process := range peer.processes.all[1:] {
				process.Kill()
				<-process.Exited()
			}
			if err := peer.system.Verify(t.Context()); err == nil {
				t.Error("two of three are gone, and the promise is said to hold")
			}
			for _, target := range peer.system.Targets() {
				ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
				if _, err := target.Submit(ctx, []*ballastv1.Operation{client.NewCredit(workload.AccountID(1), 1)}); err == nil {
					t.Errorf("%s acknowledges what nobody else has", target.Name)
				}
				cancel()
			}
		})
	}
}

type running struct {
	system    compare.System
	processes *processes
}

func newRedis() running {
	p := &redisPeer{}
	return running{p, &p.processes}
}

func newEtcd() running {
	p := &etcdPeer{}
	return running{p, &p.processes}
}

func newPostgres() running {
	p := &postgresPeer{connections: 4}
	return running{p, &p.processes}
}

func exercise(t *testing.T, target compare.Target) {
	t.Helper()
	a, b := workload.AccountID(1), workload.AccountID(2)
	for _, call := range [][]*ballastv1.Operation{
		{client.NewCredit(a, 5)},
		{client.NewDebit(a, 5)},
		{client.NewTransfer(a, b, 5)},
		{client.NewTransfer(b, a, 5), client.NewTransfer(a, b, 5), client.NewCredit(a, 1), client.NewDebit(b, 1)},
	} {
		if refused, err := target.Submit(t.Context(), call); err != nil || refused > 0 {
			t.Errorf("%s: %v: %d refused, %v", target.Name, call, refused, err)
		}
	}
	reader, ok := target.Target.(workload.Reader)
	if !ok {
		return
	}
	for _, stale := range []bool{false, true} {
		if err := reader.Read(t.Context(), []string{a}, stale); err != nil {
			t.Errorf("%s: read, stale %v: %v", target.Name, stale, err)
		}
	}
}

// Those who check the floor refuse what goes below it.
func TestFloorIsChecked(t *testing.T) {
	for name, system := range map[string]compare.System{"redis": &redisPeer{}, "etcd": &etcdPeer{}, "postgres": &postgresPeer{connections: 4}} {
		t.Run(name, func(t *testing.T) {
			start(t, system)
			for _, target := range system.Targets() {
				if target.Name == compare.RedisIncr || target.Name == compare.EtcdPut {
					continue // do not check, and say so
				}
				refused, err := target.Submit(t.Context(), []*ballastv1.Operation{client.NewDebit(workload.AccountID(1), -lowest+1)})
				if err != nil || refused != 1 {
					t.Errorf("%s: %d refused, %v; want 1", target.Name, refused, err)
				}
			}
		})
	}
}
