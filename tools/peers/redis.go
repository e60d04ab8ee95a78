package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/ballastdb/ballast/internal/childproc"
	"github.com/ballastdb/ballast/internal/devtools/compare"
	"github.com/ballastdb/ballast/internal/workload"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// redisPeer is a Redis master with two replicas. Every write is in an AOF that is fsynced before it is answered, and waited
// for until one replica has it (WAIT 1). Redis 7.0 counts a replica that has received it; with the same AOF setting a
// replica's fsync comes before its acknowledgement, in the same turn of its event loop.
type redisPeer struct {
	processes
	program string
	version string
	nodes   []*redis.Client // the master first
}

// Name of the peer.
func (*redisPeer) Name() string { return "redis" }

const (
	redisConnections = 256
	waitMillis       = 10_000
	idSeconds        = 7 * 24 * 3600 // how long an operation id is remembered, as by default in Ballast
)

// Start starts the three and waits until both replicas are in step.
func (p *redisPeer) Start(ctx context.Context, env compare.Env) (err error) {
	if p.program, err = find("redis-server"); err != nil {
		return err
	}
	found, err := ports(members)
	if err != nil {
		return err
	}
	for i, port := range found {
		dir := filepath.Join(env.Dir, fmt.Sprintf("node-%d", i+1))
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
		master := 0
		if i > 0 {
			master = found[0]
		}
		config := filepath.Join(dir, "redis.conf")
		if err := os.WriteFile(config, []byte(redisConfig(dir, port, master)), 0o600); err != nil {
			return err
		}
		if err := p.start(childproc.Spec{Path: p.program, Args: []string{config}, LogFile: filepath.Join(dir, "log")}); err != nil {
			return err
		}
		p.nodes = append(p.nodes, redis.NewClient(&redis.Options{
			Addr: fmt.Sprintf("127.0.0.1:%d", port), PoolSize: redisConnections, MaxRetries: -1, ReadTimeout: callTimeout, DisableIdentity: true,
			ContextTimeoutEnabled: true,
		}))
	}
	if err := p.await(ctx, "redis and its replicas", p.settled); err != nil {
		return err
	}
	p.version = info(ctx, p.nodes[0], "server")["redis_version"]
	return nil
}

func redisConfig(dir string, port, master int) string {
	lines := []string{
		"bind 127.0.0.1", fmt.Sprintf("port %d", port), "dir " + dir, "daemonize no",
		"appendonly yes", "appendfsync always", "no-appendfsync-on-rewrite no", `save ""`,
		"repl-diskless-sync yes", "repl-diskless-sync-delay 0", "replica-read-only yes",
		"shutdown-timeout 0", // the replicas that a master would wait for end at the same time
	}
	if master != 0 {
		lines = append(lines, fmt.Sprintf("replicaof 127.0.0.1 %d", master))
	}
	return strings.Join(lines, "\n") + "\n"
}

// Settings that matter.
func (p *redisPeer) Settings() []string {
	return []string{
		"Redis " + p.version + ", a master and two replicas; reads that must be fresh from the master, stale ones from a replica",
		`appendonly yes, appendfsync always, save "", repl-diskless-sync-delay 0; all else as by default`,
		"every call is one pipeline that ends in WAIT 1 10000, which must answer at least 1; up to 256 connections",
		"redis-incrby: INCRBY, in MULTI for a transfer; no idempotency, no floor",
		"redis-script: a Lua script checks id and floor, changes the balances and keeps the answer by id for 7 days",
	}
}

// Verify wants two replicas in step with the master, every AOF on, synchronous and well.
func (p *redisPeer) Verify(ctx context.Context) error {
	if err := p.alive(); err != nil {
		return err
	}
	for i, node := range p.nodes {
		fsync, err := node.ConfigGet(ctx, "appendfsync").Result()
		if err != nil {
			return err
		}
		aof := info(ctx, node, "persistence")
		if fsync["appendfsync"] != "always" || aof["aof_enabled"] != "1" || aof["aof_last_write_status"] != "ok" {
			return fmt.Errorf("node %d: appendfsync %q, aof_enabled %q, aof_last_write_status %q; expected always, 1, ok",
				i+1, fsync["appendfsync"], aof["aof_enabled"], aof["aof_last_write_status"])
		}
	}
	replication := info(ctx, p.nodes[0], "replication")
	for i := range members - 1 {
		if line := replication[fmt.Sprintf("slave%d", i)]; !strings.Contains(line, "state=online") {
			return fmt.Errorf("replica %d of the master is %q, expected one that is online", i, line)
		}
	}
	return nil
}

// settled is Verify, and that every AOF begins with the whole state: before that a replica could not start from its disk,
// and does not stop in order either.
func (p *redisPeer) settled(ctx context.Context) error {
	for i, node := range p.nodes {
		aof := info(ctx, node, "persistence")
		if aof["aof_rewrite_in_progress"] != "0" || aof["aof_rewrite_scheduled"] != "0" || aof["loading"] != "0" {
			return fmt.Errorf("node %d is still writing or reading its first AOF", i+1)
		}
	}
	return p.Verify(ctx)
}

// info is a section of INFO; empty where it cannot be had.
func info(ctx context.Context, node *redis.Client, section string) map[string]string {
	fields := map[string]string{}
	text, _ := node.Info(ctx, section).Result()
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			fields[name] = value
		}
	}
	return fields
}

