package datadir

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"
)

var errCut = fmt.Errorf("cut short")

func testIdentity() Identity {
	return Identity{
		ClusterID:   uuid.MustParse("0190c0de-0000-7000-8000-000000000001"),
		Name:        "node-1",
		Incarnation: uuid.MustParse("0190c0de-0000-7000-8000-0000000000aa"),
		CreatedAt:   time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC),
	}
}

// createLog stands for the stores that a member makes.
func createLog(l Layout) error { return os.WriteFile(l.logs()[1], []byte("log"), fileMode) }

func mustInit(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	if err := Init(dir, testIdentity(), createLog); err != nil {
		t.Fatal(err)
	}
	return dir
}

// tree describes everything under root: names, modes, sizes, times and contents.
func tree(t *testing.T, root string) string {
	t.Helper()
	var out string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		var content []byte
		if info.Mode().IsRegular() {
			if content, err = os.ReadFile(path); err != nil {
				return err
			}
		}
		out += fmt.Sprintln(path, info.Mode(), info.ModTime().UnixNano(), fmt.Sprintf("%q", content))
		return nil
	})
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return out
}
