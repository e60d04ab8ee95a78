package snapshots

import (
	"bytes"
	"encoding/hex"
	"os"
	"strings"
	"testing"

	"github.com/ballastdb/ballast/fsm/page"
)

func sampleManifest() *Manifest {
	return &Manifest{
		Index: 0x1122, Term: 3, Digest: page.Digest{5, 6}, Meta: []byte("meta"),
		packs:  []packRef{{1, 40000}, {7, 90000}},
		tables: []tableRef{{id: 1, record: 128, first: 0, count: 2}, {id: 9, first: 40, count: 1}},
		pages: []pageRef{
			{index: 10, checksum: 0xabc, offset: 24, length: 16384, pack: 0},
			{index: 12, checksum: 0xdef, offset: 24, length: 100, pack: 1},
			{index: 0x1122, checksum: 1, offset: 128, length: 0, pack: 1},
		},
	}
}

// TestManifestGolden holds the format to bytes written once: they must be readable for ever.
func TestManifestGolden(t *testing.T) {
	const file = "testdata/manifest.hex"
	got := sampleManifest().encode()
	if os.Getenv("BALLAST_GOLDEN") == "write" {
		check(t, os.WriteFile(file, []byte(hex.Dump(got)), 0o600))
	}
	want, err := os.ReadFile(file)
	check(t, err)
	if hex.Dump(got) != strings.ReplaceAll(string(want), "\r", "") {
		t.Fatalf("the format changed:\n%s\nwant\n%s", hex.Dump(got), want)
	}
}

func TestManifestFind(t *testing.T) {
	m := sampleManifest()
	for i := range m.pages {
		if at, ok := m.find(m.id(i)); !ok || at != i {
			t.Errorf("page %d is found at %d, %v", i, at, ok)
		}
	}
	for _, id := range []page.ID{{Table: 1, Number: 2}, {Table: 9, Number: 39}, {Table: 9, Number: 41}, {Table: 2}} {
		if _, ok := m.find(id); ok {
			t.Errorf("page %v is found", id)
		}
	}
}

// FuzzManifest: any bytes are refused or decode to a manifest that encodes to the same bytes. The hash is set right, so
// that the fuzzer gets past it.
func FuzzManifest(f *testing.F) {
	good := sampleManifest().encode()
	f.Add(good[:len(good)-hashBytes])
	f.Add([]byte(manifestMagic))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := decode(b); err == nil && len(b) == 0 {
			t.Fatal("nothing decodes")
		}
		b = seal(b)
		m, err := decode(b)
		if err != nil {
			return
		}
		if again := m.encode(); !bytes.Equal(again, b) {
			t.Fatalf("%x decodes, and encodes to %x", b, again)
		}
	})
}
