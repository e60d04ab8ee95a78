package logstore

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
)

// TestHungWriteEndsTheProcess: a write that does not end is told to Fatal while it hangs, once; and should it end after all,
// nothing more is written.
func TestHungWriteEndsTheProcess(t *testing.T) {
	told, hang := make(chan error, 2), make(chan struct{})
	s, err := Open(Options{
		Dir: t.TempDir(), Kind: Bolt, Logger: hclog.NewNullLogger(), Fatal: func(err error) { told <- err },
		WriteLimit: 50 * time.Millisecond, BeforeWrite: func() { <-hang },
	})
	must(t, err)
	defer s.Close()
	done := make(chan error, 1)
	go func() { done <- s.StoreLogs(entries(1, 3)) }()
	select {
	case err := <-told:
		if !strings.Contains(err.Error(), "store entries") || !strings.Contains(err.Error(), "log_write_limit") {
			t.Errorf("Fatal must be told what hangs and what bounds it; found %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Error("a write hangs, and nobody is told")
	}
	close(hang)
	if err := <-done; !errors.Is(err, errHung) {
		t.Errorf("a write that took too long: expected %v, found %v", errHung, err)
	}
	if err := s.StoreLogs(entries(1, 3)); !errors.Is(err, ErrFailed) {
		t.Errorf("after a hung write: expected %v, found %v", ErrFailed, err)
	}
	if len(told) != 0 {
		t.Errorf("Fatal was told twice: %v", <-told)
	}
}

// TestWatchdogCountsOnlyTimeInWhichItRan: what a stopped process or machine loses is one step of many, and the steps of a write
// that ended are not those of the next.
func TestWatchdogCountsOnlyTimeInWhichItRan(t *testing.T) {
	told := 0
	var d disk
	d.init(Options{Logger: hclog.NewNullLogger(), Fatal: func(error) { told++ }, WriteLimit: time.Hour, BeforeWrite: func() {}})
	for range 3 {
		_ = d.write("write", func() error {
			for range watchSteps - 1 {
				d.tick()
			}
			return nil
		})
	}
	d.tick()
	if told != 0 {
		t.Errorf("writes that ended within their limit were told %d times", told)
	}
	err := d.write("write", func() error {
		for range watchSteps + 3 {
			d.tick()
		}
		return nil
	})
	if told != 1 || !errors.Is(err, errHung) {
		t.Errorf("a write beyond its limit was told %d times, want once; it said %v", told, err)
	}
}
