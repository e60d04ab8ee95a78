package proposal

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/ballastdb/ballast/fsm/ledger"
)

// The header, docs/formats/proposal.md. All numbers little-endian.
const (
	magic0, magic1 = 'B', 'P'

	offFormat         = 2
	offKind           = 3
	offClusterVersion = 4
	offTime           = 8
	offCount          = 16
	offFlags          = 20
	headerLen         = 24
	crcLen            = 4
)

// Overhead is what a proposal takes beside its operations, bytes.
const Overhead = headerLen + crcLen

func checksum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

// begin appends a header whose time is still to be stamped.
func begin(dst []byte, kind Kind, clusterVersion uint32) []byte {
	dst = append(dst, magic0, magic1, FormatVersion, byte(kind))
	dst = binary.LittleEndian.AppendUint32(dst, clusterVersion)
	return append(dst, make([]byte, headerLen-offTime)...)
}

// finish stamps the header and appends the checksum.
func finish(b []byte, now int64, count int) []byte {
	binary.LittleEndian.PutUint64(b[offTime:], uint64(now))
	binary.LittleEndian.PutUint32(b[offCount:], uint32(count))
	return binary.LittleEndian.AppendUint32(b, checksum(b))
}

// Builder gathers encoded operations into one proposal. It is for one goroutine at a time.
type Builder struct {
	clusterVersion uint32
	buf            []byte
	count          int
}

// NewBuilder starts a proposal of operations for a cluster at clusterVersion.
func NewBuilder(clusterVersion uint32) *Builder { return &Builder{clusterVersion: clusterVersion} }

// Fits tells whether encoded operations of n bytes can be added without passing MaxBytes and ledger.MaxBatch. An empty
// proposal takes what Add takes.
func (b *Builder) Fits(bytes, n int) bool {
	return b.count == 0 || b.Len()+bytes <= MaxBytes && b.count+n <= ledger.MaxBatch
}

// Len is the length that Finish would give, bytes; 0 for an empty proposal.
func (b *Builder) Len() int {
	if b.count == 0 {
		return 0
	}
	return len(b.buf) + crcLen
}

// Count is the number of operations added.
func (b *Builder) Count() int { return b.count }

// Add adds n operations, encoded by AppendOperation one after the other and copied here: the operations of one request,
// which stay together. ErrTooLarge: with them the proposal would pass HardMaxBytes or ledger.MaxBatch; it is as before.
func (b *Builder) Add(encoded []byte, n int) error {
	if n < 1 || len(encoded) < n*minOperation {
		return fmt.Errorf("%d operations in %d bytes: an operation has at least %d", n, len(encoded), minOperation)
	}
	if have := max(b.Len(), Overhead); have+len(encoded) > HardMaxBytes || b.count+n > ledger.MaxBatch {
		return fmt.Errorf("%w: %d operations of %d bytes to %d of %d; the limit is %d operations and %d bytes",
			ErrTooLarge, n, len(encoded), b.count, have, ledger.MaxBatch, HardMaxBytes)
	}
	if b.buf == nil {
		b.buf = begin(make([]byte, 0, Overhead+len(encoded)), KindOperations, b.clusterVersion)
	}
	b.buf = append(b.buf, encoded...)
	b.count += n
	return nil
}

// Finish stamps the proposal with the leader's time, Unix nanoseconds, and returns it; it is the caller's and must
// never be changed once raft has it. The builder starts again from nothing. An empty proposal is nil.
func (b *Builder) Finish(now int64) []byte {
	if b.count == 0 {
		return nil
	}
	data := finish(b.buf, now, b.count)
	b.buf, b.count = nil, 0
	return data
}

// EncodeMarker makes the first command of a leader's term.
func EncodeMarker(now int64, clusterVersion uint32, term uint64) []byte {
	b := begin(make([]byte, 0, Overhead+8), KindMarker, clusterVersion)
	return finish(binary.LittleEndian.AppendUint64(b, term), now, 1)
}

// EncodeCheckpoint makes a command to record the digest of the state.
func EncodeCheckpoint(now int64, clusterVersion uint32) []byte {
	return finish(begin(make([]byte, 0, Overhead), KindCheckpoint, clusterVersion), now, 0)
}

