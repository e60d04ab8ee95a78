package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestImageAndChangelogChangeTogether(t *testing.T) {
	for names, good := range map[string]bool{
		"":                                      true,
		"README.md\n":                           true,
		"CHANGELOG.md\n":                        true,
		"CHANGELOG.md\nproto/ballast.binpb\n":   true,
		"proto/ballast.binpb\nREADME.md\n":      false,
		"docs/CHANGELOG.md\n" + image + "\nx\n": false,
	} {
		if err := together("here", names); (err == nil) != good {
			t.Errorf("%q: %v", names, err)
		}
	}
}

func TestCompareFindsStaleMissingAndLeftOver(t *testing.T) {
	committed, generated := t.TempDir(), t.TempDir()
	for path, text := range map[string]string{
		filepath.Join(committed, "same.pb.go"):   "1",
		filepath.Join(generated, "same.pb.go"):   "1",
		filepath.Join(committed, "stale.pb.go"):  "1",
		filepath.Join(generated, "stale.pb.go"):  "2",
		filepath.Join(generated, "new.pb.go"):    "1",
		filepath.Join(committed, "left.pb.go"):   "1",
		filepath.Join(committed, "source.proto"): "1",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := compare(committed, generated)
	if err != nil {
		t.Fatal(err)
	}
	for i := range got {
		got[i] = filepath.Base(got[i])
	}
	slices.Sort(got)
	if want := []string{"left.pb.go", "new.pb.go", "stale.pb.go"}; !slices.Equal(got, want) {
		t.Errorf("found %v, wanted %v", got, want)
	}
}
