package logstore

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// The words that tell what of the file is not part of the log are records of fixed size: their numbers, big endian, between a
// version and a checksum.
//
//	offset size
//	0      1    version, 1
//	1      8*n  numbers
//	1+8*n  4    CRC-32C of all before, big endian
const (
	wordVersion = 1
	// wipedKey holds one number: the index up to which entries in the file are not part of the log.
	wipedKey = "ballast.wiped"
	// cutKey holds two: the index and term of a snapshot with which the log is in conflict; empty: none (see cut.go).
	cutKey = "ballast.cut"
)

func encodeWord(numbers ...uint64) []byte {
	record := []byte{wordVersion}
	for _, n := range numbers {
		record = binary.BigEndian.AppendUint64(record, n)
	}
	return binary.BigEndian.AppendUint32(record, crc32.Checksum(record, castagnoli()))
}

func decodeWord(name string, record []byte, count int) ([]uint64, error) {
	if want := 1 + 8*count + 4; len(record) != want {
		return nil, fmt.Errorf("%s: expected %d bytes, found %d; the log store is damaged, replace this member", name, want, len(record))
	}
	if record[0] != wordVersion {
		return nil, fmt.Errorf("%s: expected version %d, found %d; run the version of ballastd that wrote it", name, wordVersion, record[0])
	}
	body, sum := record[:len(record)-4], binary.BigEndian.Uint32(record[len(record)-4:])
	if found := crc32.Checksum(body, castagnoli()); found != sum {
		return nil, fmt.Errorf("%s: expected checksum %08x, found %08x; the log store is damaged, replace this member", name, sum, found)
	}
	numbers := make([]uint64, count)
	for i := range numbers {
		numbers[i] = binary.BigEndian.Uint64(body[1+8*i:])
	}
	return numbers, nil
}

// readWord reads such a record; nil where it was never written, or was emptied.
func (s *Store) readWord(name string, count int) ([]uint64, error) {
	record, err := s.backend.Get([]byte(name))
	switch {
	case err != nil && err.Error() == errNoWord.Error():
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read %s: %w", name, err)
	case len(record) == 0:
		return nil, nil
	}
	return decodeWord(name, record, count)
}

// readIndex reads a word of one number; 0 where there is none.
func (s *Store) readIndex(name string) (uint64, error) {
	numbers, err := s.readWord(name, 1)
	if err != nil || numbers == nil {
		return 0, err
	}
	return numbers[0], nil
}

// setWord writes a word; no numbers empty it.
func (s *Store) setWord(name string, numbers ...uint64) error {
	record := []byte{}
	if len(numbers) > 0 {
		record = encodeWord(numbers...)
	}
	return s.write("write "+name, func() error { return s.backend.Set([]byte(name), record) })
}
