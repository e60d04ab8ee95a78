package proposal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"

	"github.com/ballastdb/ballast/fsm/ledger"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestGolden holds the bytes that logs in the field already have: a change here is a new format version.
func TestGolden(t *testing.T) {
	for name, got := range samples(t) {
		path := filepath.Join("testdata", name+".bin")
		if *update {
			if err := os.WriteFile(path, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s encodes to\n%x, want\n%x", name, got, want)
		}
		p, err := new(Decoder).Decode(want)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if p.Kind.String() != name || p.ClusterVersion != 1 || p.Time != sampleTime {
			t.Errorf("%s decodes to kind %v, cluster version %d, time %d", name, p.Kind, p.ClusterVersion, p.Time)
		}
		if again := encodeAgain(t, p); !bytes.Equal(again, want) {
			t.Errorf("%s decoded and encoded again is\n%x, want\n%x", name, again, want)
		}
	}
}

func TestOperationsRoundTrip(t *testing.T) {
	var d Decoder // kept, to find what one proposal leaves behind for the next
	rapid.Check(t, func(t *rapid.T) {
		var ops []ledger.Operation
		for range rapid.IntRange(1, 20).Draw(t, "count") {
			ops = append(ops, drawOperation(t))
		}
		data := encodeOperations(t, ops)
		p, err := d.Decode(data)
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Operations) != len(ops) {
			t.Fatalf("%d operations, want %d", len(p.Operations), len(ops))
		}
		for i := range ops {
			if !sameOperation(&ops[i], &p.Operations[i]) {
				t.Fatalf("operation %d decodes to\n%+v, want\n%+v", i, p.Operations[i], ops[i])
			}
		}
	})
}

func TestMembersAndSettingsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := func(least, most int) string { return string(rapid.SliceOfN(rapid.Byte(), least, most).Draw(t, "text")) }
		m := Member{
			ID: text(1, MaxMemberID), MemberAddress: text(1, MaxAddress), ClientAddress: text(0, MaxAddress), OperatorAddress: text(0, MaxAddress),
			StayNonVoter: rapid.Bool().Draw(t, "stay"),
		}
		data, err := EncodeAnnounce(sampleTime, 3, m)
		if err != nil {
			t.Fatal(err)
		}
		if p, err := new(Decoder).Decode(data); err != nil || p.Member != m || p.ClusterVersion != 3 {
			t.Fatalf("%+v, %v; want %+v", p, err, m)
		}
		by := text(0, MaxBy)
		want := Setting{SettingIDBudgetBytes, rapid.Uint64().Draw(t, "value")}
		if data, err = EncodeSettings(sampleTime, 3, by, []Setting{want}); err != nil {
			t.Fatal(err)
		}
		if p, err := new(Decoder).Decode(data); err != nil || len(p.Settings) != 1 || p.Settings[0] != want || p.By != by {
			t.Fatalf("%+v, %v; want %+v", p, err, want)
		}
	})
}

// TestEveryFlippedBitIsFound: no bit of any kind of proposal can change without Decode saying so.
func TestEveryFlippedBitIsFound(t *testing.T) {
	for name, good := range samples(t) {
		for bit := range len(good) * 8 {
			bad := bytes.Clone(good)
			bad[bit/8] ^= 1 << (bit % 8)
			if _, err := new(Decoder).Decode(bad); err == nil {
				t.Errorf("%s with bit %d flipped decodes", name, bit)
			}
		}
		for n := range len(good) {
			if _, err := new(Decoder).Decode(good[:n]); !errors.Is(err, ErrCorrupt) {
				t.Errorf("%s cut to %d bytes: %v, want ErrCorrupt", name, n, err)
			}
		}
	}
}

// reseal puts a right checksum on changed bytes: what a newer program, not a broken disk, would have written.
func reseal(b []byte) []byte {
	b = bytes.Clone(b)
	binary.LittleEndian.PutUint32(b[len(b)-crcLen:], checksum(b[:len(b)-crcLen]))
	return b
}

func TestErrorsTellWhatIsWrong(t *testing.T) {
	operation := func(change func(b []byte)) []byte {
		b := encodeOperations(t, sampleOperations()[3:4])
		change(b)
		return reseal(b)
	}
	marker := func(change func(b []byte)) []byte {
		b := EncodeMarker(1, 1, 1)
		change(b)
		return reseal(b)
	}
	cases := []struct {
		name string
		data []byte
		want error
	}{
		{"empty", nil, ErrCorrupt},
		{"another file", bytes.Repeat([]byte{'x'}, 100), ErrCorrupt},
		{"newer format", marker(func(b []byte) { b[offFormat] = 2 }), ErrNewerVersion},
		{"format zero", marker(func(b []byte) { b[offFormat] = 0 }), ErrCorrupt},
		{"unknown flags", marker(func(b []byte) { b[offFlags+3] = 0x80 }), ErrNewerVersion},
		{"unknown kind", marker(func(b []byte) { b[offKind] = 200 }), ErrUnknownKind},
		{"kind zero", marker(func(b []byte) { b[offKind] = 0 }), ErrUnknownKind},
		{"wrong count", marker(func(b []byte) { b[offCount] = 2 }), ErrCorrupt},
		{"marker with a tail", reseal(append(EncodeMarker(1, 1, 1), 0)), ErrCorrupt},
		{"no operations", operation(func(b []byte) { b[offCount] = 0 }), ErrCorrupt},
		{"more operations than bytes", operation(func(b []byte) { b[offCount+3] = 0xff }), ErrCorrupt},
		{"unknown kind of operation", operation(func(b []byte) { b[headerLen] = 99 }), ErrUnknownKind},
		{"unknown field", operation(func(b []byte) { copy(b[headerLen+1:], []byte{0x80, 0x80, 0x80, 0x80, 0x04}) }), ErrNewerVersion},
		{"unknown setting", reseal(bytes.Replace(samples(t)["settings"], []byte{4, 0, 1, 8}, []byte{13, 0, 1, 8}, 1)), ErrNewerVersion},
		{"setting twice", reseal(bytes.Replace(samples(t)["settings"], []byte{4, 0, 1, 8}, []byte{1, 0, 2, 8}, 1)), ErrCorrupt},
		{"over the limit", make([]byte, HardMaxBytes+1), ErrCorrupt},
	}
	for _, c := range cases {
		_, err := new(Decoder).Decode(c.data)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		for _, other := range []error{ErrCorrupt, ErrNewerVersion, ErrUnknownKind} {
			if other != c.want && errors.Is(err, other) {
				t.Errorf("%s: %v is %v too", c.name, err, other)
			}
		}
	}
}

