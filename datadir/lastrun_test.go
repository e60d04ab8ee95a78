package datadir

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"
)

func TestGoldenLastRun(t *testing.T) {
	run := LastRun{At: time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC), Config: map[string]string{"log_level": "info", "data_dir": "/d"}}
	want := `ballast lastrun 1
{"at":"2024-05-06T07:08:09Z","config":{"data_dir":"/d","log_level":"info"}}
`
	got, err := encodeLastRun(run)
	must(t, err)
	if string(got[:len(want)]) != want {
		t.Fatalf("got\n%s\nwant\n%s", got, want)
	}
	if back, err := decodeLastRun(got); err != nil || !reflect.DeepEqual(back, run) {
		t.Fatalf("decoded %+v, %v", back, err)
	}
}

// The last run is kept over openings, and neither its absence nor its damage keeps a member from starting.
func TestLastRunIsKeptAndNotNeeded(t *testing.T) {
	dir := mustInit(t)
	if r, err := ReadLastRun(dir); err != nil || !r.At.IsZero() {
		t.Fatalf("before the first run: %+v, %v", r, err)
	}
	d, err := Open(dir)
	must(t, err)
	run := LastRun{At: time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC), Config: map[string]string{"a": "b"}}
	must(t, d.WriteLastRun(run))
	must(t, d.Close())
	d, err = Open(dir)
	must(t, err)
	if r, err := ReadLastRun(dir); err != nil || !reflect.DeepEqual(r, run) {
		t.Fatalf("read back %+v, %v", r, err)
	}
	must(t, d.Close())
	must(t, os.WriteFile(filepath.Join(dir, lastRunName), []byte("damaged"), fileMode))
	if _, err := ReadLastRun(dir); err == nil {
		t.Error("a damaged record was read")
	}
	d, err = Open(dir)
	must(t, err)
	must(t, d.WriteLastRun(run))
	must(t, d.Close())
}
