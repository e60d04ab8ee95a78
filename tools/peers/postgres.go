package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ballastdb/ballast/internal/childproc"
	"github.com/ballastdb/ballast/internal/devtools/compare"
	"github.com/ballastdb/ballast/internal/workload"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// postgresPeer is a PostgreSQL primary with two standbys, of which one must have a commit on its disk before it is
// answered (synchronous_standby_names ANY 1).
type postgresPeer struct {
	processes
	bin, version string
	credential   *syscall.Credential // nil: as this process
	password     string
	ports        []int
	connections  int // of each pool; 0: postgresConnections
	primary      *pgxpool.Pool
	standby      *pgxpool.Pool
}

// Name of the peer.
func (*postgresPeer) Name() string { return "postgres" }

// postgresConnections are fewer than callers, who take turns at them in the pool: a process each for 256 callers would
// spend the processors on switching, and 64 commits at a time already share their fsyncs.
const postgresConnections = 64

// Start makes and starts a primary and two standbys, and waits until both stream.
func (p *postgresPeer) Start(ctx context.Context, env compare.Env) (err error) {
	postgres, err := find("postgres", "/usr/lib/postgresql/*/bin/postgres")
	if err != nil {
		return err
	}
	// Its other programs lie beside it, not beside a link to it.
	if postgres, err = filepath.EvalSymlinks(postgres); err != nil {
		return err
	}
	p.bin = filepath.Dir(postgres)
	if err := p.chooseUser(env.Dir); err != nil {
		return err
	}
	if p.connections == 0 {
		p.connections = postgresConnections
	}
	p.password = rand.Text()
	if p.ports, err = ports(members); err != nil {
		return err
	}
	if err := p.makePrimary(ctx, env.Dir); err != nil {
		return err
	}
	if err := p.run(env.Dir, 0); err != nil {
		return err
	}
	if p.primary, err = p.pool(ctx, 0); err != nil {
		return err
	}
	if err := p.await(ctx, "the primary", p.primary.Ping); err != nil {
		return err
	}
	for i := 1; i < members; i++ {
		if err := p.makeStandby(ctx, env.Dir, i); err != nil {
			return err
		}
		if err := p.run(env.Dir, i); err != nil {
			return err
		}
	}
	if p.standby, err = p.pool(ctx, 1); err != nil {
		return err
	}
	if err := p.await(ctx, "the standby", p.standby.Ping); err != nil {
		return err
	}
	if err := p.primary.QueryRow(ctx, "SHOW server_version").Scan(&p.version); err != nil {
		return err
	}
	// Only now, or the primary would have waited for standbys that did not exist.
	for _, statement := range []string{
		"ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (\"node-2\", \"node-3\")'", "SELECT pg_reload_conf()",
	} {
		if _, err := p.primary.Exec(ctx, statement); err != nil {
			return err
		}
	}
	return p.await(ctx, "synchronous standbys", p.Verify)
}

// chooseUser has the servers run as somebody else where this process is root's: they refuse to be.
func (p *postgresPeer) chooseUser(dir string) error {
	if os.Getuid() != 0 {
		return nil
	}
	who, err := user.Lookup("postgres")
	if err != nil {
		if who, err = user.Lookup("nobody"); err != nil {
			return fmt.Errorf("%w: PostgreSQL does not run as root, and there is neither a user postgres nor nobody: %w", compare.ErrMissing, err)
		}
	}
	uid, err := strconv.ParseUint(who.Uid, 10, 32)
	if err != nil {
		return err
	}
	gid, err := strconv.ParseUint(who.Gid, 10, 32)
	if err != nil {
		return err
	}
	p.credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return os.Chown(dir, int(uid), int(gid))
}

func node(dir string, i int) string { return filepath.Join(dir, fmt.Sprintf("node-%d", i+1)) }

// tool runs one of PostgreSQL's programs to its end.
func (p *postgresPeer) tool(ctx context.Context, dir, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, filepath.Join(p.bin, name), args...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + p.bin + ":/usr/bin:/bin", "PGPASSWORD=" + p.password, "LC_ALL=C"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.credential, Pdeathsig: syscall.SIGKILL}
	output, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, output)
	}
	return nil
}

