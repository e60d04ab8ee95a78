package audit

import (
	"os"
	"testing"
	"time"

	"github.com/ballastdb/ballast/internal/vfs"
)

// Whatever is in the file, it can be read within the bounds, and what is written behind it is what is read first.
func FuzzLog(f *testing.F) {
	f.Add([]byte(`{"id":"1","time":"2026-01-01T00:00:00Z","call":"/x","outcome":"begun"}`+"\n"), uint16(1))
	f.Add([]byte(`{"id":"1","outcome":"begun"}`+"\n"+`{"id":"1","outcome":"OK"}`+"\n"+`{"id":"2","outc`), uint16(9))
	f.Add([]byte("\n\nnull\n[]\n\"\"\n{}\n"), uint16(2000))
	f.Fuzz(func(t *testing.T, data []byte, limit uint16) {
		disk := vfs.NewMem()
		l := open(t, disk)
		file, err := disk.OpenFile(l.path(0), os.O_RDWR|os.O_CREATE, 0o600)
		must(t, err)
		_, err = file.Write(data)
		must(t, err)
		before := newest(t, l, int(limit))
		if len(before) > max(int(limit), 1) || len(before) > MaxEntries {
			t.Fatalf("%d entries where %d were asked for", len(before), limit)
		}
		e := Entry{ID: "new one", Time: time.Unix(7, 0).UTC(), By: "operator alice", Call: "/call", Outcome: "OK"}
		must(t, l.Append(e))
		after := newest(t, l, MaxEntries)
		if after[0] != e {
			t.Fatalf("behind %q: read %+v", data, after[0])
		}
	})
}
