package logstore

import (
	"encoding/hex"
	"errors"
	"os"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

// TestConvert: a log is the same log in its other kind, with the term and the vote, also where a conversion was cut short; and one
// of the wrong kind is refused unchanged.
func TestConvert(t *testing.T) {
	eachKind(t, func(t *testing.T, from Kind) {
		dir, to := t.TempDir(), from.other()
		s := openTest(t, dir, from)
		s.Attach(hooks(100, 60, 1))
		must(t, s.StoreLogs(entriesOf(1, 1, 50)))
		must(t, s.DeleteRange(1, 50)) // replaced by the snapshot at 60
		must(t, s.StoreLogs(entriesOf(3, 61, 90)))
		must(t, s.SetUint64([]byte(raftTerm), 4))
		must(t, errors.Join(s.SetUint64([]byte(raftVoteTerm), 4), s.Set([]byte(raftVoteCandidate), []byte("b"))))
		must(t, s.Close())
		options := Options{Dir: dir, Kind: to, Logger: hclog.NewNullLogger(), Fatal: func(error) {}}
		var kind *KindError
		if _, err := Open(options); !errors.As(err, &kind) || len(kind.Found) != 1 || kind.Found[0] != from {
			t.Fatalf("a log of the kind %s was opened as %s: %v", from, to, err)
		}
		// What a conversion leaves that was cut short before the rename.
		must(t, os.WriteFile(to.path(dir)+tempSuffix, []byte("half"), 0o600))
		must(t, Convert(dir, to, hclog.NewNullLogger()))
		must(t, Convert(dir, to, hclog.NewNullLogger()))
		if found, err := Find(dir); err != nil || len(found) != 1 || found[0] != to {
			t.Fatalf("expected the kind %s alone, found %v, %v", to, found, err)
		}
		s = openTest(t, dir, to)
		defer s.Close()
		requireBounds(t, s, 61, 90)
		for i := uint64(61); i <= 90; i++ {
			var log raft.Log
			if err := s.GetLog(i, &log); err != nil || log.Index != i || log.Term != 3 || len(log.Data) != 1 || log.Data[0] != byte(i) {
				t.Fatalf("entry %d is %+v, %v", i, log, err)
			}
		}
		term, err := s.GetUint64([]byte(raftTerm))
		must(t, err)
		voteTerm, err := s.GetUint64([]byte(raftVoteTerm))
		must(t, err)
		candidate, err := s.Get([]byte(raftVoteCandidate))
		must(t, err)
		if term != 4 || voteTerm != 4 || string(candidate) != "b" {
			t.Errorf("expected term 4 and a vote for b in it, found %d, %d, %q", term, voteTerm, candidate)
		}
	})
}

// TestConvertAfterTheRename: both logs are there and whole; nothing is opened until the conversion was run again.
func TestConvertAfterTheRename(t *testing.T) {
	dir := t.TempDir()
	s := openTest(t, dir, Bolt)
	must(t, s.StoreLogs(entries(1, 9)))
	must(t, s.Close())
	must(t, makeWAL(WAL.path(dir), hclog.NewNullLogger()))
	var kind *KindError
	if _, err := Open(Options{Dir: dir, Kind: WAL, Logger: hclog.NewNullLogger(), Fatal: func(error) {}}); !errors.As(err, &kind) || len(kind.Found) != 2 {
		t.Fatalf("expected a refusal for two logs, found %v", err)
	}
	must(t, Convert(dir, WAL, hclog.NewNullLogger()))
	s = openTest(t, dir, WAL)
	defer s.Close()
	requireBounds(t, s, 1, 9)
}

func TestWordGolden(t *testing.T) {
	const golden = "0100000000000000080000000000000002"
	found := hex.EncodeToString(encodeWord(8, 2))
	if found[:len(golden)] != golden || len(found) != len(golden)+8 {
		t.Errorf("expected %s and a checksum, found %s", golden, found)
	}
	numbers, err := decodeWord("word", encodeWord(8, 2), 2)
	if err != nil || numbers[0] != 8 || numbers[1] != 2 {
		t.Errorf("expected 8 and 2, found %v, %v", numbers, err)
	}
}

func FuzzDecodeWord(f *testing.F) {
	f.Add(encodeWord(7), 1)
	f.Add(encodeWord(8, 2), 2)
	f.Fuzz(func(t *testing.T, record []byte, count int) {
		if count < 0 || count > 4 {
			return
		}
		numbers, err := decodeWord("word", record, count)
		if err != nil {
			return
		}
		if again := encodeWord(numbers...); string(again) != string(record) {
			t.Errorf("%x decodes but encodes as %x", record, again)
		}
	})
}
