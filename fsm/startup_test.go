package fsm

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/ballastdb/ballast/internal/vfs"
)

// TestStartTellsHowFarItIs, and not more often than every few seconds.
func TestStartTellsHowFarItIs(t *testing.T) {
	log := newScript(5).grow(100).logs
	disk := newDurableDisk(t)
	d, err := openDurable(t, disk)
	must(t, err)
	d.ApplyBatch(log[:40])
	must(t, d.take())

	var said bytes.Buffer
	clock := time.Unix(1_785_000_000, 0)
	f, err := Open(Config{
		Dir: "/", FS: disk.Crash(1), Fatal: func(err error) { t.Error(err) },
		Logger: hclog.New(&hclog.LoggerOptions{Output: &said}),
	})
	must(t, err)
	defer func() { must(t, f.Close()) }()
	f.now = func() time.Time { clock = clock.Add(time.Second); return clock }
	f.ExpectReplay(log[len(log)-1].Index)
	list, err := d.raft.List()
	must(t, err)
	_, r, err := d.raft.Open(list[0].ID)
	must(t, err)
	must(t, f.Restore(r))
	must(t, r.Close())
	for i := range log[40:] {
		f.ApplyBatch(log[40+i : 41+i])
	}
	for _, c := range []struct {
		message string
		least   int
	}{
		{"applying the log again: done=", 10}, {"the log is applied again", 1},
	} {
		if n := strings.Count(said.String(), c.message); n < c.least || n > 40 {
			t.Errorf("%d times %q in\n%s", n, c.message, said.String())
		}
	}
	if lines := strings.Count(said.String(), "again: done="); lines > (len(log)-40)/3+1 {
		t.Errorf("%d lines for %d seconds", lines, len(log)-40)
	}

	said.Reset()
	quick := openOn(t, vfs.NewMem())
	quick.logger = hclog.New(&hclog.LoggerOptions{Output: &said})
	quick.ExpectReplay(log[len(log)-1].Index)
	quick.ApplyBatch(log)
	if n := strings.Count(said.String(), "\n"); n != 1 {
		t.Errorf("a quick start has %d lines:\n%s", n, said.String())
	}
}
