package sink

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/ballastdb/ballast/client"
)

// Errors that need a person.
var (
	// ErrNoSchema: the tables are not there.
	ErrNoSchema = errors.New("the database has no tables of Ballast")
	// ErrOtherVersion: the tables are of a version that this program does not write.
	ErrOtherVersion = errors.New("the tables are of another version")
	// ErrOtherCluster: the tables show another cluster.
	ErrOtherCluster = errors.New("the tables show another cluster")
	// ErrOtherSink: another process keeps the tables up to date.
	ErrOtherSink = errors.New("another sink writes these tables")
	// ErrRows: the tables are not what the position says: somebody else has changed them.
	ErrRows = errors.New("the tables are not what this sink has written")
)

// errMoved: the position is another one than this session has read, which a transaction did that was thought to be lost.
var errMoved = errors.New("the position has moved meanwhile")

// database is a session with the database, whose lock keeps other sinks away.
type database struct {
	conn   *pgx.Conn
	schema string
	at     client.Position
}

// open begins a session: it makes sure that the tables are of this cluster, and reads the position. Close it.
func open(ctx context.Context, c *Config) (*database, error) {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, c.Connect)
	if err != nil {
		return nil, err
	}
	d := &database{conn: conn, schema: c.Schema}
	if err := d.begin(ctx, c); err != nil {
		return nil, errors.Join(err, d.close(c.Timeout))
	}
	return d, nil
}

func (d *database) begin(ctx context.Context, c *Config) error {
	var encoding string
	if err := d.conn.QueryRow(ctx, "SHOW server_encoding").Scan(&encoding); err != nil {
		return err
	}
	if encoding != "UTF8" {
		return fmt.Errorf("%w: its encoding is %s, expected UTF8: make another database", ErrOtherVersion, encoding)
	}
	if err := d.lock(ctx); err != nil {
		return err
	}
	var version int
	var cluster string
	var sequence, link int64
	err := d.conn.QueryRow(ctx, d.in("SELECT schema_version, cluster_id::text, sequence, link FROM %s.position")).Scan(&version, &cluster, &sequence, &link)
	switch {
	case isCode(err, undefinedTable, undefinedSchema), errors.Is(err, pgx.ErrNoRows):
		return fmt.Errorf("%w in schema %s: make them with --create", ErrNoSchema, d.schema)
	case isCode(err, undefinedColumn):
		return fmt.Errorf("%w: %w", ErrOtherVersion, err)
	case err != nil:
		return err
	case version != SchemaVersion:
		return fmt.Errorf("%w: expected %d, schema %s has %d: use the program that made them, or another schema", ErrOtherVersion, SchemaVersion, d.schema, version)
	case cluster != c.ClusterID:
		return fmt.Errorf("%w: schema %s is of cluster %s, and this is cluster %s: use another schema or database", ErrOtherCluster, d.schema, cluster, c.ClusterID)
	}
	d.at = client.Position{Sequence: uint64(sequence), Link: uint64(link)} //nolint:gosec // bit for bit what was written
	return nil
}

// lock keeps other sinks away from the schema until the session ends. The session of a sink that was killed may take a moment to end.
func (d *database) lock(ctx context.Context) error {
	h := fnv.New64a()
	_, _ = h.Write([]byte("ballast sink " + d.schema)) // it never fails
	for {
		var got bool
		if err := d.conn.QueryRow(ctx, "SELECT pg_try_advisory_lock($1)", int64(h.Sum64())).Scan(&got); err != nil { //nolint:gosec // any number will do
			if ctx.Err() != nil {
				return fmt.Errorf("%w: %w", ErrOtherSink, err)
			}
			return err
		}
		if got {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: schema %s; one is enough, and two would only wait for each other", ErrOtherSink, d.schema)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (d *database) close(patience time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return d.conn.Close(ctx)
}

// Create makes the tables, empty, for a cluster. ErrExists: they are there.
func Create(ctx context.Context, c *Config) error {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, c.Connect)
	if err != nil {
		return err
	}
	d := &database{conn: conn, schema: c.Schema}
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, DDL(c.Schema)); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, d.in("INSERT INTO %s.position (schema_version, cluster_id, sequence, link, log_time_ns) VALUES ($1, $2, 0, 0, 0)"), SchemaVersion, c.ClusterID)
		return err
	})
	if isCode(err, duplicateSchema) {
		err = fmt.Errorf("%w: schema %s: leave --create out to go on with it, or choose another schema", ErrExists, c.Schema)
	}
	return errors.Join(err, d.close(c.Timeout))
}

// ErrExists: a schema of that name is there already.
var ErrExists = errors.New("the schema exists")

// write commits a batch with its position, in one transaction: both or neither. Where it fails, which of the two it was is known only
// from a new session's position.
func (d *database) write(ctx context.Context, b *batch) error {
	err := pgx.BeginFunc(ctx, d.conn, func(tx pgx.Tx) error {
		var sequence int64
		if err := tx.QueryRow(ctx, d.in("SELECT sequence FROM %s.position FOR UPDATE")).Scan(&sequence); err != nil {
			return err
		}
		if uint64(sequence) != d.at.Sequence { //nolint:gosec // as above
			return fmt.Errorf("%w: expected %d, found %d", errMoved, d.at.Sequence, sequence)
		}
		for _, step := range []func(context.Context, pgx.Tx, *batch) error{
			d.insertLedgers, d.insertAccounts, d.updateAccounts, d.insertHolds, d.updateHolds, d.insertEntries,
		} {
			if err := step(ctx, tx, b); err != nil {
				return err
			}
		}
		_, err := tx.Exec(ctx, d.in("UPDATE %s.position SET sequence = $1, link = $2, log_time_ns = greatest(log_time_ns, $3)"),
			int64(b.to.Sequence), int64(b.to.Link), b.logTime) //nolint:gosec // bit for bit
		return err
	})
	if err != nil {
		return err
	}
	d.at = b.to
	return nil
}

// Codes of PostgreSQL.
const (
	undefinedTable  = "42P01"
	undefinedColumn = "42703"
	undefinedSchema = "3F000"
	duplicateSchema = "42P06"
)

func isCode(err error, codes ...string) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return false
	}
	for _, code := range codes {
		if pg.Code == code {
			return true
		}
	}
	return false
}

// passing tells whether an error may pass by itself: the connection broke, the server stops or is short of something, or a
// transaction was in the way.
func passing(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		switch pg.Code[:min(2, len(pg.Code))] {
		case "08", "40", "53", "55", "57", "58":
			return true
		}
		return false
	}
	for _, lasting := range []error{ErrNoSchema, ErrOtherVersion, ErrOtherCluster, ErrOtherSink, ErrRows} {
		if errors.Is(err, lasting) {
			return false
		}
	}
	return true
}

// orNone is a number that is null where there is none.
func orNone(is bool, units int64, scale uint32) pgtype.Numeric {
	if !is {
		return pgtype.Numeric{}
	}
	return numeric(units, scale)
}
