package datadir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/ballastdb/ballast/internal/durable"
)

// peersName is the file that tells where the other members are, for a member that can read nothing else.
const peersName = "peers"

const peersVersion = 1

// Peer is another member as it was known last.
type Peer struct {
	// ID is its raft server id, Address where members reach it.
	ID      string `json:"id"`
	Address string `json:"address"`
}

type peersRecord struct {
	Peers []Peer `json:"peers"`
}

func encodePeers(peers []Peer) ([]byte, error) {
	return encodeJSON("peers", peersVersion, peersRecord{peers})
}

func decodePeers(data []byte) ([]Peer, error) {
	r, err := decodeJSON[peersRecord]("peers", peersVersion, data)
	return r.Peers, err
}

// Peers are the other members as they were known last; none: it was never noted. A damaged note is an error.
func (d *Dir) Peers() ([]Peer, error) {
	path := filepath.Join(d.root, peersName)
	data, err := readRecord(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	peers, err := decodePeers(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w; it is written anew when the member is up", path, err)
	}
	return peers, nil
}

// WritePeers replaces the note, durably.
func (d *Dir) WritePeers(peers []Peer) error {
	data, err := encodePeers(peers)
	if err != nil {
		return err
	}
	if len(data) > maxRecord {
		return fmt.Errorf("%d members take %d bytes, at most %d are kept", len(peers), len(data), maxRecord)
	}
	return durable.WriteFile(filepath.Join(d.root, peersName), data, fileMode)
}

// Replace is the way out where the data of a member cannot be brought back.
func (d *Dir) Replace() string { return replaceMember(d.root) }
