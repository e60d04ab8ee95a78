package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	raftv1 "github.com/ballastdb/ballast/proto/raft/v1"

	"github.com/ballastdb/ballast/internal/guard"
)

const (
	// DefaultMaxMessageBytes bounds one gRPC message, both ways. It is what gRPC itself falls back to.
	DefaultMaxMessageBytes = 4 << 20
	// defaultMaxAppendBytes is what one append carries; larger ones are split.
	defaultMaxAppendBytes = 1 << 20
	// messageOverhead is left free in a message for all that is not entries.
	messageOverhead = 64 << 10
	// chunkBytes of a snapshot go in one message.
	chunkBytes = 256 << 10
	// minMaxMessageBytes leaves room for a chunk.
	minMaxMessageBytes = 2*chunkBytes + messageOverhead
	// connBuffer is how many bytes a read or a write of a connection gathers: most of a proposal.
	connBuffer = 128 << 10
	// maxStreams bounds the calls at the same time on one connection; a member makes a handful.
	maxStreams = 1024
	// maxHeaderBytes bounds the headers of a call.
	maxHeaderBytes = 16 << 10
	// pipelineDepth is how many of raft's appends a pipeline keeps in flight.
	pipelineDepth = 2
)

// Config of a Transport.
type Config struct {
	Identity
	// LocalID is raft's id of this member, made by ServerID with Identity.Incarnation.
	LocalID raft.ServerID
	// LocalAddress is where the other members reach this one.
	LocalAddress raft.ServerAddress
	// Logger is required.
	Logger hclog.Logger
	// CurrentTerm answers ConfirmTerm; it must not wait for raft's main loop. Required.
	CurrentTerm func() uint64
	// Leading reports whether this member leads the cluster in this term; asked of terms that it led. Default: yes, until
	// CurrentTerm is another.
	Leading func(term uint64) bool
	// Silent is the leader that this member's raft still believes in though it heard nothing of it for an election timeout; empty: there is
	// none. It must not wait. Default: none.
	Silent func() raft.ServerAddress
	// Voters of the newest configuration, this member included where it votes: who is brought up to date first. It must not wait.
	// Default: none.
	Voters func() []raft.ServerID
	// Tell is what this member tells its leader with every answer to an append; it must not wait. Default: nothing.
	Tell func() Told
	// Clock answers ReadClock. Default time.Now.
	Clock func() time.Time
	// Checkpoints answers another member that compares its state with this one's, newest first. Default: none.
	Checkpoints func() []Checkpoint
	// Stager takes in snapshots as they are offered. Required.
	Stager Stager
	// Pages and Journal serve the other members; nil: this one serves none.
	Pages   Pages
	Journal Journal
	// BeforeInstall is called before a staged snapshot's token is handed to raft, outside raft's main loop; what it returns,
	// after raft has answered. An error, or ctx's end, keeps the token from raft. Default: nothing.
	BeforeInstall func(ctx context.Context) (after func(), err error)
	// Judge tells what this member's log and state say to the snapshot of an index and term that it is offered: before anything is
	// staged, and again before raft gets the token. It does not wait for raft's main loop. Default: Wanted.
	Judge func(index, term uint64) (Verdict, error)
	// Conflict is told of a snapshot that is Conflicting: what the log holds from its index on is to be cut, with raft stopped. It must
	// not wait. Default: nothing.
	Conflict func(index, term uint64)
	// PinLog keeps this member's log from an index on until release is called. Default: nothing.
	PinLog func(index uint64) (release func())
	// Outgrown is told, on a leader, of a member that refused its snapshot because the member's own state is past it: a newer one is
	// to be taken. It must not wait. Default: nothing.
	Outgrown func()
	// Busy is how many times its usual the latency of commits is now, as far as this member sees it: above 1.5 what is sent to
	// members that catch up slows down. Default: always usual.
	Busy func() float64
	// DialOptions are added last, so they override.
	DialOptions []grpc.DialOption
	// Census answers a member that asks how this one sees it; nil: none is answered.
	Census func(said *raftv1.CensusRequest) *raftv1.CensusResponse
	// Misaddressed is told of a member of this cluster whose messages are refused, because this one is of another incarnation or
	// recovery epoch than it believes. It must not wait. Default: nothing.
	Misaddressed func(from raft.ServerID, address raft.ServerAddress)
	// Credentials secure the connections to the member with this name, empty: whichever is there; nil: none, plain TCP.
	Credentials func(name string) credentials.TransportCredentials
	// Caller is the name that the one who makes a call has proven to have; nil: nobody proves a name. Messages that say that
	// they come from another member are refused.
	Caller func(ctx context.Context) (string, error)
	// Dial opens a connection to a member's address; default: TCP.
	Dial func(ctx context.Context, address string) (net.Conn, error)
	// MaxTransfers is how many members are brought up to date at once; others wait for their turn. Default 1. SetMaxTransfers
	// changes it.
	MaxTransfers int
	// TransferRate in bytes a second bounds all snapshots, pages and journal that this member sends together. Default 0: no limit.
	// SetTransferRate changes it.
	TransferRate int
	// NewestSnapshot is the index of this member's newest snapshot: one that is older when its turn comes is not sent.
	// Default: 0, which none is older than.
	NewestSnapshot func() uint64
	// Room is nil where there is room for entries of the log. Where there is none appends without entries are still answered.
	// Default: always nil.
	Room func() error
	// Covered is index and term of this member's newest snapshot while it has no log; 0: it has one. Default: 0.
	Covered func() (index, term uint64)
	// Timeouts that are zero get their defaults.
	Timeouts Timeouts
	// MaxMessageBytes bounds one message; default DefaultMaxMessageBytes. The same on all members. An entry must fit into it
	// with 64 KiB to spare.
	MaxMessageBytes int
	// MaxAppendBytes is the target for the entries of one message; a single larger entry still goes alone. Default 1 MiB.
	MaxAppendBytes int
}

