package snapshots

// Description is a snapshot in numbers.
type Description struct {
	// Index and Term that it shows.
	Index, Term uint64
	// Digest of the state, in hexadecimal digits.
	Digest string
	// Pages of the state, Bytes of them on disk.
	Pages int
	Bytes uint64
	// Packs that hold them, in order of their numbers, and PackBytes, their length in all.
	Packs     []PackDescription
	PackBytes uint64
	// Tables of the state, in order.
	Tables []TableDescription
}

// PackDescription is one pack.
type PackDescription struct {
	Number uint64
	// Length of the file, and what of it are Pages of Bytes that the snapshot needs.
	Length, Bytes uint64
	Pages         int
}

// TableDescription is one table of the state.
type TableDescription struct {
	ID uint8
	// Pages of it, Bytes of them on disk, and the log index of its newest change.
	Pages  int
	Bytes  uint64
	Newest uint64
	// RecordBytes is the length of a record; 0: not known.
	RecordBytes uint32
}

// Describe counts what a manifest names.
func (m *Manifest) Describe() Description {
	d := Description{Index: m.Index, Term: m.Term, Digest: m.Digest.String(), Pages: len(m.pages), Bytes: m.LiveBytes(), PackBytes: m.PackBytes()}
	for _, p := range m.packs {
		d.Packs = append(d.Packs, PackDescription{Number: p.number, Length: p.length})
	}
	place := 0
	for _, t := range m.tables {
		table := TableDescription{ID: t.id, Pages: int(t.count), RecordBytes: t.record}
		for _, p := range m.pages[place : place+int(t.count)] {
			table.Bytes += uint64(p.length)
			table.Newest = max(table.Newest, p.index)
			d.Packs[p.pack].Bytes += uint64(p.length)
			d.Packs[p.pack].Pages++
		}
		place += int(t.count)
		d.Tables = append(d.Tables, table)
	}
	return d
}

// Describe counts what the newest snapshot names; false: there is none, or the store must be opened again.
func (s *RaftStore) Describe() (Description, bool) {
	m, err := s.newest()
	if err != nil || m == nil {
		return Description{}, false
	}
	return m.Describe(), true
}

// ManifestFile is the name of the manifest of a snapshot.
func ManifestFile(index, term uint64) string {
	return manifestName(&Manifest{Index: index, Term: term})
}
