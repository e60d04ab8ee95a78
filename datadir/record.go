package datadir

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"
)

// A record is a small text file:
//
//	ballast KIND VERSION\n
//	PAYLOAD\n
//	crc32c XXXXXXXX\n        CRC-32C, lower-case hex, of all bytes above
//
// The first word pair, the version and the last line stay as they are in all versions to come, so that an old program
// can tell a newer record from a damaged one.

// maxRecord bounds what is read of a record's file.
const maxRecord = 64 << 10

const checksumWord = "crc32c "

// newerRecordError is a sound record of a version that this program does not know.
type newerRecordError struct{ version, supported int }

func (e *newerRecordError) Error() string {
	return fmt.Sprintf("format version %d; this program knows up to %d", e.version, e.supported)
}

func encodeRecord(kind string, version int, payload []byte) []byte {
	b := fmt.Appendf(nil, "ballast %s %d\n%s\n", kind, version, payload)
	return fmt.Appendf(b, "%s%08x\n", checksumWord, checksum(b))
}

// decodeRecord answers the payload of a record of the kind. A sound record of a version above supported gives a
// *newerRecordError.
func decodeRecord(kind string, supported int, data []byte) ([]byte, error) {
	if len(data) > maxRecord {
		return nil, fmt.Errorf("larger than %d bytes", maxRecord)
	}
	body, err := checkSum(data)
	if err != nil {
		return nil, err
	}
	head, payload, ok := bytes.Cut(body, []byte("\n"))
	if !ok || len(payload) == 0 {
		return nil, fmt.Errorf("no payload")
	}
	digits, ok := strings.CutPrefix(string(head), "ballast "+kind+" ")
	if !ok {
		return nil, fmt.Errorf("it begins with %.40q, not with %q", head, "ballast "+kind)
	}
	version, err := strconv.Atoi(digits)
	if err != nil || version < 1 || strconv.Itoa(version) != digits {
		return nil, fmt.Errorf("version %.20q is not a number from 1", digits)
	}
	if version > supported {
		return nil, &newerRecordError{version: version, supported: supported}
	}
	return payload[:len(payload)-1], nil
}

// checkSum answers what stands above the checksum line.
func checkSum(data []byte) ([]byte, error) {
	tail := len(checksumWord) + 9 // eight digits and the newline
	if len(data) < tail {
		return nil, fmt.Errorf("only %d bytes", len(data))
	}
	body, line := data[:len(data)-tail], data[len(data)-tail:]
	if want := fmt.Appendf(nil, "%s%08x\n", checksumWord, checksum(body)); !bytes.Equal(line, want) {
		return nil, fmt.Errorf("it ends with %.40q where its content asks for %.40q", line, want)
	}
	if len(body) == 0 || body[len(body)-1] != '\n' {
		return nil, fmt.Errorf("the checksum does not stand on a line of its own")
	}
	return body, nil
}

func checksum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

// encodeJSON is the record of a value.
func encodeJSON(kind string, version int, v any) ([]byte, error) {
	payload, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return encodeRecord(kind, version, payload), nil
}

// decodeJSON reads what encodeJSON wrote; a field that T does not have is an error.
func decodeJSON[T any](kind string, supported int, data []byte) (v T, err error) {
	payload, err := decodeRecord(kind, supported, data)
	if err != nil {
		return v, err
	}
	err = decodeStrictly(payload, &v)
	return v, err
}