// Prepare gives every account a balance of 0.
func (p *redisPeer) Prepare(ctx context.Context, accounts int) error {
	const batch = 1000
	for first := 0; first < accounts; first += batch {
		var pairs []any
		for i := first; i < min(first+batch, accounts); i++ {
			pairs = append(pairs, workload.AccountID(i), 0)
		}
		if err := p.nodes[0].MSet(ctx, pairs...).Err(); err != nil {
			return err
		}
	}
	return p.nodes[0].Wait(ctx, members-1, stopPatience).Err()
}

// Targets are the plain command and the script.
func (p *redisPeer) Targets() []compare.Target {
	return []compare.Target{
		{Name: compare.RedisIncr, Promise: "no idempotency, no floor; AOF fsynced, one replica has it", Target: redisIncr{p}},
		{Name: compare.RedisScript, Promise: "idempotent, with a floor; AOF fsynced, one replica has it", Target: &redisScript{redisIncr{p}, redis.NewScript(debitScript)}},
	}
}

// Stop ends the processes.
func (p *redisPeer) Stop() error {
	var errs []error
	for _, node := range p.nodes {
		errs = append(errs, node.Close())
	}
	return errors.Join(append(errs, p.stop())...)
}

// waited runs a pipeline that is followed by WAIT, and refuses what no replica has.
func (p *redisPeer) waited(ctx context.Context, pipe redis.Pipeliner) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	wait := pipe.Do(ctx, "WAIT", 1, waitMillis)
	if _, err := pipe.Exec(ctx); err != nil {
		return err
	}
	replicas, err := wait.Int()
	if err == nil && replicas < 1 {
		err = fmt.Errorf("WAIT answers that %d replicas have the write, expected at least 1", replicas)
	}
	return err
}

// redisIncr adds to balances.
type redisIncr struct{ p *redisPeer }

// Submit does a call in one pipeline.
func (t redisIncr) Submit(ctx context.Context, ops []*ballastv1.Operation) (int, error) {
	pipe := t.p.nodes[0].Pipeline()
	for _, op := range ops {
		c, err := changeOf(op)
		if err != nil {
			return 0, err
		}
		if c.from != "" && c.to != "" {
			pipe.Do(ctx, "MULTI")
			pipe.Do(ctx, "INCRBY", c.from, -c.amount) // whose answer is QUEUED, which IncrBy does not expect
			pipe.Do(ctx, "INCRBY", c.to, c.amount)
			pipe.Do(ctx, "EXEC")
			continue
		}
		account, amount := c.to, c.amount
		if c.from != "" {
			account, amount = c.from, -c.amount
		}
		pipe.IncrBy(ctx, account, amount)
	}
	return 0, t.p.waited(ctx, pipe)
}

// Read reads balances, of the master unless stale.
func (t redisIncr) Read(ctx context.Context, accounts []string, stale bool) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	node := t.p.nodes[0]
	if stale {
		node = t.p.nodes[1]
	}
	values, err := node.MGet(ctx, accounts...).Result()
	for i, value := range values {
		if value == nil {
			return fmt.Errorf("account %s is not there, expected it to be prepared", accounts[i])
		}
	}
	return err
}

// debitScript answers 1 where the change was made, 0 where it was refused, and the same again for the same id.
//
//	KEYS: key of the id, debited account or "", credited account or ""; ARGV: amount, lowest balance, seconds to keep the id
const debitScript = `
local known = redis.call('GET', KEYS[1])
if known then return tonumber(known) end
local done = 1
if KEYS[2] ~= '' then
  local balance = tonumber(redis.call('GET', KEYS[2]) or '0')
  if balance - tonumber(ARGV[1]) < tonumber(ARGV[2]) then
    done = 0
  else
    redis.call('INCRBY', KEYS[2], -tonumber(ARGV[1]))
  end
end
if done == 1 and KEYS[3] ~= '' then redis.call('INCRBY', KEYS[3], ARGV[1]) end
redis.call('SET', KEYS[1], done, 'EX', ARGV[3])
return done
`

// redisScript changes balances at most once an id.
type redisScript struct {
	redisIncr
	script *redis.Script
}

// Submit does a call in one pipeline.
func (t *redisScript) Submit(ctx context.Context, ops []*ballastv1.Operation) (refused int, err error) {
	changes, err := changesOf(ops)
	if err != nil {
		return 0, err
	}
	pipe := t.p.nodes[0].Pipeline()
	answers := make([]*redis.Cmd, len(changes))
	for i, c := range changes {
		answers[i] = t.script.EvalSha(ctx, pipe, []string{"id:" + c.id, c.from, c.to}, c.amount, strconv.FormatInt(lowest, 10), idSeconds)
	}
	err = t.p.waited(ctx, pipe)
	if err != nil && redis.HasErrorPrefix(err, "NOSCRIPT") {
		if err := t.script.Load(ctx, t.p.nodes[0]).Err(); err != nil {
			return 0, err
		}
		return t.Submit(ctx, ops)
	}
	if err != nil {
		return 0, err
	}
	for _, answer := range answers {
		done, err := answer.Int()
		if err != nil {
			return 0, err
		}
		refused += 1 - done
	}
	return refused, nil
}
