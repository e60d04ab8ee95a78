package logstore

import (
	"bytes"
	"encoding/hex"
	"testing"

	"github.com/hashicorp/raft"
	"pgregory.net/rapid"
)

// TestVoteIsOneTransaction: a vote for "old" in term 5 stands; raft begins to write one for "new" in term 6 and the
// process dies between its two steps. What is found again must be the vote of term 5: the term 6 beside "old" would
// make raft grant "old" a vote in term 6 without comparing logs.
func TestVoteIsOneTransaction(t *testing.T) {
	eachKind(t, func(t *testing.T, kind Kind) {
		dir := t.TempDir()
		store := openTest(t, dir, kind)
		vote := func(term uint64, candidate string) {
			t.Helper()
			must(t, store.SetUint64([]byte(raftVoteTerm), term))
			must(t, store.Set([]byte(raftVoteCandidate), []byte(candidate)))
		}
		expect := func(term uint64, candidate string) {
			t.Helper()
			foundTerm, err := store.GetUint64([]byte(raftVoteTerm))
			must(t, err)
			foundCandidate, err := store.Get([]byte(raftVoteCandidate))
			must(t, err)
			if foundTerm != term || string(foundCandidate) != candidate {
				t.Errorf("expected the vote (%d, %s), found (%d, %s)", term, candidate, foundTerm, foundCandidate)
			}
		}
		vote(5, "old")
		must(t, store.SetUint64([]byte(raftVoteTerm), 6))
		store = reopen(t, store, dir)
		expect(5, "old")
		vote(6, "new")
		store = reopen(t, store, dir)
		expect(6, "new")
		must(t, store.Close())
	})
}

// TestNoVoteYet: raft tells "never voted" by this very text.
func TestNoVoteYet(t *testing.T) {
	eachKind(t, func(t *testing.T, kind Kind) {
		store := openTest(t, t.TempDir(), kind)
		defer store.Close()
		if _, err := store.GetUint64([]byte(raftVoteTerm)); err == nil || err.Error() != "not found" {
			t.Errorf(`expected "not found", found %v`, err)
		}
		if _, err := store.Get([]byte(raftVoteCandidate)); err == nil || err.Error() != "not found" {
			t.Errorf(`expected "not found", found %v`, err)
		}
		if existing, err := raft.HasExistingState(store, store, raft.NewDiscardSnapshotStore()); err != nil || existing {
			t.Errorf("a new store holds no state; found %v, %v", existing, err)
		}
		must(t, store.SetUint64([]byte(raftTerm), 7))
		if term, err := store.GetUint64([]byte(raftTerm)); err != nil || term != 7 {
			t.Errorf("expected the term 7, found %d, %v", term, err)
		}
	})
}

func TestVoteGolden(t *testing.T) {
	record, err := encodeVote(258, []byte("10.0.0.1:7411"))
	if err != nil {
		t.Fatal(err)
	}
	const golden = "01000000000000010231302e302e302e313a373431319a8f7177"
	if found := hex.EncodeToString(record); found != golden {
		t.Errorf("expected %s, found %s", golden, found)
	}
}

// TestDamagedVote: no single changed byte of a vote goes unnoticed.
func TestDamagedVote(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		term := rapid.Uint64().Draw(rt, "term")
		candidate := rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(rt, "candidate")
		record, err := encodeVote(term, candidate)
		if err != nil {
			rt.Fatal(err)
		}
		foundTerm, foundCandidate, err := decodeVote(record)
		if err != nil || foundTerm != term || !bytes.Equal(foundCandidate, candidate) {
			rt.Fatalf("encoded (%d, %x), decoded (%d, %x), %v", term, candidate, foundTerm, foundCandidate, err)
		}
		record[rapid.IntRange(0, len(record)-1).Draw(rt, "at")] ^= rapid.ByteRange(1, 255).Draw(rt, "bits")
		if _, _, err := decodeVote(record); err == nil {
			rt.Fatal("a damaged vote was accepted")
		}
	})
}

func FuzzDecodeVote(f *testing.F) {
	record, err := encodeVote(7, []byte("a"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(record)
	f.Fuzz(func(t *testing.T, record []byte) {
		term, candidate, err := decodeVote(record)
		if err != nil {
			return
		}
		again, err := encodeVote(term, candidate)
		if err != nil || !bytes.Equal(again, record) {
			t.Errorf("%x decodes but encodes as %x, %v", record, again, err)
		}
	})
}