func TestBuilderKeepsItsLimits(t *testing.T) {
	op := ledger.Operation{Kind: ledger.KindCredit, ID: []byte("x"), Attempt: 1, Credit: bytes.Repeat([]byte("a"), 64), Reference: bytes.Repeat([]byte("r"), 64)}
	one := AppendOperation(nil, &op)
	b := NewBuilder(1)
	if b.Finish(1) != nil || b.Len() != 0 {
		t.Error("an empty builder gives a proposal")
	}
	if err := b.Add(bytes.Repeat(one, ledger.MaxBatch), ledger.MaxBatch); !errors.Is(err, ErrTooLarge) {
		t.Errorf("%d bytes in one request: %v, want ErrTooLarge", len(one)*ledger.MaxBatch, err)
	}
	for b.Fits(len(one), 1) {
		if err := b.Add(one, 1); err != nil {
			t.Fatal(err)
		}
	}
	if n := b.Len(); n > MaxBytes || n+len(one) <= MaxBytes {
		t.Errorf("full at %d bytes, want as many operations of %d bytes as %d has room for", n, len(one), MaxBytes)
	}
	want := b.Len()
	if got := len(b.Finish(1)); got != want {
		t.Errorf("Finish gives %d bytes, Len said %d", got, want)
	}
	if b.Count() != 0 || b.Len() != 0 {
		t.Error("a finished builder is not empty")
	}
	if !b.Fits(HardMaxBytes/2, 5) {
		t.Error("one large request does not fit an empty proposal")
	}
}

// TestTextTooLongIsStillRefused: text that the format cuts is longer than any bound of the ledger even then.
func TestTextTooLongIsStillRefused(t *testing.T) {
	for _, most := range []int{ledger.MaxIDLen, ledger.MaxAccountLen, ledger.MaxLedgerLen, ledger.MaxAssetLen, ledger.MaxReferenceLen} {
		if most >= MaxText {
			t.Errorf("a bound of %d bytes in the ledger, the format cuts at %d", most, MaxText)
		}
	}
	op := ledger.Operation{Kind: ledger.KindCredit, ID: bytes.Repeat([]byte("i"), 300), Attempt: 1, Credit: []byte("a"), Amount: 1}
	p, err := new(Decoder).Decode(encodeOperations(t, []ledger.Operation{op}))
	if err != nil || len(p.Operations[0].ID) != MaxText {
		t.Errorf("%v, id of %d bytes; want %d", err, len(p.Operations[0].ID), MaxText)
	}
}

func TestPlainTransferIsSmall(t *testing.T) {
	for _, id := range []string{"0123456789abcdef", sampleUUID} {
		op := ledger.Operation{
			Kind: ledger.KindTransfer, ID: []byte(id), Attempt: 1, IssuedAt: sampleTime,
			Debit: []byte("acct-001"), Credit: []byte("acct-002"), Amount: 1<<63 - 1,
		}
		if n := len(AppendOperation(nil, &op)); n > 54 {
			t.Errorf("a transfer with id %q takes %d bytes, want at most 54", id, n)
		}
	}
}

func TestDecodeDoesNotAllocate(t *testing.T) {
	var d Decoder
	data := encodeOperations(t, sampleOperations())
	decode := func() {
		if _, err := d.Decode(data); err != nil {
			t.Fatal(err)
		}
	}
	decode()
	if n := testing.AllocsPerRun(100, decode); n != 0 {
		t.Errorf("%v allocations for a proposal, want none", n)
	}
}

func FuzzDecode(f *testing.F) {
	names, _ := filepath.Glob("testdata/*.bin")
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	var d Decoder
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) >= Overhead && len(data) <= HardMaxBytes {
			data = reseal(data) // or the checksum would keep the fuzzer out
		}
		before := bytes.Clone(data)
		p, err := d.Decode(data)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrNewerVersion) && !errors.Is(err, ErrUnknownKind) {
				t.Fatalf("unclassified: %v", err)
			}
			return
		}
		if again := encodeAgain(t, p); !bytes.Equal(again, data) {
			t.Fatalf("%x decodes to %+v and encodes to %x", data, p, again)
		}
		if !bytes.Equal(data, before) {
			t.Fatal("Decode changed its input")
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	op := ledger.Operation{
		Kind: ledger.KindTransfer, ID: []byte(sampleUUID), Attempt: 1, IssuedAt: sampleTime,
		Debit: []byte("acct-001"), Credit: []byte("acct-002"), Amount: 100,
	}
	ops := make([]ledger.Operation, 2000)
	for i := range ops {
		ops[i] = op
	}
	data := encodeOperations(b, ops)
	var d Decoder
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := d.Decode(data); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(ops)), "ns/op-decoded")
}
