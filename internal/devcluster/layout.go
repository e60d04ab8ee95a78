// Package devcluster runs a whole cluster on one machine for development: it makes the members' data directories, starts
// one ballastd process for each on loopback, forms the cluster, and starts members that die again.
package devcluster

import (
	"fmt"
	"net"
	"path/filepath"
	"strconv"
)

// Offsets of a member's ports from the cluster's base port; member i, from 1, adds i to each.
const (
	clientPorts   = 0
	memberPorts   = 10
	operatorPorts = 20
	// MaxMembers that the offsets leave room for.
	MaxMembers = 9
)

// Member is one member of a development cluster.
type Member struct {
	// Name is node-1, node-2 and so on.
	Name string
	// Voter or non-voter.
	Voter bool
	// Dir holds its configuration file, its log file and, below data, what it must not lose.
	Dir string
	// Addresses, host:port on loopback.
	ClientAddress, MemberAddress, OperatorAddress string
}

// DataDir is where the member keeps what it must not lose.
func (m *Member) DataDir() string { return filepath.Join(m.Dir, "data") }

// ConfigFile is the member's configuration.
func (m *Member) ConfigFile() string { return filepath.Join(m.Dir, "ballastd.toml") }

// LogFile is what the member's process writes.
func (m *Member) LogFile() string { return filepath.Join(m.Dir, "ballastd.log") }

func layOut(dir string, shape Shape) ([]Member, error) {
	total := shape.Nodes + shape.NonVoters
	switch {
	case shape.Nodes < 1 || shape.NonVoters < 0 || total > MaxMembers:
		return nil, fmt.Errorf("%d voters and %d non-voters: at least 1 voter and at most %d members in all", shape.Nodes, shape.NonVoters, MaxMembers)
	case shape.Port < 1 || shape.Port > 65535-operatorPorts-MaxMembers:
		return nil, fmt.Errorf("port %d: it must lie between 1 and %d", shape.Port, 65535-operatorPorts-MaxMembers)
	}
	members := make([]Member, total)
	for i := range members {
		address := func(offset int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(shape.Port+offset+i+1)) }
		name := fmt.Sprintf("node-%d", i+1)
		members[i] = Member{
			Name: name, Voter: i < shape.Nodes, Dir: filepath.Join(dir, name),
			ClientAddress: address(clientPorts), MemberAddress: address(memberPorts), OperatorAddress: address(operatorPorts),
		}
	}
	return members, nil
}

// checkPorts finds out before anything is started whether somebody else has one of the members' ports.
func checkPorts(members []Member) error {
	for _, m := range members {
		for _, a := range []struct{ use, address string }{
			{"clients", m.ClientAddress}, {"members", m.MemberAddress}, {"operators", m.OperatorAddress},
		} {
			listener, err := net.Listen("tcp", a.address)
			if err != nil {
				return fmt.Errorf("%s cannot listen on %s for %s: %w; does another cluster run? --port with another --dir makes a second one",
					m.Name, a.address, a.use, err)
			}
			if err := listener.Close(); err != nil {
				return err
			}
		}
	}
	return nil
}
