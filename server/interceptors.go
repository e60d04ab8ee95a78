package server

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
)

// ListenConfig is what the gRPC servers for clients and operators have in common. Zero limits mean the defaults.
type ListenConfig struct {
	Logger hclog.Logger
	// Fatal ends the process. It is called when a handler panics: a lock may be held or a pledge broken, and a restart is
	// always safe. Required.
	Fatal func(error)
	// Slow is the time above which a call is logged. Default 1 s.
	Slow time.Duration
	// MaxReceive and MaxSend bound messages, bytes. Defaults 2 MiB (a request has 1 MiB of operations at most) and 8 MiB.
	MaxReceive, MaxSend int
	// MaxStreams bounds the concurrent calls of one connection. Default 1,024.
	MaxStreams uint32
	// Observer is told of every call; nil: nobody is.
	Observer Observer
}

// maxHeaderBytes bounds the headers of a call.
const maxHeaderBytes = 16 << 10

// Bytes that a connection's reads and writes gather: a bulk request is 128 KiB, and each of gRPC's 32 KiB was a system call. A
// connection holds its buffer for reading all the time, that for writing only while there is something to write.
const (
	readBuffer  = 64 << 10
	writeBuffer = 128 << 10
)

// ServerOptions are the options of a gRPC server under cfg: limits of messages and calls, keepalive, the codec that the money
// service's streams need, and interceptors that end the process on a panic and log slow and failed calls at debug.
func ServerOptions(cfg ListenConfig) []grpc.ServerOption {
	defaultTo(&cfg.Slow, time.Second)
	defaultTo(&cfg.MaxReceive, 2<<20)
	defaultTo(&cfg.MaxSend, 8<<20)
	defaultTo(&cfg.MaxStreams, 1024)
	w := &watch{cfg: cfg}
	return []grpc.ServerOption{
		grpc.ForceServerCodecV2(newWireCodec()),
		grpc.MaxRecvMsgSize(cfg.MaxReceive),
		grpc.MaxSendMsgSize(cfg.MaxSend),
		grpc.MaxConcurrentStreams(cfg.MaxStreams),
		grpc.MaxHeaderListSize(maxHeaderBytes),
		grpc.ReadBufferSize(readBuffer),
		grpc.WriteBufferSize(writeBuffer),
		grpc.ConnectionTimeout(10 * time.Second),
		// A client that went away without a word is noticed within 15 s; one that pings faster than every 5 s is cut off.
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: 10 * time.Second, Timeout: 5 * time.Second}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}),
		grpc.ChainUnaryInterceptor(w.unary),
		grpc.ChainStreamInterceptor(w.stream),
	}
}

// watch looks at every call.
type watch struct{ cfg ListenConfig }

func (w *watch) unary(
	ctx context.Context, request any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler,
) (response any, err error) {
	begun := time.Now()
	defer func() { w.ended(info.FullMethod, begun, err) }()
	defer w.recover(info.FullMethod, &err)
	return handler(ctx, request)
}

func (w *watch) stream(
	service any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler,
) (err error) {
	begun := time.Now()
	defer func() {
		if err != nil {
			w.ended(info.FullMethod, begun, err)
			return
		}
		w.observe(info.FullMethod, begun, nil) // a stream is meant to be long
	}()
	defer w.recover(info.FullMethod, &err)
	return handler(service, stream)
}

// recover ends the process after a panic. Where Fatal returns, which only tests do, the call ends as of unknown outcome.
func (w *watch) recover(method string, err *error) {
	what := recover()
	if what == nil {
		return
	}
	w.cfg.Logger.Error("a handler panicked", "method", method, "panic", fmt.Sprint(what), "stack", string(debug.Stack()))
	w.cfg.Fatal(fmt.Errorf("%s panicked: %v", method, what))
	*err = unknown(codes.Internal, "internal error: retry the same ids", nil)
}

func (w *watch) ended(method string, begun time.Time, err error) {
	took := w.observe(method, begun, err)
	switch {
	case err != nil:
		w.cfg.Logger.Debug("a call failed", "method", method, "took", took, "code", status.Code(err), "error", err)
	case took > w.cfg.Slow:
		w.cfg.Logger.Debug("a call was slow", "method", method, "took", took)
	}
}

func (w *watch) observe(method string, begun time.Time, err error) (took time.Duration) {
	took = time.Since(begun)
	if w.cfg.Observer != nil {
		w.cfg.Observer.Call(method, status.Code(err), took)
	}
	return took
}
