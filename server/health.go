package server

import (
	"context"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// Health is the standard health service. The whole ("") and the money service are SERVING while this member knows a
// leader and is not shutting down; the operator service always is. A member without a leader still answers stale reads.
type Health struct {
	server *health.Server
	raft   Raft
	gate   *Gate
	tick   time.Duration
}

// NewHealth returns a Health that says NOT_SERVING before Run. It looks every tick; 0: 100 ms.
func NewHealth(r Raft, gate *Gate, tick time.Duration) *Health {
	defaultTo(&tick, 100*time.Millisecond)
	h := &Health{server: health.NewServer(), raft: r, gate: gate, tick: tick}
	h.server.SetServingStatus(ballastv1.OperatorService_ServiceDesc.ServiceName, grpc_health_v1.HealthCheckResponse_SERVING)
	h.set(grpc_health_v1.HealthCheckResponse_NOT_SERVING)
	return h
}

// Run keeps the answers current until ctx ends; then all are NOT_SERVING for ever.
func (h *Health) Run(ctx context.Context) {
	defer h.server.Shutdown()
	ticker := time.NewTicker(h.tick)
	defer ticker.Stop()
	for {
		h.look()
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

func (h *Health) look() {
	status := grpc_health_v1.HealthCheckResponse_NOT_SERVING
	if _, leader := h.raft.LeaderWithID(); leader != "" && !h.gate.Closed() {
		status = grpc_health_v1.HealthCheckResponse_SERVING
	}
	h.set(status)
}

func (h *Health) set(status grpc_health_v1.HealthCheckResponse_ServingStatus) {
	h.server.SetServingStatus("", status)
	h.server.SetServingStatus(ballastv1.MoneyService_ServiceDesc.ServiceName, status)
}

// Register serves the health service on s, and reflection of everything registered before and after.
func (h *Health) Register(s *grpc.Server) {
	grpc_health_v1.RegisterHealthServer(s, h.server)
	reflection.Register(s)
}
