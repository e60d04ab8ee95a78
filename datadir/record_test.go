package datadir

import (
	"bytes"
	"testing"
	"time"
)

func TestGoldenIdentity(t *testing.T) {
	want := `ballast identity 1
{"cluster_id":"0190c0de-0000-7000-8000-000000000001","name":"node-1","incarnation":"0190c0de-0000-7000-8000-0000000000aa","recovery_epoch":0,"created_at":"2024-05-06T07:08:09Z"}
crc32c 012775c9
`
	got, err := encodeIdentity(testIdentity())
	must(t, err)
	if string(got) != want {
		t.Fatalf("got\n%s\nwant\n%s", got, want)
	}
	id, err := decodeIdentity([]byte(want))
	if err != nil || id != testIdentity() {
		t.Fatalf("decoded %+v, %v", id, err)
	}
}

func TestGoldenBoot(t *testing.T) {
	boot := bootRecord{Boots: 7, PID: 4242, At: time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)}
	want := `ballast boot 1
{"boots":7,"pid":4242,"at":"2024-05-06T07:08:09Z"}
crc32c 084157f6
`
	got, err := encodeBoot(boot)
	must(t, err)
	if string(got) != want {
		t.Fatalf("got\n%s\nwant\n%s", got, want)
	}
	if back, err := decodeBoot([]byte(want)); err != nil || back != boot {
		t.Fatalf("decoded %+v, %v", back, err)
	}
}

// Whatever is accepted is what an encoder would have written, and one changed bit is always refused.
func FuzzRecord(f *testing.F) {
	good, err := encodeIdentity(testIdentity())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good, uint16(0))
	f.Add([]byte("ballast identity 01\n{}\ncrc32c 00000000\n"), uint16(3))
	f.Add([]byte("crc32c 00000000\n"), uint16(3))
	f.Fuzz(func(t *testing.T, data []byte, bit uint16) {
		payload, err := decodeRecord("identity", FormatVersion, data)
		if err != nil {
			return
		}
		if again := encodeRecord("identity", FormatVersion, payload); !bytes.Equal(again, data) {
			t.Fatalf("%q was accepted and is written as %q", data, again)
		}
		at := int(bit) % (8 * len(data))
		data[at/8] ^= 1 << (at % 8)
		if _, err := decodeRecord("identity", FormatVersion, data); err == nil {
			t.Fatalf("bit %d was changed unnoticed: %q", at, data)
		}
	})
}