// Timeouts bound every wait of the transport. None of them is needed for safety.
type Timeouts struct {
	// Heartbeat bounds one heartbeat. It must be above the usual stall of the receiver's disk, because heartbeats queue
	// behind raft's writes. Default 1 s.
	Heartbeat time.Duration
	// Vote bounds a vote, a pre-vote and a transfer of leadership. Default 1 s.
	Vote time.Duration
	// Confirm bounds ConfirmTerm, besides its context. Default 1 s.
	Confirm time.Duration
	// Append bounds an append without entries, including the wait for a peer that cannot be reached; AppendRate is
	// what is added for entries. Default 5 s.
	Append time.Duration
	// AppendRate in bytes a second is the slowest that an append may be sent and written. Default 1 MiB/s.
	AppendRate int
	// InstallTurn bounds the wait of a snapshot for others that are being sent. Raft tries again after a growing pause.
	// Default 10 min.
	InstallTurn time.Duration
	// InstallOthers bounds the wait of a snapshot whose turn has come for another member that is still writing it. Default 30 s.
	InstallOthers time.Duration
	// InstallIdle bounds the time without progress of a snapshot on its way, on both sides. Default 10 s.
	InstallIdle time.Duration
	// InstallAnswer bounds the time without a report of progress while a receiver pulls, verifies and installs. Default 30 s.
	InstallAnswer time.Duration
	// PinAfter is how long the log that follows a snapshot is kept after it was sent. Default 1 min.
	PinAfter time.Duration
	// Reach bounds the wait for a member that pages or journal are to be fetched from. Default 500 ms.
	Reach time.Duration
	// Unreached is how long a member that was not reached is not asked again for pages. Default 10 s.
	Unreached time.Duration
	// Probe is how long a peer, after a call that was not answered in time, may take to show that it is there at all,
	// before the connection is opened anew. Default 500 ms.
	Probe time.Duration
}

// unguardedHeartbeat is the interval of heartbeats at 1 s timeouts, a limit that looks natural and is below a usual stall.
const unguardedHeartbeat = 100 * time.Millisecond

func (t Timeouts) withDefaults() Timeouts {
	set := func(d *time.Duration, value time.Duration) {
		if *d == 0 {
			*d = value
		}
	}
	set(&t.Heartbeat, time.Second)
	set(&t.Vote, time.Second)
	set(&t.Confirm, time.Second)
	set(&t.Append, 5*time.Second)
	set(&t.InstallTurn, 10*time.Minute)
	set(&t.InstallOthers, 30*time.Second)
	set(&t.InstallIdle, 10*time.Second)
	set(&t.InstallAnswer, 30*time.Second)
	set(&t.PinAfter, time.Minute)
	set(&t.Reach, 500*time.Millisecond)
	set(&t.Unreached, 10*time.Second)
	set(&t.Probe, 500*time.Millisecond)
	if t.AppendRate == 0 {
		t.AppendRate = 1 << 20
	}
	if !guard.On("heartbeat-loop") {
		t.Heartbeat = unguardedHeartbeat
	}
	return t
}

// forAppend is the deadline of an append that carries so many bytes.
func (t Timeouts) forAppend(bytes int) time.Duration {
	return t.Append + time.Duration(float64(bytes)/float64(t.AppendRate)*float64(time.Second))
}

