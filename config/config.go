// Package config reads a member's local configuration: a flag wins over the environment, the environment over the
// file, the file over the default, and every value remembers where it came from. It is strict: a key that is not
// known, a value of the wrong type and a value out of bounds are errors. docs/configuration.md lists the keys.
//
// Only what is local to a member is configured here. Roles and membership come from consensus, and run-time settings are
// replicated state.
package config

import "time"

// Config is the effective configuration of a member. Load checks every field.
type Config struct {
	// DataDir is the data directory, made by `ballastd init`.
	DataDir string
	// ClientAddress, MemberAddress and OperatorAddress are host:port: listened on, and told to others. They differ.
	ClientAddress, MemberAddress, OperatorAddress string
	// TLSCA, TLSCertificate and TLSKey are the paths of PEM files: whose certificates are believed, our own, its key. All are
	// given or none; without them the addresses are loopback addresses.
	TLSCA, TLSCertificate, TLSKey string
	// LogLevel is trace, debug, info, warn or error; LogFormat json or text.
	LogLevel, LogFormat string
	// LogStore is the kind of raft log: boltdb or wal.
	LogStore string
	// LogWriteLimit is how long one write of the raft log may take. The process ends then: its disk hangs.
	LogWriteLimit time.Duration
	// HeartbeatTimeout is how long a follower hears nothing before it seeks votes, and a leader before it steps down.
	HeartbeatTimeout time.Duration
	// ElectionTimeout is how long a candidate waits for votes; at least HeartbeatTimeout.
	ElectionTimeout time.Duration
	// DiskLow is how many bytes must be free on the data directory's disk, DiskReserve how many a file keeps free for the time when
	// there are none; 0: nobody looks, diskspace.Auto: a part of the disk.
	DiskLow, DiskReserve int64
	// ShutdownTimeout bounds an orderly stop: handing leadership over and answering what is in flight.
	ShutdownTimeout time.Duration
}

// TLS tells whether connections are secured.
func (c Config) TLS() bool { return c.TLSCA != "" }
