package faults

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"sync"
	"time"

	"google.golang.org/grpc/stats"
)

// EnvTraffic names the environment variable that holds the path of the file that a member counts its traffic in.
const EnvTraffic = "BALLAST_TEST_TRAFFIC"

// rewrite is how old the file may be while there is traffic; heartbeats see to it that there is.
const rewrite = 100 * time.Millisecond

// Traffic is what one run of a member has sent and received in calls that it made to others, in bytes of messages with
// their gRPC frames, by the called member's address and the method, "FetchPages" say.
type Traffic map[string]map[string]Amount

// Amount of traffic in bytes.
type Amount struct {
	Sent     int64 `json:"sent"`
	Received int64 `json:"received"`
}

// ReadTraffic reads a file that a member counts in; one that is not there counts nothing.
func ReadTraffic(file string) (Traffic, error) {
	data, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return Traffic{}, nil
	}
	if err != nil {
		return nil, err
	}
	var t Traffic
	if err := json.Unmarshal(data, &t); err != nil {
		return nil, fmt.Errorf("traffic file %s: %w", file, err)
	}
	return t, nil
}

// Meter counts the traffic of the calls that a member makes, as the stats.Handler of their connections.
type Meter struct {
	file string

	mu        sync.Mutex
	traffic   Traffic
	writtenAt time.Time
}

// NewMeter counts in the file, from nothing.
func NewMeter(file string) *Meter { return &Meter{file: file, traffic: Traffic{}} }

// call is one call under way. Its address is known when its header goes out; what is sent comes after that.
type call struct {
	method string

	mu      sync.Mutex
	address string
}

type callKey struct{}

// TagRPC implements stats.Handler.
func (m *Meter) TagRPC(ctx context.Context, info *stats.RPCTagInfo) context.Context {
	return context.WithValue(ctx, callKey{}, &call{method: path.Base(info.FullMethodName)})
}

// HandleRPC implements stats.Handler.
func (m *Meter) HandleRPC(ctx context.Context, s stats.RPCStats) {
	c, ok := ctx.Value(callKey{}).(*call)
	if !ok {
		return
	}
	switch s := s.(type) {
	case *stats.OutHeader:
		c.mu.Lock()
		c.address = s.RemoteAddr.String()
		c.mu.Unlock()
	case *stats.OutPayload:
		m.add(c, Amount{Sent: int64(s.WireLength)})
	case *stats.InPayload:
		m.add(c, Amount{Received: int64(s.WireLength)})
	}
}

// TagConn implements stats.Handler.
func (m *Meter) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

// HandleConn implements stats.Handler.
func (m *Meter) HandleConn(context.Context, stats.ConnStats) {}

func (m *Meter) add(c *call, a Amount) {
	c.mu.Lock()
	address := c.address
	c.mu.Unlock()
	m.mu.Lock()
	defer m.mu.Unlock()
	methods := m.traffic[address]
	if methods == nil {
		methods = map[string]Amount{}
		m.traffic[address] = methods
	}
	sum := methods[c.method]
	methods[c.method] = Amount{Sent: sum.Sent + a.Sent, Received: sum.Received + a.Received}
	if now := time.Now(); now.Sub(m.writtenAt) > rewrite {
		m.writtenAt = now
		m.write()
	}
}

// write replaces the file, without fsync: it must not disturb what is measured. A failure leaves the older counts.
func (m *Meter) write() {
	data, err := json.Marshal(m.traffic)
	if err != nil {
		return
	}
	if os.WriteFile(m.file+".tmp", data, 0o600) == nil {
		_ = os.Rename(m.file+".tmp", m.file)
	}
}
