package proposal

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/ballastdb/ballast/fsm/ledger"
)

// Decoder decodes proposals into memory that it uses again: a decoded Proposal is valid until the next Decode and while
// its data is. Once grown it does not allocate for operations. The zero value is ready; for one goroutine at a time.
type Decoder struct {
	operations []ledger.Operation
	settings   []Setting
	topUps     []ledger.TopUpFields
	arena      []byte
}

// Decode decodes a proposal, which it does not change or keep beyond the next Decode. Errors wrap ErrCorrupt,
// ErrNewerVersion or ErrUnknownKind.
func (d *Decoder) Decode(data []byte) (Proposal, error) {
	p, count, body, err := decodeHeader(data)
	if err != nil {
		return Proposal{}, err
	}
	r := reader{b: body, arena: d.arena[:0], topUps: d.topUps[:0]}
	err = d.decodeBody(&p, count, &r)
	d.arena, d.topUps = r.arena[:0], r.topUps[:0]
	if err != nil {
		return Proposal{}, err
	}
	if len(r.b) != 0 {
		return Proposal{}, corrupt("%d bytes after the last field of a proposal of kind %v", len(r.b), p.Kind)
	}
	return p, nil
}

func corrupt(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrCorrupt, fmt.Sprintf(format, args...))
}

// decodeHeader checks what surrounds the body. The checksum comes before everything that it protects, but after the
// format's version, which says where it is.
func decodeHeader(data []byte) (p Proposal, count uint32, body []byte, err error) {
	if len(data) < Overhead || len(data) > HardMaxBytes {
		return p, 0, nil, corrupt("%d bytes, want %d to %d", len(data), Overhead, HardMaxBytes)
	}
	if data[0] != magic0 || data[1] != magic1 {
		return p, 0, nil, corrupt("it begins with %x, want %x", data[:2], []byte{magic0, magic1})
	}
	if v := data[offFormat]; v != FormatVersion {
		if v == 0 {
			return p, 0, nil, corrupt("format version 0")
		}
		return p, 0, nil, fmt.Errorf("%w: format version %d, this program reads up to %d", ErrNewerVersion, v, FormatVersion)
	}
	end := len(data) - crcLen
	if want, got := binary.LittleEndian.Uint32(data[end:]), checksum(data[:end]); want != got {
		return p, 0, nil, corrupt("CRC-32C is %08x, the proposal says %08x", got, want)
	}
	if flags := binary.LittleEndian.Uint32(data[offFlags:]); flags != 0 {
		return p, 0, nil, fmt.Errorf("%w: flags %#x, this program knows none", ErrNewerVersion, flags)
	}
	p.Kind = Kind(data[offKind])
	p.ClusterVersion = binary.LittleEndian.Uint32(data[offClusterVersion:])
	p.Time = int64(binary.LittleEndian.Uint64(data[offTime:]))
	return p, binary.LittleEndian.Uint32(data[offCount:]), data[headerLen:end], nil
}

func (d *Decoder) decodeBody(p *Proposal, count uint32, r *reader) error {
	want := uint32(1) // count of the kinds that carry one thing
	switch p.Kind {
	case KindOperations:
		return d.decodeOperations(p, count, r)
	case KindSettings:
		return d.decodeSettings(p, count, r)
	case KindMarker:
		p.Term = r.fixed64("term")
	case KindCheckpoint, KindMark, KindTick:
		want = 0
	case KindAnnounce:
		flags := byte(0)
		if p.Member, flags = r.member(); r.err == nil && flags&^memberStays != 0 {
			return fmt.Errorf("%w: flags %#x of a member, this program knows %#x", ErrNewerVersion, flags, memberStays)
		}
	case KindForget:
		p.Member.ID = r.long("member id", 1, MaxMemberID)
	case KindRaiseVersion:
		p.Version = r.fixed32("cluster version")
	default:
		return fmt.Errorf("%w: number %d, cluster version %d", ErrUnknownKind, uint8(p.Kind), p.ClusterVersion)
	}
	if r.err != nil {
		return corrupt("%v: %v", p.Kind, r.err)
	}
	if count != want {
		return corrupt("%v: count %d, want %d", p.Kind, count, want)
	}
	return nil
}

func (d *Decoder) decodeOperations(p *Proposal, count uint32, r *reader) error {
	if count == 0 || count > ledger.MaxBatch || int(count) > len(r.b)/minOperation {
		return corrupt("%d operations in %d bytes, want 1 to %d of at least %d bytes", count, len(r.b), ledger.MaxBatch, minOperation)
	}
	if cap(d.operations) < int(count) {
		d.operations = make([]ledger.Operation, count)
	}
	p.Operations = d.operations[:count]
	for i := range p.Operations {
		r.operation(&p.Operations[i])
		switch {
		case r.err == nil:
		case errors.Is(r.err, errUnknownOperation):
			return fmt.Errorf("%w: operation %d: %w", ErrUnknownKind, i, r.err)
		case errors.Is(r.err, errUnknownField):
			return fmt.Errorf("%w: operation %d: %w", ErrNewerVersion, i, r.err)
		default:
			return corrupt("operation %d of %d: %v", i, count, r.err)
		}
	}
	return nil
}

func (d *Decoder) decodeSettings(p *Proposal, count uint32, r *reader) error {
	if count == 0 || count > MaxSettings {
		return corrupt("%d settings, want 1 to %d", count, MaxSettings)
	}
	d.settings = d.settings[:0]
	last := SettingNumber(0)
	for range count {
		number, kind := SettingNumber(r.fixed16("setting")), settingType(r.byte("setting type"))
		value := r.take("setting value", int(r.byte("setting length")))
		if r.err != nil {
			return corrupt("settings: %v", r.err)
		}
		known := settingTypeOf(number)
		if known == 0 {
			return fmt.Errorf("%w: setting number %d of type %d", ErrNewerVersion, number, kind)
		}
		if number <= last || kind != known || len(value) != 8 {
			return corrupt("setting number %d of type %d and %d bytes after number %d", number, kind, len(value), last)
		}
		last = number
		d.settings = append(d.settings, Setting{Number: number, Value: binary.LittleEndian.Uint64(value)})
	}
	p.Settings = d.settings
	if p.By = r.long("by", 0, MaxBy); r.err != nil {
		return corrupt("settings: %v", r.err)
	}
	return nil
}

func (r *reader) take(what string, n int) []byte {
	if n > len(r.b) {
		r.fail(what)
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) fixed16(what string) uint16 {
	if b := r.take(what, 2); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

func (r *reader) fixed32(what string) uint32 {
	if b := r.take(what, 4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

// long reads a text written by appendLong.
func (r *reader) long(what string, least, most int) string {
	n := int(r.fixed16(what))
	if n < least || n > most {
		r.fail(what)
		return ""
	}
	return string(r.take(what, n))
}

func (r *reader) member() (m Member, flags byte) {
	m = Member{
		ID:              r.long("member id", 1, MaxMemberID),
		MemberAddress:   r.long("member address", 1, MaxAddress),
		ClientAddress:   r.long("client address", 0, MaxAddress),
		OperatorAddress: r.long("operator address", 0, MaxAddress),
	}
	flags = r.byte("flags of a member")
	m.StayNonVoter = flags&memberStays != 0
	m.NewestVersion = r.fixed32("newest cluster version of a member")
	return m, flags
}
