package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A stopped member's directory is looked at in all formats; what is damaged ends with 1 and is named.
func TestSnapshotVerbs(t *testing.T) {
	dir := initialised(t)
	code, out := ballastd(t.Context(), "snapshot", "verify", "--data-dir", dir)
	if code != exitDone || !strings.Contains(out, "there is no snapshot yet; the journal is sound: 0 entries in 0 segments") {
		t.Errorf("a new member: %d %s", code, out)
	}
	code, out = ballastd(t.Context(), "snapshot", "list", "--data-dir", dir, "-o", "json")
	var view map[string]any
	if err := json.Unmarshal([]byte(out), &view); err != nil || code != exitDone || view["member"] != "node-1" || view["sound"] != true || view["snapshot"] != nil {
		t.Errorf("a new member: %d %s, %v", code, out, err)
	}
	if code, out = ballastd(t.Context(), "snapshot", "inspect", "--data-dir", dir, "-o", "csv"); code != exitDone || out != "what,number,pages,bytes,length,record_bytes,newest_index\n" {
		t.Errorf("a new member: %d %q", code, out)
	}
	manifest := filepath.Join(dir, "snapshots", "0000000000000009-0000000000000001.manifest")
	if err := os.WriteFile(manifest, []byte("not one"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"list", "inspect", "verify"} {
		code, out = ballastd(t.Context(), "snapshot", verb, "--data-dir", dir)
		if code != exitFailed || !strings.Contains(out, manifest) {
			t.Errorf("%s of a damaged one: %d %s", verb, code, out)
		}
	}
	for _, want := range []string{manifest, "cut off", "never copy files into its directory"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in: %s", want, out)
		}
	}
	if code, out = ballastd(t.Context(), "snapshot", "verify", "--data-dir", t.TempDir()); code != exitConfig || !strings.Contains(out, "refused") {
		t.Errorf("no data directory: %d %s", code, out)
	}
	if code, out = ballastd(t.Context(), "snapshot", "verify", "--data-dir", dir, "-o", "xml"); code != exitUsage {
		t.Errorf("no such format: %d %s", code, out)
	}
}
