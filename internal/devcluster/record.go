package devcluster

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/google/uuid"

	"github.com/ballastdb/ballast/internal/durable"
)

// The record of a development cluster, DIR/cluster.json:
//
//	{"version": 1, "cluster_id": "<UUID>", "shape": {"port": 7400, "nodes": 3, "non_voters": 0},
//	 "initialised": ["node-1", ...], "bootstrapped": true}
//
// It is what keeps a second run from making anything anew that the first one made: a member that was initialised and has
// lost its directory is an error, and a cluster is bootstrapped once.
type record struct {
	Version      int       `json:"version"`
	ClusterID    uuid.UUID `json:"cluster_id"`
	Shape        Shape     `json:"shape"`
	Initialised  []string  `json:"initialised"`
	Bootstrapped bool      `json:"bootstrapped"`

	path string
}

// Shape is what cannot change once a cluster has been made.
type Shape struct {
	// Port is the base of all ports: member i, from 1, serves clients on Port+i, members on Port+10+i, operators on Port+20+i.
	Port int `json:"port"`
	// Nodes is the number of voters, NonVoters that of the members beside them.
	Nodes     int `json:"nodes"`
	NonVoters int `json:"non_voters"`
}

const (
	recordVersion = 1
	maxRecordLen  = 64 << 10
)

// loadRecord reads the record in dir, or begins one, which is saved with the first member that is made.
func loadRecord(dir string, wanted Shape) (*record, error) {
	path := filepath.Join(dir, "cluster.json")
	file, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		id, err := uuid.NewRandom()
		if err != nil {
			return nil, err
		}
		return &record{Version: recordVersion, ClusterID: id, Shape: wanted, Initialised: []string{}, path: path}, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxRecordLen+1))
	if err != nil {
		return nil, err
	}
	r, err := decodeRecord(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w; put it back, or give another --dir", path, err)
	}
	r.path = path
	return r, nil
}

func decodeRecord(data []byte) (*record, error) {
	if len(data) > maxRecordLen {
		return nil, fmt.Errorf("is longer than %d bytes", maxRecordLen)
	}
	var r record
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&r); err != nil {
		return nil, fmt.Errorf("is not the JSON that ballast dev writes: %w", err)
	}
	switch {
	case r.Version != recordVersion:
		return nil, fmt.Errorf("expected version %d, found %d (from a newer ballast?)", recordVersion, r.Version)
	case r.ClusterID == uuid.Nil:
		return nil, errors.New("has no cluster_id")
	}
	return &r, nil
}

func (r *record) save() error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return durable.WriteFile(r.path, append(data, '\n'), 0o644)
}

func (r *record) initialised(name string) bool { return slices.Contains(r.Initialised, name) }

// agree compares what the caller asked for with what the cluster was made with.
func (r *record) agree(wanted Shape, dir string) error {
	for _, c := range []struct {
		flag        string
		made, asked int
	}{
		{"port", r.Shape.Port, wanted.Port}, {"nodes", r.Shape.Nodes, wanted.Nodes}, {"non-voters", r.Shape.NonVoters, wanted.NonVoters},
	} {
		if c.made != c.asked {
			return fmt.Errorf("the cluster in %s was made with --%s %d, not %d: leave the flag out, or give another --dir", dir, c.flag, c.made, c.asked)
		}
	}
	return nil
}
