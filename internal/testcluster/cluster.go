// Package testcluster runs a Ballast cluster of real ballastd processes on loopback for tests: started, killed, stopped,
// continued and started again one by one, with injected faults (internal/faults).
//
// Every cluster has loopback addresses of its own (127.x.y.N), so that clusters of tests that run at the same time do
// not meet, and its processes end with the test's process, whatever happens to that.
package testcluster

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"

	"github.com/ballastdb/ballast/internal/faults"
)

// Ports of every member, on an address of its own.
const (
	clientPort   = 7401
	memberPort   = 7411
	operatorPort = 7421
)

// Options of a Cluster.
type Options struct {
	// Members is how many there are; default 3.
	Members int
	// NonVoters of them, the last ones but for Idle, are not promoted.
	NonVoters int
	// Idle are how many, behind those, are not joined by Form.
	Idle int
	// Dir holds everything; the cluster makes it and leaves it there.
	Dir string
	// Tags are build tags of ballastd, besides "faults".
	Tags []string
	// Config are more keys of every member's configuration file; default: log_level debug.
	Config map[string]string
	// Env are more environment variables of every member, "NAME=value".
	Env []string
	// TLS secures all connections, with an authority of the cluster's own.
	TLS bool
}

// Cluster is a set of members. Members may be used by one goroutine each; the Cluster's own methods by one at a time.
type Cluster struct {
	// ID is the cluster's UUID.
	ID uuid.UUID
	// Members in order of their numbers.
	Members []*Member

	options  Options
	binary   string
	security *security // nil: connections are plain
}

// New builds ballastd and initialises the members' data directories. Nothing runs yet. Close ends what runs later.
func New(ctx context.Context, options Options) (*Cluster, error) {
	if options.Members == 0 {
		options.Members = 3
	}
	if options.Config == nil {
		options.Config = map[string]string{"log_level": "debug"}
	}
	if err := os.MkdirAll(options.Dir, 0o700); err != nil {
		return nil, err
	}
	c := &Cluster{ID: uuid.New(), options: options, binary: filepath.Join(options.Dir, "ballastd")}
	if err := binary(ctx, options.Tags, c.binary); err != nil {
		return nil, err
	}
	if options.TLS {
		var err error
		if c.security, err = newSecurity(options.Dir, c.ID); err != nil {
			return nil, err
		}
	}
	network, err := freeNetwork(options.Members)
	if err != nil {
		return nil, err
	}
	for number := 1; number <= options.Members; number++ {
		name := fmt.Sprintf("node-%d", number)
		host := fmt.Sprintf("%s.%d", network, number)
		m := &Member{
			Number: number, Name: name, Dir: filepath.Join(options.Dir, name), cluster: c,
			ClientAddress:   fmt.Sprintf("%s:%d", host, clientPort),
			MemberAddress:   fmt.Sprintf("%s:%d", host, memberPort),
			OperatorAddress: fmt.Sprintf("%s:%d", host, operatorPort),
		}
		c.Members = append(c.Members, m)
		if err := errors.Join(m.init(ctx), m.connect()); err != nil {
			return nil, errors.Join(err, c.Close())
		}
	}
	return c, nil
}

// freeNetwork finds the first three numbers of addresses that nobody listens on.
func freeNetwork(members int) (string, error) {
	for range 100 {
		network := fmt.Sprintf("127.%d.%d", 1+rand.IntN(254), rand.IntN(256))
		if slices.IndexFunc(addressesOf(network, members), inUse) < 0 {
			return network, nil
		}
	}
	return "", errors.New("no free loopback addresses were found")
}

func addressesOf(network string, members int) (addresses []string) {
	for number := 1; number <= members; number++ {
		for _, port := range []int{clientPort, memberPort, operatorPort} {
			addresses = append(addresses, fmt.Sprintf("%s.%d:%d", network, number, port))
		}
	}
	return addresses
}

func inUse(address string) bool {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return true
	}
	return l.Close() != nil
}

// Program is the ballastd that the members run.
func (c *Cluster) Program() string { return c.binary }

// Member answers the member of a number from 1.
func (c *Cluster) Member(number int) *Member { return c.Members[number-1] }

// Named answers the member of a name; nil: there is none.
func (c *Cluster) Named(name string) *Member {
	i := slices.IndexFunc(c.Members, func(m *Member) bool { return m.Name == name })
	if i < 0 {
		return nil
	}
	return c.Members[i]
}

// Binary is the ballastd that the members run.
func (c *Cluster) Binary() string { return c.binary }

// Endpoints are the client addresses of all members.
func (c *Cluster) Endpoints() []string {
	var endpoints []string
	for _, m := range c.Members {
		endpoints = append(endpoints, m.ClientAddress)
	}
	return endpoints
}

// StartAll starts every member that does not run.
func (c *Cluster) StartAll() error {
	var errs []error
	for _, m := range c.Members {
		errs = append(errs, m.Start())
	}
	return errors.Join(errs...)
}

// StopAll stops every member in order, all at the same time.
func (c *Cluster) StopAll(ctx context.Context) error {
	var errs []error
	for _, m := range c.Members {
		errs = append(errs, m.Terminate())
	}
	for _, m := range c.Members {
		code, err := m.Wait(ctx)
		if err == nil && code != 0 {
			err = fmt.Errorf("%s ended with exit code %d after SIGTERM, expected 0", m.Name, code)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Cut loses what from sends to to, requests and answers, until Heal. The other direction goes on.
func (c *Cluster) Cut(from, to *Member) error {
	f := from.faults
	f.StallWritesTo = append(slices.Clone(f.StallWritesTo), to.MemberAddress)
	g := to.faults
	g.StallReadsFrom = append(slices.Clone(g.StallReadsFrom), from.MemberAddress)
	return errors.Join(from.SetFaults(f), to.SetFaults(g))
}

// Isolate cuts a member from all others, both ways, until Heal.
func (c *Cluster) Isolate(m *Member) error {
	var errs []error
	for _, other := range c.Members {
		if other != m {
			errs = append(errs, c.Cut(m, other), c.Cut(other, m))
		}
	}
	return errors.Join(errs...)
}

// Heal ends every fault of every member.
func (c *Cluster) Heal() error {
	var errs []error
	for _, m := range c.Members {
		errs = append(errs, m.SetFaults(faults.Faults{}))
	}
	return errors.Join(errs...)
}

// Logs answers the last lines of every member's log.
func (c *Cluster) Logs(lines int) string {
	var out strings.Builder
	for _, m := range c.Members {
		data, err := os.ReadFile(m.LogPath())
		if err != nil {
			continue // It never ran.
		}
		all := strings.Split(strings.TrimRight(string(data), "\n"), "\n")
		fmt.Fprintf(&out, "---- %s, last lines of %d ----\n%s\n", m.Name, len(all),
			strings.Join(all[max(0, len(all)-lines):], "\n"))
	}
	return out.String()
}

// Close kills every process and waits for it.
func (c *Cluster) Close() error {
	var errs []error
	for _, m := range c.Members {
		errs = append(errs, m.close())
	}
	return errors.Join(errs...)
}

// quickReconnect: a member that was started again is found at once.
func quickReconnect() grpc.ConnectParams {
	return grpc.ConnectParams{
		Backoff:           backoff.Config{BaseDelay: 20 * time.Millisecond, Multiplier: 1.5, MaxDelay: 200 * time.Millisecond},
		MinConnectTimeout: time.Second,
	}
}