func (p *postgresPeer) makePrimary(ctx context.Context, dir string) error {
	secret := filepath.Join(dir, "password")
	if err := os.WriteFile(secret, []byte(p.password), 0o600); err != nil {
		return err
	}
	if p.credential != nil {
		if err := os.Chown(secret, int(p.credential.Uid), int(p.credential.Gid)); err != nil {
			return err
		}
	}
	err := p.tool(ctx, dir, "initdb", "-D", node(dir, 0), "-U", "bench", "-A", "scram-sha-256", "--pwfile", secret, "-E", "UTF8", "--locale", "C")
	if err != nil {
		return fmt.Errorf("can %s reach %s? %w", p.who(), dir, err)
	}
	return os.Remove(secret)
}

func (p *postgresPeer) who() string {
	if p.credential == nil {
		return "this user"
	}
	return fmt.Sprintf("user %d", p.credential.Uid)
}

func (p *postgresPeer) makeStandby(ctx context.Context, dir string, i int) error {
	source := fmt.Sprintf("host=127.0.0.1 port=%d user=bench password=%s application_name=node-%d", p.ports[0], p.password, i+1)
	return p.tool(ctx, dir, "pg_basebackup", "-D", node(dir, i), "-R", "-c", "fast", "-X", "stream", "-d", source)
}

// settings of all three, beside the defaults.
func (p *postgresPeer) settings() []string {
	return []string{
		"fsync=on", "synchronous_commit=on", "full_page_writes=on", "max_connections=300", "max_wal_senders=8",
		"shared_buffers=1GB", "max_wal_size=8GB", "hot_standby=on", "password_encryption=scram-sha-256",
	}
}

func (p *postgresPeer) run(dir string, i int) error {
	args := []string{"-D", node(dir, i), "-p", strconv.Itoa(p.ports[i]), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="}
	for _, setting := range p.settings() {
		args = append(args, "-c", setting)
	}
	return p.start(childproc.Spec{
		Path: filepath.Join(p.bin, "postgres"), Args: args, Dir: dir, Env: []string{"LC_ALL=C"}, Credential: p.credential,
		LogFile: node(dir, i) + ".log", StopSignal: syscall.SIGINT, // fast: without waiting for connections
	})
}

func (p *postgresPeer) pool(ctx context.Context, i int) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(fmt.Sprintf("host=127.0.0.1 port=%d user=bench password=%s dbname=postgres sslmode=disable pool_max_conns=%d",
		p.ports[i], p.password, p.connections))
	if err != nil {
		return nil, err
	}
	return pgxpool.NewWithConfig(ctx, config)
}

// Settings that matter.
func (p *postgresPeer) Settings() []string {
	return []string{
		"PostgreSQL " + p.version + ", a primary and two standbys, synchronous_standby_names ANY 1 of them; " + strconv.Itoa(p.connections) + " connections",
		strings.Join(p.settings(), ", ") + "; all else as by default",
		"a call is one function in one round trip: the id is inserted (or its answer returned), the rows are locked in order, the floor checked, both rows updated",
		"a call of many operations is one transaction; reads that must be fresh from the primary, stale ones from a standby",
	}
}

