package snapshots

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sort"

	"github.com/ballastdb/ballast/fsm/page"
)

const (
	manifestMagic = "BLSTMANI"
	// FormatVersion of manifests, and of the packs that they name.
	FormatVersion   = 1
	manifestHeader  = 64
	packRefBytes    = 16
	tableRefBytes   = 24
	pageRefBytes    = 32
	hashBytes       = 16
	maxMeta         = 1 << 20
	manifestSeed    = 0x6d616e6966657374
	maxManifestSize = 4 << 30
)

// Manifest names a state: where each of its pages lies, and what it is a snapshot of.
type Manifest struct {
	// Index and Term of the last log entry that the state contains.
	Index, Term uint64
	// Digest of the state, all pages.
	Digest page.Digest
	// Meta is the owner's: what the state needs beside pages. At most 1 MiB.
	Meta []byte

	packs  []packRef
	tables []tableRef
	pages  []pageRef
}

// packRef names a pack.
type packRef struct{ number, length uint64 }

// tableRef is a run of pages of one table, without gaps.
type tableRef struct {
	id           uint8
	record       uint32 // bytes of a record; 0: not known
	first, count uint64
}

// pageRef says what a page is and where it lies.
type pageRef struct {
	index, checksum, offset uint64
	length, pack            uint32
}

// before orders manifests by index, then term.
func (m *Manifest) before(o *Manifest) bool {
	return m.Index < o.Index || (m.Index == o.Index && m.Term < o.Term)
}

// Pages is the number of pages.
func (m *Manifest) Pages() int { return len(m.pages) }

// LiveBytes is what the pages take in their packs; PackBytes what the packs take in all.
func (m *Manifest) LiveBytes() (n uint64) {
	for _, p := range m.pages {
		n += uint64(p.length)
	}
	return n
}

// PackBytes is the length of all packs that the manifest names.
func (m *Manifest) PackBytes() (n uint64) {
	for _, p := range m.packs {
		n += p.length
	}
	return n
}

// id of the page at place i.
func (m *Manifest) id(i int) page.ID {
	first := 0
	for _, t := range m.tables {
		if uint64(i-first) < t.count {
			return page.ID{Table: t.id, Number: t.first + uint64(i-first)}
		}
		first += int(t.count)
	}
	return page.ID{}
}

// find is the place of a page; false where the state does not have it.
func (m *Manifest) find(id page.ID) (int, bool) {
	first := 0
	for _, t := range m.tables {
		if t.id == id.Table {
			if id.Number < t.first || id.Number-t.first >= t.count {
				return 0, false
			}
			return first + int(id.Number-t.first), true
		}
		first += int(t.count)
	}
	return 0, false
}

// add puts a page behind the others: a table's pages come in order and without a gap.
func (m *Manifest) add(id page.ID, recordSize uint32, ref pageRef) error {
	n := len(m.tables)
	if n == 0 || m.tables[n-1].id != id.Table {
		for _, t := range m.tables {
			if t.id == id.Table {
				return fmt.Errorf("snapshots: table %d comes twice", id.Table)
			}
		}
		m.tables = append(m.tables, tableRef{id: id.Table, record: recordSize, first: id.Number})
		n++
	}
	t := &m.tables[n-1]
	if id.Number != t.first+t.count {
		return fmt.Errorf("snapshots: page %d of table %d comes where page %d belongs", id.Number, id.Table, t.first+t.count)
	}
	if t.record != recordSize {
		return fmt.Errorf("snapshots: page %d of table %d has records of %d bytes, the one before of %d", id.Number, id.Table, recordSize, t.record)
	}
	t.count++
	m.pages = append(m.pages, ref)
	return nil
}

// each calls yield for every page in order, until its first error.
func (m *Manifest) each(yield func(i int, t *tableRef, id page.ID) error) error {
	i := 0
	for n := range m.tables {
		t := &m.tables[n]
		for at := range t.count {
			if err := yield(i, t, page.ID{Table: t.id, Number: t.first + at}); err != nil {
				return err
			}
			i++
		}
	}
	return nil
}

// recordSize of a table, 0: not known.
func (m *Manifest) recordSize(table uint8) int {
	for _, t := range m.tables {
		if t.id == table {
			return int(t.record)
		}
	}
	return 0
}

// encodedBytes is the length of what encode writes.
func (m *Manifest) encodedBytes() int {
	return manifestHeader + packRefBytes*len(m.packs) + tableRefBytes*len(m.tables) + pageRefBytes*len(m.pages) + len(m.Meta) + hashBytes
}

