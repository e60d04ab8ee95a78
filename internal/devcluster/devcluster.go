package devcluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/BurntSushi/toml"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/internal/durable"
	"github.com/ballastdb/ballast/internal/forming"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// Config of a development cluster.
type Config struct {
	// Dir holds everything of the cluster; it is made where it is missing.
	Dir string
	// Program is the path of ballastd.
	Program string
	// Shape that is wanted; a field that is 0 (NonVoters: negative) takes the one the cluster was made with, or the default.
	Shape Shape
	// Restart starts members that die again.
	Restart bool
	// LogStore is the kind of the members' raft logs; empty: the default. It must be that with which the cluster was made.
	LogStore string
	// Tell is told what happens to members, from several goroutines, one at a time.
	Tell func(text string)
}

// Defaults of a cluster's shape.
const (
	DefaultPort  = 7400
	DefaultNodes = 3
)

// formTimeout bounds the making of a cluster, from the members' first answers to a leader.
const formTimeout = time.Minute

// Cluster is a running development cluster.
type Cluster struct {
	members []Member
	record  *record
	lock    *os.File
	watch   *supervisor
	client  *client.Client
	leader  string
}

// Start starts a cluster and waits until it has a leader; ctx bounds that only. The data of an earlier run are used.
func Start(ctx context.Context, config Config) (*Cluster, error) {
	dir, err := filepath.Abs(config.Dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	c := &Cluster{}
	if c.lock, err = lockDir(dir); err != nil {
		return nil, err
	}
	if err := c.start(ctx, dir, config); err != nil {
		c.Stop()
		return nil, err
	}
	return c, nil
}

func (c *Cluster) start(ctx context.Context, dir string, config Config) (err error) {
	if c.record, err = loadRecord(dir, config.Shape.withDefaults(Shape{Port: DefaultPort, Nodes: DefaultNodes})); err != nil {
		return err
	}
	if err := c.record.agree(config.Shape.withDefaults(c.record.Shape), dir); err != nil {
		return err
	}
	if c.members, err = layOut(dir, c.record.Shape); err != nil {
		return err
	}
	if err := checkPorts(c.members); err != nil {
		return err
	}
	for i := range c.members {
		if err := c.prepare(ctx, &c.members[i], config); err != nil {
			return err
		}
	}
	c.watch = newSupervisor(config.Program, config.Restart, config.Tell)
	if err := c.watch.start(c.members); err != nil {
		return err
	}
	if c.client, err = client.New(c.Endpoints()); err != nil {
		return err
	}
	return c.form(ctx)
}

func (s Shape) withDefaults(other Shape) Shape {
	if s.Port == 0 {
		s.Port = other.Port
	}
	if s.Nodes == 0 {
		s.Nodes = other.Nodes
	}
	if s.NonVoters < 0 {
		s.NonVoters = other.NonVoters
	}
	return s
}

// lockDir keeps a second cluster out of the directory; the lock ends with the process.
func lockDir(dir string) (*os.File, error) {
	file, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("a cluster runs in %s already (%w); --dir and --port make a second one", dir, err), file.Close())
	}
	return file, nil
}

// prepare makes a member's files where they are missing. A member that was initialised once is never initialised again.
func (c *Cluster) prepare(ctx context.Context, m *Member, config Config) error {
	if err := durable.Mkdir(m.Dir, 0o755); err != nil {
		return err
	}
	_, err := os.Stat(m.DataDir())
	switch {
	case c.record.initialised(m.Name) && err != nil:
		return fmt.Errorf("%s has lost its data directory (%w). A member without its data is not the same member, and none is made "+
			"in its place. To begin anew with an empty cluster, remove %s", m.Name, err, filepath.Dir(m.Dir))
	case !c.record.initialised(m.Name):
		args := []string{"init", "--data-dir", m.DataDir(), "--cluster-id", c.record.ClusterID.String(), "--name", m.Name}
		if config.LogStore != "" {
			args = append(args, "--log-store", config.LogStore)
		}
		command := exec.CommandContext(ctx, config.Program, args...)
		command.Env = memberEnvironment(os.Environ())
		// One that was initialised and not recorded yet, in a run that was cut short, refuses: its own check decides.
		if output, failed := command.CombinedOutput(); failed != nil && err != nil {
			return fmt.Errorf("initialise %s: %w\n%s", m.Name, failed, bytes.TrimSpace(output))
		}
		c.record.Initialised = append(c.record.Initialised, m.Name)
		if err := c.record.save(); err != nil {
			return err
		}
	}
	return m.writeConfig(config.LogStore)
}