// complete fills in the defaults and refuses what cannot work.
func (c Config) complete() (Config, error) {
	c.Timeouts = c.Timeouts.withDefaults()
	if c.MaxMessageBytes == 0 {
		c.MaxMessageBytes = DefaultMaxMessageBytes
	}
	if c.MaxAppendBytes == 0 {
		c.MaxAppendBytes = defaultMaxAppendBytes
	}
	if c.Dial == nil {
		var dialer net.Dialer
		c.Dial = func(ctx context.Context, address string) (net.Conn, error) {
			return dialer.DialContext(ctx, "tcp", address)
		}
	}
	if c.Logger == nil || c.CurrentTerm == nil || c.Stager == nil || c.LocalAddress == "" {
		return c, errors.New("transport: Logger, CurrentTerm, Stager and LocalAddress are required")
	}
	if c.MaxTransfers == 0 {
		c.MaxTransfers = 1
	}
	if err := c.checkPace(c.MaxTransfers, c.TransferRate); err != nil {
		return c, err
	}
	c.hooks()
	_, incarnation, err := ParseServerID(c.LocalID)
	if err != nil {
		return c, fmt.Errorf("transport: LocalID: %w", err)
	}
	if incarnation != c.Incarnation {
		return c, fmt.Errorf("transport: LocalID: expected incarnation %s, found %s", idText(c.Incarnation[:]), idText(incarnation[:]))
	}
	if c.MaxMessageBytes < minMaxMessageBytes || c.MaxAppendBytes < 1 || c.MaxAppendBytes > c.MaxMessageBytes-messageOverhead {
		return c, fmt.Errorf("transport: expected MaxMessageBytes of at least %d and MaxAppendBytes %d below it, found %d and %d",
			minMaxMessageBytes, messageOverhead, c.MaxMessageBytes, c.MaxAppendBytes)
	}
	return c, nil
}

// hooks gives those that are missing their defaults.
func (c *Config) hooks() {
	if c.BeforeInstall == nil {
		c.BeforeInstall = func(context.Context) (func(), error) { return func() {}, nil }
	}
	if c.NewestSnapshot == nil {
		c.NewestSnapshot = func() uint64 { return 0 }
	}
	if c.Leading == nil {
		c.Leading = func(uint64) bool { return true }
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Room == nil {
		c.Room = func() error { return nil }
	}
	if c.Silent == nil {
		c.Silent = func() raft.ServerAddress { return "" }
	}
	if c.Voters == nil {
		c.Voters = func() []raft.ServerID { return nil }
	}
	if c.Tell == nil {
		c.Tell = func() Told { return Told{} }
	}
	if c.Covered == nil {
		c.Covered = func() (index, term uint64) { return 0, 0 }
	}
	if c.Checkpoints == nil {
		c.Checkpoints = func() []Checkpoint { return nil }
	}
	if c.Judge == nil {
		c.Judge = func(uint64, uint64) (Verdict, error) { return Wanted, nil }
	}
	if c.Conflict == nil {
		c.Conflict = func(uint64, uint64) {}
	}
	if c.Misaddressed == nil {
		c.Misaddressed = func(raft.ServerID, raft.ServerAddress) {}
	}
	if c.Outgrown == nil {
		c.Outgrown = func() {}
	}
	if c.PinLog == nil {
		c.PinLog = func(uint64) func() { return func() {} }
	}
}

// slowest is the rate, bytes a second, below which a transfer would look as if it stood still: all that may be under way at once
// must get a message through in half of InstallIdle.
func (c *Config) slowest(transfers int) int {
	return int(float64(transfers*chunkBytes+maxServing*maxItemsBytes) / (c.Timeouts.InstallIdle.Seconds() / 2))
}

func (c *Config) checkPace(transfers, rate int) error {
	if slowest := c.slowest(transfers); transfers < 1 || rate < 0 || rate > 0 && rate < slowest {
		return fmt.Errorf("transport: expected MaxTransfers of at least 1 and TransferRate 0 or at least %d bytes a second, found %d and %d",
			slowest, transfers, rate)
	}
	return nil
}

// ServerOptions are what the gRPC server that Transport.Register is called on must be made with.
func ServerOptions(maxMessageBytes int) []grpc.ServerOption {
	if maxMessageBytes == 0 {
		maxMessageBytes = DefaultMaxMessageBytes
	}
	return []grpc.ServerOption{
		grpc.MaxRecvMsgSize(maxMessageBytes), grpc.MaxSendMsgSize(maxMessageBytes),
		grpc.MaxConcurrentStreams(maxStreams), grpc.MaxHeaderListSize(maxHeaderBytes),
		grpc.ConnectionTimeout(10 * time.Second),
		grpc.ReadBufferSize(connBuffer), grpc.WriteBufferSize(connBuffer),
	}
}
