package node

import (
	"context"
	"net"
	"time"

	"google.golang.org/grpc"

	"github.com/ballastdb/ballast/fsm"
)

// hooks are the places where a build with the tag "faults" makes a member's clock, disk, network and memory misbehave. In every
// other build they are what production needs, and nothing can change them.
type hooks struct {
	// clock tells the time that this member stamps proposals with.
	clock func() time.Time
	// diskFree changes what is free on the disk; nil: nothing does.
	diskFree func(free uint64) uint64
	// beforeLogWrite is called before each write of the raft log; nil: nothing is.
	beforeLogWrite func()
	// dial opens connections to other members; nil: the transport's own way.
	dial func(ctx context.Context, address string) (net.Conn, error)
	// dialOptions are added to those of the connections to other members.
	dialOptions []grpc.DialOption
	// damage damages the state in memory until ctx ends; nil: nothing does.
	damage func(ctx context.Context, machine *fsm.FSM)
}
