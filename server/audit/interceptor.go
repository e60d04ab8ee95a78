package audit

import (
	"context"
	"net"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/ballastdb/ballast/server/access"
)

// Config of a Recorder.
type Config struct {
	// Log keeps the lines.
	Log *Log
	// By tells who makes a call.
	By func(ctx context.Context) string
	// Clock tells when.
	Clock  func() time.Time
	Logger hclog.Logger
}

// Recorder writes a line for every call that the table of access has audited.
type Recorder struct {
	cfg   Config
	rules access.Table
}

// NewRecorder returns a Recorder.
func NewRecorder(cfg Config) *Recorder { return &Recorder{cfg: cfg, rules: access.Rules()} }

// ServerOptions have a gRPC server record its calls.
func (r *Recorder) ServerOptions() []grpc.ServerOption {
	return []grpc.ServerOption{grpc.ChainUnaryInterceptor(r.unary), grpc.ChainStreamInterceptor(r.stream)}
}

func (r *Recorder) unary(ctx context.Context, request any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (response any, err error) {
	if !r.rules[info.FullMethod].Audited() {
		return handler(ctx, request)
	}
	text := ""
	if m, ok := request.(proto.Message); ok {
		text = protojson.MarshalOptions{}.Format(m)
	}
	ended := r.begin(ctx, info.FullMethod, text)
	defer func() { ended(err) }()
	return handler(ctx, request)
}

func (r *Recorder) stream(service any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) (err error) {
	if !r.rules[info.FullMethod].Audited() {
		return handler(service, stream)
	}
	ended := r.begin(stream.Context(), info.FullMethod, "")
	defer func() { ended(err) }()
	return handler(service, stream)
}

// begin writes the first line of a call; ended writes the second.
func (r *Recorder) begin(ctx context.Context, call, request string) (ended func(error)) {
	at := time.Now()
	e := Entry{ID: uuid.NewString(), Time: r.cfg.Clock().UTC(), By: r.cfg.By(ctx), From: host(ctx), Call: call, Request: request, Outcome: begun}
	r.write(e)
	return func(err error) {
		e.Outcome, e.TookMS = status.Code(err).String(), float64(time.Since(at).Microseconds())/1000
		if err != nil {
			e.Error = status.Convert(err).Message()
		}
		r.write(e)
		r.cfg.Logger.Info("an operator's call", "by", e.By, "from", e.From, "call", e.Call, "request", clip(e.Request), "outcome", e.Outcome, "error", clip(e.Error))
	}
}

// write keeps nobody from acting: a full disk is mended by operators.
func (r *Recorder) write(e Entry) {
	if err := r.cfg.Log.Append(e); err != nil {
		r.cfg.Logger.Error("an operator's call is not in the audit log", "by", e.By, "from", e.From, "call", e.Call, "outcome", e.Outcome, "error", err)
	}
}

func host(ctx context.Context) string {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return ""
	}
	name, _, err := net.SplitHostPort(p.Addr.String())
	if err != nil {
		return p.Addr.String()
	}
	return name
}
