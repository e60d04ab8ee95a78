package snapshots

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/hashicorp/raft"
)

func sampleRaftMeta() raftMeta {
	return raftMeta{version: 1, configuration: members, configurationIndex: 0x1122, owner: []byte("owner")}
}

// TestRaftMetaGolden holds the format to bytes written once: they must be readable for ever.
func TestRaftMetaGolden(t *testing.T) {
	const file = "testdata/raftmeta.hex"
	m := sampleRaftMeta()
	got := m.encode()
	if os.Getenv("BALLAST_GOLDEN") == "write" {
		check(t, os.WriteFile(file, []byte(hex.Dump(got)), 0o600))
	}
	want, err := os.ReadFile(file)
	check(t, err)
	if hex.Dump(got) != strings.ReplaceAll(string(want), "\r", "") {
		t.Fatalf("the format changed:\n%s\nwant\n%s", hex.Dump(got), want)
	}
	if back, err := decodeRaftMeta(got); err != nil || fmt.Sprint(back) != fmt.Sprint(m) {
		t.Fatalf("it decodes to %v, %v; want %v", back, err, m)
	}
}

// FuzzRaftMeta: any bytes are refused, or decode to what is encoded and decoded again the same.
func FuzzRaftMeta(f *testing.F) {
	m := sampleRaftMeta()
	f.Add(m.encode())
	f.Add((&raftMeta{version: raft.SnapshotVersionMax}).encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := decodeRaftMeta(b)
		if err != nil {
			return
		}
		again, err := decodeRaftMeta(m.encode())
		if err != nil || !bytes.Equal(again.owner, m.owner) || fmt.Sprint(again.configuration) != fmt.Sprint(m.configuration) {
			t.Fatalf("%x decodes to %v, and again to %v, %v", b, m, again, err)
		}
	})
}