// Verify wants both standbys streaming and counted for the quorum, and durable settings.
func (p *postgresPeer) Verify(ctx context.Context) error {
	if err := p.alive(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var streaming int
	err := p.primary.QueryRow(ctx, "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming' AND sync_state IN ('sync', 'quorum')").Scan(&streaming)
	if err != nil {
		return err
	}
	if streaming != members-1 {
		return fmt.Errorf("%d synchronous standbys stream, expected %d", streaming, members-1)
	}
	for name, want := range map[string]string{"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"} {
		var found string
		if err := p.primary.QueryRow(ctx, "SHOW "+name).Scan(&found); err != nil {
			return err
		}
		if found != want {
			return fmt.Errorf("%s is %s, expected %s", name, found, want)
		}
	}
	return nil
}

// schema has what keeps a change from happening twice, and both ways to make one. apply_changes locks all its rows in
// order first, so that two of it cannot wait for each other.
const schema = `
CREATE TABLE accounts (id text PRIMARY KEY, balance bigint NOT NULL, lowest bigint NOT NULL);
CREATE TABLE operations (id uuid PRIMARY KEY, done boolean NOT NULL);
CREATE FUNCTION apply_change(op uuid, source text, target text, amount bigint) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  enough boolean := true;
  known boolean;
BEGIN
  INSERT INTO operations VALUES (op, true) ON CONFLICT DO NOTHING;
  IF NOT FOUND THEN
    SELECT done INTO known FROM operations WHERE id = op;
    RETURN known;
  END IF;
  IF source <> '' AND target <> '' AND source > target THEN
    PERFORM 1 FROM accounts WHERE id = target FOR UPDATE;
  END IF;
  IF source <> '' THEN
    UPDATE accounts SET balance = balance - amount WHERE id = source AND balance - amount >= lowest;
    enough := FOUND;
  END IF;
  IF enough AND target <> '' THEN
    UPDATE accounts SET balance = balance + amount WHERE id = target;
  END IF;
  IF NOT enough THEN
    UPDATE operations SET done = false WHERE id = op;
  END IF;
  RETURN enough;
END $$;
CREATE FUNCTION apply_changes(ops uuid[], sources text[], targets text[], amounts bigint[]) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  refused bigint;
BEGIN
  PERFORM 1 FROM accounts WHERE id = ANY (sources || targets) ORDER BY id FOR UPDATE;
  SELECT count(*) FILTER (WHERE NOT apply_change(op, source, target, amount)) INTO refused
    FROM unnest(ops, sources, targets, amounts) AS c (op, source, target, amount);
  RETURN refused;
END $$;
`

// Prepare makes the tables and the accounts.
func (p *postgresPeer) Prepare(ctx context.Context, accounts int) error {
	if _, err := p.primary.Exec(ctx, schema); err != nil {
		return err
	}
	next := 0
	rows := pgx.CopyFromFunc(func() ([]any, error) {
		if next == accounts {
			return nil, nil
		}
		next++
		return []any{workload.AccountID(next - 1), int64(0), lowest}, nil
	})
	if _, err := p.primary.CopyFrom(ctx, pgx.Identifier{"accounts"}, []string{"id", "balance", "lowest"}, rows); err != nil {
		return err
	}
	if _, err := p.primary.Exec(ctx, "VACUUM ANALYZE accounts"); err != nil {
		return err
	}
	warm := "SELECT apply_change(gen_random_uuid(), '', '', 0)"
	return errors.Join(p.connectAll(ctx, p.primary, warm), p.connectAll(ctx, p.standby, "SELECT balance FROM accounts LIMIT 1"))
}

// connectAll opens all connections of a pool and has each do something: a server process for each, which knows the tables
// and has compiled the function, must be there before anything is measured.
func (p *postgresPeer) connectAll(ctx context.Context, pool *pgxpool.Pool, warm string) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for range p.connections {
		c, err := pool.Acquire(ctx)
		if err != nil {
			return err
		}
		defer c.Release() // all at the end, so that each Acquire opens another
		if _, err := c.Exec(ctx, warm); err != nil {
			return err
		}
	}
	return nil
}

// Targets is the usual transaction.
func (p *postgresPeer) Targets() []compare.Target {
	return []compare.Target{{
		Name: compare.Postgres, Promise: "idempotent, with a floor; on the primary's disk and a standby's", Target: postgresTarget{p},
	}}
}

// Stop ends the processes.
func (p *postgresPeer) Stop() error {
	var errs []error
	for _, pool := range []*pgxpool.Pool{p.primary, p.standby} {
		if pool != nil {
			pool.Close()
		}
	}
	return errors.Join(append(errs, p.stop())...)
}

type postgresTarget struct{ p *postgresPeer }

// Submit makes the changes in one transaction.
func (t postgresTarget) Submit(ctx context.Context, ops []*ballastv1.Operation) (refused int, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	changes, err := changesOf(ops)
	if err != nil {
		return 0, err
	}
	if len(changes) == 1 {
		c := changes[0]
		var done bool
		err := t.p.primary.QueryRow(ctx, "SELECT apply_change($1, $2, $3, $4)", c.id, c.from, c.to, c.amount).Scan(&done)
		if !done {
			refused = 1
		}
		return refused, err
	}
	ids, from, to, amounts := make([]string, len(changes)), make([]string, len(changes)), make([]string, len(changes)), make([]int64, len(changes))
	for i, c := range changes {
		ids[i], from[i], to[i], amounts[i] = c.id, c.from, c.to, c.amount
	}
	err = t.p.primary.QueryRow(ctx, "SELECT apply_changes($1, $2, $3, $4)", ids, from, to, amounts).Scan(&refused)
	return refused, err
}

// Read reads balances in one query, of the primary unless stale.
func (t postgresTarget) Read(ctx context.Context, accounts []string, stale bool) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	pool := t.p.primary
	if stale {
		pool = t.p.standby
	}
	if len(accounts) == 1 {
		var balance int64
		return pool.QueryRow(ctx, "SELECT balance FROM accounts WHERE id = $1", accounts[0]).Scan(&balance)
	}
	var found int
	err := pool.QueryRow(ctx, "SELECT count(balance) FROM accounts WHERE id = ANY ($1)", accounts).Scan(&found)
	return err
}
