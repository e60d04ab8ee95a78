package manpages

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

func tree() *cobra.Command {
	root := &cobra.Command{Use: "prog", Short: "Do things", SilenceErrors: true, SilenceUsage: true}
	root.AddCommand(&cobra.Command{Use: "go", Short: "Go on", Run: func(*cobra.Command, []string) {}}, Command(func(err error) error { return err }))
	return root
}

func TestPages(t *testing.T) {
	dir := t.TempDir()
	root := tree()
	root.SetArgs([]string{"man", dir})
	if err := root.Execute(); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(dir, "prog-go.1"))
	if err != nil || !strings.Contains(string(page), "Go on") {
		t.Fatalf("%v\n%s", err, page)
	}
	if _, err := os.Stat(filepath.Join(dir, "prog-man.1")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the hidden verb has a page (%v)", err)
	}
}

func TestNowhereToWrite(t *testing.T) {
	for _, dir := range []string{filepath.Join(t.TempDir(), "none"), "manpages_test.go"} {
		root := tree()
		root.SetArgs([]string{"man", dir})
		if err := root.Execute(); err == nil || !strings.Contains(err.Error(), "expected a directory") {
			t.Errorf("%s: %v", dir, err)
		}
	}
}
