package logstore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/ballastdb/ballast/internal/guard"
)

// Raft writes a vote in two steps, the term and then the candidate. A crash between them leaves the new term beside the
// candidate of an older vote; asked again by that candidate, raft takes it for a repeated question and grants the vote
// without comparing logs. Here the term is held in memory until the candidate arrives, and both are written as one
// value. A crash in between leaves the older vote whole: raft answers the candidate only after the second step, so
// nobody was promised anything.
//
//	offset size
//	0      1    version, 1
//	1      8    term, big endian
//	9      n    candidate, 0 to 1024 bytes
//	9+n    4    CRC-32C of all before, big endian
const (
	voteVersion       = 1
	voteOverhead      = 1 + 8 + 4
	maxCandidateBytes = 1024
)

// The keys that raft v1.7.3 uses for a vote (raft.go, unexported there), and ours.
const (
	raftVoteTerm      = "LastVoteTerm"
	raftVoteCandidate = "LastVoteCand"
	voteKey           = "ballast.vote"
)

func guardsVote(key []byte, name string) bool { return guard.On("661") && string(key) == name }

// SetUint64 writes a number. A vote's term is held until its candidate is Set.
func (s *Store) SetUint64(key []byte, value uint64) error {
	if guardsVote(key, raftVoteTerm) {
		s.vote.Lock()
		defer s.vote.Unlock()
		s.heldTerm = value
		return nil
	}
	return s.write("set a number", func() error { return s.backend.SetUint64(key, value) })
}

// Set writes a value. A vote's candidate is written together with the term that was held for it.
func (s *Store) Set(key, value []byte) error {
	if guardsVote(key, raftVoteCandidate) {
		return s.setVote(value)
	}
	return s.write("set a value", func() error { return s.backend.Set(key, value) })
}

func (s *Store) setVote(candidate []byte) error {
	s.vote.Lock()
	defer s.vote.Unlock()
	if s.heldTerm == 0 {
		return errors.New("vote: expected its term before its candidate, found no term; is this another version of the raft library?")
	}
	record, err := encodeVote(s.heldTerm, candidate)
	if err != nil {
		return err
	}
	if err := s.write("write a vote", func() error { return s.backend.Set([]byte(voteKey), record) }); err != nil {
		return err
	}
	s.heldTerm = 0
	return nil
}

// GetUint64 reads a number; the error's text is "not found" where there is none, which is what raft looks for.
func (s *Store) GetUint64(key []byte) (uint64, error) {
	if guardsVote(key, raftVoteTerm) {
		term, _, err := s.readVote()
		return term, err
	}
	return s.backend.GetUint64(key)
}

// Get reads a value; the error's text is "not found" where there is none, which is what raft looks for.
func (s *Store) Get(key []byte) ([]byte, error) {
	if guardsVote(key, raftVoteCandidate) {
		_, candidate, err := s.readVote()
		return candidate, err
	}
	return s.backend.Get(key)
}

// readVote reads the vote as it is on the disk; a held term is not part of it.
func (s *Store) readVote() (uint64, []byte, error) {
	record, err := s.backend.Get([]byte(voteKey))
	if err != nil {
		if err.Error() == errNoWord.Error() {
			return 0, nil, errNoWord
		}
		return 0, nil, err
	}
	return decodeVote(record)
}

func encodeVote(term uint64, candidate []byte) ([]byte, error) {
	if len(candidate) > maxCandidateBytes {
		return nil, fmt.Errorf("vote: the candidate's address has %d bytes, at most %d are allowed", len(candidate), maxCandidateBytes)
	}
	record := make([]byte, 0, voteOverhead+len(candidate))
	record = append(record, voteVersion)
	record = binary.BigEndian.AppendUint64(record, term)
	record = append(record, candidate...)
	return binary.BigEndian.AppendUint32(record, crc32.Checksum(record, castagnoli())), nil
}

func decodeVote(record []byte) (uint64, []byte, error) {
	if len(record) < voteOverhead || len(record) > voteOverhead+maxCandidateBytes {
		return 0, nil, fmt.Errorf("vote: expected %d to %d bytes, found %d; the log store is damaged, replace this member",
			voteOverhead, voteOverhead+maxCandidateBytes, len(record))
	}
	if record[0] != voteVersion {
		return 0, nil, fmt.Errorf("vote: expected version %d, found %d; run the version of ballastd that wrote it", voteVersion, record[0])
	}
	body, sum := record[:len(record)-4], record[len(record)-4:]
	if found := crc32.Checksum(body, castagnoli()); found != binary.BigEndian.Uint32(sum) {
		return 0, nil, fmt.Errorf("vote: expected checksum %x, found %x; the log store is damaged, replace this member", sum, found)
	}
	return binary.BigEndian.Uint64(body[1:]), bytes.Clone(body[9:]), nil
}

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }
