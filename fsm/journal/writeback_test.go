package journal

import (
	"errors"
	"fmt"
	"syscall"
	"testing"

	"github.com/ballastdb/ballast/internal/vfs"
)

// TestWriteBackLeavesLessThanAPiece to Sync in each segment, whatever the appends, and tells of nothing twice.
func TestWriteBackLeavesLessThanAPiece(t *testing.T) {
	fsys, h, calls := vfs.NewMem(), new(history), 0
	j := open(t, fsys, "/j")
	j.piece = 128
	fsys.Inject(func(op vfs.Op) vfs.Fault {
		if op.Kind == vfs.OpWriteBack {
			calls++
		}
		return vfs.None
	})
	for n := range 40 {
		from := uint64(len(h.ends))
		h.grow(n % 7)
		must(t, h.append(j, from, h.end().Sequence))
		grown := len(j.Grown()) > 0
		if grown {
			<-j.Grown()
		}
		before := calls
		must(t, j.WriteBack())
		if grown != (calls > before) {
			t.Fatalf("append %d: told of a new piece: %v, pieces written back: %d", n, grown, calls-before)
		}
	}
	want := 0
	for _, s := range j.segments {
		want += int((headerLen + s.size) / j.piece)
	}
	if calls != want || calls < 10 {
		t.Errorf("%d pieces were written back, want %d", calls, want)
	}
	check(t, j, h)
}

// TestWriteBackIsFollowedByACut: what comes in the place of what was cut off is written back too.
func TestWriteBackIsFollowedByACut(t *testing.T) {
	fsys, h := vfs.NewMem(), new(history).grow(20)
	j := open(t, fsys, "/j")
	j.piece = 128
	must(t, h.append(j, 0, 20))
	must(t, j.WriteBack())
	must(t, j.Truncate(2, h.at(2).Bytes))
	var pieces []string
	fsys.Inject(func(op vfs.Op) vfs.Fault {
		if op.Kind == vfs.OpWriteBack {
			pieces = append(pieces, op.Path)
		}
		return vfs.None
	})
	h.cut(2)
	must(t, h.grow(18).append(j, 2, 20))
	must(t, j.WriteBack())
	if len(pieces) == 0 || pieces[0] != fmt.Sprintf("/j/%020d.journal", 1) {
		t.Errorf("pieces of %q were written back, want the first segment's too", pieces)
	}
	check(t, j, h)
}

// TestFailedWriteBackIsFinal: the kernel may have dropped what it could not write.
func TestFailedWriteBackIsFinal(t *testing.T) {
	fsys, h := vfs.NewMem(), new(history).grow(20)
	j := open(t, fsys, "/j")
	j.piece = 128
	must(t, h.append(j, 0, 20))
	fsys.Inject(func(op vfs.Op) vfs.Fault {
		if op.Kind == vfs.OpWriteBack {
			return vfs.Fail
		}
		return vfs.None
	})
	if err := j.WriteBack(); !errors.Is(err, syscall.EIO) {
		t.Errorf("the piece that fails: %v, want EIO", err)
	}
	fsys.Inject(nil)
	if err := j.WriteBack(); !errors.Is(err, syscall.EIO) {
		t.Errorf("the next: %v, want EIO", err)
	}
	if err := j.Sync(); !errors.Is(err, syscall.EIO) {
		t.Errorf("Sync: %v, want EIO", err)
	}
}