// encode writes the manifest in the format of README.md.
func (m *Manifest) encode() []byte {
	le := binary.LittleEndian
	b := make([]byte, 0, m.encodedBytes())
	b = append(b, manifestMagic...)
	b = le.AppendUint32(b, FormatVersion)
	b = le.AppendUint32(b, uint32(len(m.Meta)))
	b = le.AppendUint64(b, m.Index)
	b = le.AppendUint64(b, m.Term)
	b = append(b, m.Digest.Bytes()...)
	b = le.AppendUint32(b, uint32(len(m.packs)))
	b = le.AppendUint32(b, uint32(len(m.tables)))
	b = le.AppendUint64(b, uint64(len(m.pages)))
	for _, p := range m.packs {
		b = le.AppendUint64(b, p.number)
		b = le.AppendUint64(b, p.length)
	}
	for _, t := range m.tables {
		b = le.AppendUint32(b, uint32(t.id))
		b = le.AppendUint32(b, t.record)
		b = le.AppendUint64(b, t.first)
		b = le.AppendUint64(b, t.count)
	}
	for _, p := range m.pages {
		b = le.AppendUint64(b, p.index)
		b = le.AppendUint64(b, p.checksum)
		b = le.AppendUint64(b, p.offset)
		b = le.AppendUint32(b, p.length)
		b = le.AppendUint32(b, p.pack)
	}
	return seal(append(b, m.Meta...))
}

// seal appends the hash of b.
func seal(b []byte) []byte {
	lo, hi := page.Hash(manifestSeed, b)
	b = binary.LittleEndian.AppendUint64(b, lo)
	return binary.LittleEndian.AppendUint64(b, hi)
}

// Reasons why bytes are not a manifest.
var (
	errShort   = errors.New("it is cut off")
	errMagic   = errors.New("it does not begin as such a file does")
	errVersion = errors.New("its format version is not 1; it may be a newer Ballast's")
	errHash    = errors.New("its checksum does not fit its contents")
	errMeaning = errors.New("its parts contradict each other")
)

// decode reads what encode wrote. Nothing is allocated for what the bytes cannot hold.
func decode(b []byte) (*Manifest, error) {
	le := binary.LittleEndian
	if len(b) < manifestHeader+hashBytes {
		return nil, errShort
	}
	if string(b[:8]) != manifestMagic {
		return nil, errMagic
	}
	if le.Uint32(b[8:]) != FormatVersion {
		return nil, errVersion
	}
	body := b[:len(b)-hashBytes]
	lo, hi := page.Hash(manifestSeed, body)
	if le.Uint64(b[len(body):]) != lo || le.Uint64(b[len(body)+8:]) != hi {
		return nil, errHash
	}
	m := &Manifest{Index: le.Uint64(b[16:]), Term: le.Uint64(b[24:])}
	m.Digest, _ = page.DigestFromBytes(b[32:48])
	meta, packs, tables, pages := le.Uint32(b[12:]), le.Uint32(b[48:]), le.Uint32(b[52:]), le.Uint64(b[56:])
	rest := body[manifestHeader:]
	if meta > maxMeta || pages > uint64(len(rest)) ||
		uint64(len(rest)) != uint64(packs)*packRefBytes+uint64(tables)*tableRefBytes+pages*pageRefBytes+uint64(meta) {
		return nil, errMeaning
	}
	m.packs = make([]packRef, packs)
	for i := range m.packs {
		m.packs[i] = packRef{le.Uint64(rest), le.Uint64(rest[8:])}
		rest = rest[packRefBytes:]
	}
	runs := rest[:uint64(tables)*tableRefBytes]
	rest = rest[len(runs):]
	m.pages = make([]pageRef, 0, pages)
	for ; len(runs) > 0; runs = runs[tableRefBytes:] {
		id, record, first, count := le.Uint32(runs), le.Uint32(runs[4:]), le.Uint64(runs[8:]), le.Uint64(runs[16:])
		if id > 255 || record > page.Size || count == 0 || count > pages-uint64(len(m.pages)) || first+count < first {
			return nil, errMeaning
		}
		for n := range count {
			ref := pageRef{le.Uint64(rest), le.Uint64(rest[8:]), le.Uint64(rest[16:]), le.Uint32(rest[24:]), le.Uint32(rest[28:])}
			rest = rest[pageRefBytes:]
			if !m.holds(ref) || m.add(page.ID{Table: uint8(id), Number: first + n}, record, ref) != nil {
				return nil, errMeaning
			}
		}
	}
	if uint64(len(m.pages)) != pages || len(m.tables) != int(tables) {
		return nil, errMeaning
	}
	m.Meta = append([]byte(nil), rest...)
	return m, nil
}

// holds reports whether the page lies within one of the packs.
func (m *Manifest) holds(p pageRef) bool {
	if int(p.pack) >= len(m.packs) || p.length > page.Size || p.offset < packHeader {
		return false
	}
	length := m.packs[p.pack].length
	return p.offset <= length && uint64(p.length) <= length-p.offset
}

// prune drops the packs that hold no page and renumbers the rest in order of their numbers.
func (m *Manifest) prune() {
	live := make([]bool, len(m.packs))
	for _, p := range m.pages {
		live[p.pack] = true
	}
	order := make([]int, 0, len(m.packs))
	for i, l := range live {
		if l {
			order = append(order, i)
		}
	}
	sort.Slice(order, func(a, b int) bool { return m.packs[order[a]].number < m.packs[order[b]].number })
	place := make([]uint32, len(m.packs))
	packs := make([]packRef, len(order))
	for to, from := range order {
		place[from], packs[to] = uint32(to), m.packs[from]
	}
	for i := range m.pages {
		m.pages[i].pack = place[m.pages[i].pack]
	}
	m.packs = packs
}
