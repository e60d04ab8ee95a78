package metrics_test

import (
	"context"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/ballastdb/ballast/fsm/ledger"
	"github.com/ballastdb/ballast/metrics"
	"github.com/ballastdb/ballast/server"
)

// atOnce is a raft that commits at once: what is left is what a request costs on its way.
type atOnce struct{}

func (atOnce) Apply([]byte, time.Duration) raft.ApplyFuture { return done{} }

type done struct{}

func (done) Error() error  { return nil }
func (done) Index() uint64 { return 1 }
func (done) Response() any { return nil }

// BenchmarkSubmit is the path of a request from admission to its answer, without and with its measurement.
func BenchmarkSubmit(b *testing.B) {
	for name, observer := range map[string]server.Observer{"bare": nil, "measured": metrics.New()} {
		b.Run(name, func(b *testing.B) {
			var count int
			c := server.NewCoalescer(server.CoalescerConfig{
				Raft: atOnce{}, Stamper: server.NewStamper(time.Now), Logger: hclog.NewNullLogger(), Observer: observer,
				Seal:     func(_ int64, parts []server.Part) ([]byte, error) { count = len(parts); return nil, nil },
				Open:     func(any) (server.Applied, error) { return server.Applied{Results: make([]ledger.Result, count)}, nil },
				InFlight: 1,
			})
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			for b.Loop() {
				if _, err := c.Submit(ctx, []byte("operation"), 1); err != nil {
					b.Fatal(err)
				}
			}
			if err := c.Close(ctx); err != nil {
				b.Fatal(err)
			}
		})
	}
}
