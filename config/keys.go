package config

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Key is one setting: its name in the file, from which the names of its flag and environment variable follow.
type Key struct {
	// Name as in the file, such as "data_dir".
	Name string
	// Default is the text of the default value; empty: the key must be given, or, where the empty value is allowed, may be.
	Default string
	// Help is one line for people.
	Help string

	set func(*Config, string) error
}

// Flag is the name of the key's flag without dashes: "data-dir".
func (k Key) Flag() string { return strings.ReplaceAll(k.Name, "_", "-") }

// Env is the name of the key's environment variable: "BALLAST_DATA_DIR".
func (k Key) Env() string { return "BALLAST_" + strings.ToUpper(k.Name) }

// optional tells a key without a default that need not be given: one that accepts the empty value.
func (k Key) optional() bool { return k.set(&Config{}, "") == nil }

// Keys lists every setting, in the order in which people read them.
func Keys() []Key {
	return []Key{
		{"data_dir", "", "data directory, made by ballastd init", text(func(c *Config) *string { return &c.DataDir })},
		{"client_address", "127.0.0.1:7401", "host:port that answers clients", address(func(c *Config) *string { return &c.ClientAddress })},
		{"member_address", "127.0.0.1:7411", "host:port that answers other members", address(func(c *Config) *string { return &c.MemberAddress })},
		{"operator_address", "127.0.0.1:7421", "host:port that answers operators", address(func(c *Config) *string { return &c.OperatorAddress })},
		{"tls_ca", "", "PEM file of the certificates that are believed; with it, tls_certificate and tls_key, TLS is spoken", path(func(c *Config) *string { return &c.TLSCA })},
		{"tls_certificate", "", "PEM file of this member's certificate", path(func(c *Config) *string { return &c.TLSCertificate })},
		{"tls_key", "", "PEM file of its private key", path(func(c *Config) *string { return &c.TLSKey })},
		{"log_level", "info", "trace, debug, info, warn or error", oneOf(func(c *Config) *string { return &c.LogLevel }, "trace", "debug", "info", "warn", "error")},
		{"log_format", "json", "json or text", oneOf(func(c *Config) *string { return &c.LogFormat }, "json", "text")},
		{"log_store", "wal", "kind of raft log: boltdb or wal; that of a member's first start stays, or is converted", oneOf(func(c *Config) *string { return &c.LogStore }, "boltdb", "wal")},
		{"log_write_limit", "10s", "how long one write of the raft log may take before this member ends, 1s to 10m", duration(func(c *Config) *time.Duration { return &c.LogWriteLimit }, time.Second, 10*time.Minute)},
		{"heartbeat_timeout", "500ms", "silence after which a follower seeks votes and a leader steps down, 50ms to 1m", duration(func(c *Config) *time.Duration { return &c.HeartbeatTimeout }, 50*time.Millisecond, time.Minute)},
		{"election_timeout", "500ms", "how long a candidate waits for votes, heartbeat_timeout to 1m", duration(func(c *Config) *time.Duration { return &c.ElectionTimeout }, 50*time.Millisecond, time.Minute)},
		{"disk_low", "auto", "free space below which the disk is low: a size such as 512MiB, 0 for never, or auto", size(func(c *Config) *int64 { return &c.DiskLow })},
		{"disk_reserve", "auto", "size of the file that keeps space for recovery: a size such as 128MiB, 0 for none, or auto", size(func(c *Config) *int64 { return &c.DiskReserve })},
		{"shutdown_timeout", "10s", "bound of an orderly stop, 100ms to 10m", duration(func(c *Config) *time.Duration { return &c.ShutdownTimeout }, 100*time.Millisecond, 10*time.Minute)},
	}
}

func text(field func(*Config) *string) func(*Config, string) error {
	return func(c *Config, v string) error {
		if v == "" {
			return fmt.Errorf("it must not be empty")
		}
		*field(c) = v
		return nil
	}
}

// path may be empty: not given.
func path(field func(*Config) *string) func(*Config, string) error {
	return func(c *Config, v string) error {
		*field(c) = v
		return nil
	}
}

func oneOf(field func(*Config) *string, allowed ...string) func(*Config, string) error {
	return func(c *Config, v string) error {
		if !slices.Contains(allowed, v) {
			return fmt.Errorf("expected %s", strings.Join(allowed, ", "))
		}
		*field(c) = v
		return nil
	}
}

func duration(field func(*Config) *time.Duration, low, high time.Duration) func(*Config, string) error {
	return func(c *Config, v string) error {
		d, err := time.ParseDuration(v)
		if err != nil || d < low || d > high {
			return fmt.Errorf("expected a duration from %v to %v, with its unit", low, high)
		}
		*field(c) = d
		return nil
	}
}

func address(field func(*Config) *string) func(*Config, string) error {
	return func(c *Config, v string) error {
		if err := checkAddress(v); err != nil {
			return err
		}
		*field(c) = v
		return nil
	}
}