// EncodeMark makes a command to take a snapshot.
func EncodeMark(now int64, clusterVersion uint32) []byte {
	return finish(begin(make([]byte, 0, Overhead), KindMark, clusterVersion), now, 0)
}

// EncodeTick makes a command that lets log time pass.
func EncodeTick(now int64, clusterVersion uint32) []byte {
	return finish(begin(make([]byte, 0, Overhead), KindTick, clusterVersion), now, 0)
}

// EncodeRaiseVersion makes a command to raise the cluster version to version.
func EncodeRaiseVersion(now int64, clusterVersion, version uint32) []byte {
	b := begin(make([]byte, 0, Overhead+4), KindRaiseVersion, clusterVersion)
	return finish(binary.LittleEndian.AppendUint32(b, version), now, 1)
}

// EncodeSettings makes a command that changes settings: 1 to MaxSettings of them, by rising number. by tells who does.
func EncodeSettings(now int64, clusterVersion uint32, by string, settings []Setting) ([]byte, error) {
	if len(by) > MaxBy {
		return nil, fmt.Errorf("settings are changed by somebody with a name of %d bytes: want at most %d", len(by), MaxBy)
	}
	if len(settings) == 0 || len(settings) > MaxSettings {
		return nil, fmt.Errorf("%d settings in one command: want 1 to %d", len(settings), MaxSettings)
	}
	b := begin(nil, KindSettings, clusterVersion)
	last := SettingNumber(0)
	for _, s := range settings {
		kind := settingTypeOf(s.Number)
		if kind == 0 || s.Number <= last {
			return nil, fmt.Errorf("setting number %d after %d: want known numbers, rising", s.Number, last)
		}
		last = s.Number
		b = binary.LittleEndian.AppendUint16(b, uint16(s.Number))
		b = append(b, byte(kind), 8)
		b = binary.LittleEndian.AppendUint64(b, s.Value)
	}
	return finish(appendLong(b, by), now, len(settings)), nil
}

// EncodeAnnounce makes a command that records a member's addresses. The id and the member address are required.
func EncodeAnnounce(now int64, clusterVersion uint32, m Member) ([]byte, error) {
	if err := checkMember(m); err != nil {
		return nil, err
	}
	b := begin(nil, KindAnnounce, clusterVersion)
	for _, s := range []string{m.ID, m.MemberAddress, m.ClientAddress, m.OperatorAddress} {
		b = appendLong(b, s)
	}
	flags := byte(0)
	if m.StayNonVoter {
		flags = memberStays
	}
	return finish(binary.LittleEndian.AppendUint32(append(b, flags), m.NewestVersion), now, 1), nil
}

// memberStays is the flag of Member.StayNonVoter.
const memberStays = 1 << 0

// EncodeForget makes a command that removes a member's addresses.
func EncodeForget(now int64, clusterVersion uint32, id string) ([]byte, error) {
	if len(id) == 0 || len(id) > MaxMemberID {
		return nil, fmt.Errorf("member id of %d bytes: want 1 to %d", len(id), MaxMemberID)
	}
	return finish(appendLong(begin(nil, KindForget, clusterVersion), id), now, 1), nil
}

func checkMember(m Member) error {
	if len(m.ID) == 0 || len(m.ID) > MaxMemberID {
		return fmt.Errorf("member id of %d bytes: want 1 to %d", len(m.ID), MaxMemberID)
	}
	if m.MemberAddress == "" {
		return fmt.Errorf("member %q has no member address", m.ID)
	}
	for _, a := range []string{m.MemberAddress, m.ClientAddress, m.OperatorAddress} {
		if len(a) > MaxAddress {
			return fmt.Errorf("address of %d bytes of member %q: want at most %d", len(a), m.ID, MaxAddress)
		}
	}
	return nil
}

// appendLong appends a text of up to 65535 bytes.
func appendLong(dst []byte, s string) []byte {
	return append(binary.LittleEndian.AppendUint16(dst, uint16(len(s))), s...)
}
