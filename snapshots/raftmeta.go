package snapshots

import (
	"encoding/binary"
	"fmt"

	"github.com/hashicorp/raft"
)

// What raft keeps with a snapshot, in front of the owner's own, is the manifest's Meta. README.md has the table.
const (
	raftMetaVersion = 1
	raftMetaHeader  = 24
)

// raftMeta is a manifest's Meta.
type raftMeta struct {
	version            raft.SnapshotVersion
	configuration      raft.Configuration
	configurationIndex uint64
	owner              []byte
}

func (m *raftMeta) encode() []byte {
	configuration := raft.EncodeConfiguration(m.configuration)
	le := binary.LittleEndian
	b := make([]byte, 0, raftMetaHeader+len(m.owner)+len(configuration))
	b = le.AppendUint32(b, raftMetaVersion)
	b = le.AppendUint32(b, uint32(m.version))
	b = le.AppendUint64(b, m.configurationIndex)
	b = le.AppendUint32(b, uint32(len(m.owner)))
	b = le.AppendUint32(b, uint32(len(configuration)))
	b = append(b, m.owner...)
	return append(b, configuration...)
}

// decodeRaftMeta reads what encode wrote.
func decodeRaftMeta(b []byte) (m raftMeta, err error) {
	le := binary.LittleEndian
	if len(b) < raftMetaHeader {
		return m, fmt.Errorf("snapshots: raft's part: %w", errShort)
	}
	if le.Uint32(b) != raftMetaVersion {
		return m, fmt.Errorf("snapshots: raft's part: %w", errVersion)
	}
	m.version, m.configurationIndex = raft.SnapshotVersion(le.Uint32(b[4:])), le.Uint64(b[8:])
	owner, configuration := uint64(le.Uint32(b[16:])), uint64(le.Uint32(b[20:]))
	if rest := uint64(len(b) - raftMetaHeader); owner+configuration != rest || m.version < raft.SnapshotVersionMin || m.version > raft.SnapshotVersionMax {
		return m, fmt.Errorf("snapshots: raft's part: %w", errMeaning)
	}
	m.owner = b[raftMetaHeader : raftMetaHeader+owner : raftMetaHeader+owner]
	m.configuration, err = decodeConfiguration(b[raftMetaHeader+owner:])
	return m, err
}

// decodeConfiguration is raft's, which panics where it cannot.
func decodeConfiguration(b []byte) (c raft.Configuration, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("snapshots: raft's configuration cannot be read: %v", p)
		}
	}()
	return raft.DecodeConfiguration(b), nil
}