func (m *Member) writeConfig(logStore string) error {
	var text bytes.Buffer
	text.WriteString("# Written by ballast dev at every start.\n")
	err := toml.NewEncoder(&text).Encode(struct {
		DataDir         string `toml:"data_dir"`
		ClientAddress   string `toml:"client_address"`
		MemberAddress   string `toml:"member_address"`
		OperatorAddress string `toml:"operator_address"`
		LogFormat       string `toml:"log_format"`
		LogStore        string `toml:"log_store,omitempty"`
	}{m.DataDir(), m.ClientAddress, m.MemberAddress, m.OperatorAddress, "text", logStore})
	if err != nil {
		return err
	}
	return durable.WriteFile(m.ConfigFile(), text.Bytes(), 0o644)
}

// form bootstraps and joins what has not been, and waits for a leader.
func (c *Cluster) form(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, formTimeout)
	defer cancel()
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		err = c.formMembers(ctx)
	}()
	select {
	case <-done:
	case <-c.watch.earlyHit:
		cancel()
		<-done
	}
	if early := c.watch.earlyError(); early != nil {
		return early // what ended with it says nothing more
	}
	if err != nil {
		return err
	}
	c.watch.setFormed()
	return nil
}

func (c *Cluster) formMembers(ctx context.Context) error {
	operator := c.client.Operator()
	for i := range c.members {
		m := &c.members[i]
		status, err := forming.Await(ctx, operator, m.OperatorAddress)
		if err != nil {
			return err
		}
		if status.GetClusterId() != c.record.ClusterID.String() {
			return fmt.Errorf("%s answers for cluster %s, expected %s: another process has its port", m.OperatorAddress, status.GetClusterId(), c.record.ClusterID)
		}
		switch {
		case hasRole(status, m.Voter):
		case i == 0 && !c.record.Bootstrapped:
			err = forming.Bootstrap(ctx, operator, m.OperatorAddress)
		default:
			err = forming.Join(ctx, operator, m.OperatorAddress, m.Voter)
		}
		if err != nil {
			return fmt.Errorf("form the cluster with %s: %w", m.Name, err)
		}
		if i == 0 && !c.record.Bootstrapped {
			c.record.Bootstrapped = true
			if err := c.record.save(); err != nil {
				return err
			}
		}
	}
	return c.awaitLeader(ctx)
}

// hasRole tells whether a member knows itself to be what it should be.
func hasRole(status *ballastv1.StatusResponse, voter bool) bool {
	return slices.ContainsFunc(status.GetMembers(), func(m *ballastv1.Member) bool {
		return m.GetId() == status.GetId() && (!voter || m.GetRole() == ballastv1.Role_ROLE_VOTER)
	})
}

func (c *Cluster) awaitLeader(ctx context.Context) error {
	for {
		for _, answer := range c.client.Operator().StatusOfAll(ctx) {
			if answer.Status.GetRaftState() == ballastv1.RaftState_RAFT_STATE_LEADER {
				c.leader = answer.Status.GetName()
				return nil
			}
		}
		timer := time.NewTimer(100 * time.Millisecond)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("no leader was elected: %w", ctx.Err())
		}
	}
}

// Members lists the members.
func (c *Cluster) Members() []Member { return slices.Clone(c.members) }

// Endpoints are the members' client addresses.
func (c *Cluster) Endpoints() []string {
	endpoints := make([]string, len(c.members))
	for i, m := range c.members {
		endpoints[i] = m.ClientAddress
	}
	return endpoints
}

// PIDs are the process ids of the members, in no order; a member that is down keeps its last one.
func (c *Cluster) PIDs() []int { return c.watch.processes() }

// Leader is who led when the cluster had started.
func (c *Cluster) Leader() string { return c.leader }

// Client is a client of the cluster, closed by Stop.
func (c *Cluster) Client() *client.Client { return c.client }

// Wait waits until ctx ends, or until all members are down for good, which is an error.
func (c *Cluster) Wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-c.watch.down:
		return errors.New("all members are down")
	}
}

// Stop stops all members, in order where they let it and by force after 15 s, and waits for them.
func (c *Cluster) Stop() {
	if c.client != nil {
		_ = c.client.Close() // only read from
	}
	if c.watch != nil {
		c.watch.stop()
	}
	_ = c.lock.Close() // gives the lock up
}
