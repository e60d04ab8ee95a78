package workload

import (
	"context"
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/ballastdb/ballast/client"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// targetFunc is a Target for tests, which run on synctest's clock.
type targetFunc func(ctx context.Context, ops []*ballastv1.Operation) (int, error)

func (f targetFunc) Submit(ctx context.Context, ops []*ballastv1.Operation) (int, error) {
	return f(ctx, ops)
}

func testConfig() Config {
	return Config{
		Name: "test", Accounts: 10, Mix: Mix{Credit: 1, Transfer: 1}, Callers: 4, Operations: 5,
		Warmup: time.Second, Duration: 10 * time.Second,
	}
}

func TestClosedLoopCountsTheMeasuredTimeOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		target := targetFunc(func(_ context.Context, ops []*ballastv1.Operation) (int, error) {
			time.Sleep(9 * time.Millisecond)
			return 1, nil
		})
		result, err := Run(t.Context(), testConfig(), target)
		if err != nil {
			t.Fatal(err)
		}
		// 4 callers, 10 s, a call each 9 ms; the first and last may lie on the edge.
		if want := int64(4 * 10_000 / 9); result.Calls < want-4 || result.Calls > want+4 {
			t.Errorf("%d calls, want about %d", result.Calls, want)
		}
		if result.Operations != 5*result.Calls || result.Refused != result.Calls {
			t.Errorf("%d calls: %d operations, %d refused", result.Calls, result.Operations, result.Refused)
		}
		if got := float64(result.Operations) / 10; result.Throughput() != got {
			t.Errorf("throughput %v, want %v", result.Throughput(), got)
		}
		if p50 := result.Quantile(50); p50 < 9*time.Millisecond || p50 > 9010*time.Microsecond || result.Longest != 9*time.Millisecond {
			t.Errorf("p50 %v, longest %v; want 9 ms", p50, result.Longest)
		}
	})
}

// A target that stalls for 2 s under an open loop held up all the calls of those 2 s, not only the few under way.
func TestOpenLoopChargesForTheStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		target := targetFunc(func(context.Context, []*ballastv1.Operation) (int, error) {
			if since := time.Since(begin); since > 5*time.Second && since < 7*time.Second {
				time.Sleep(7*time.Second - since)
			}
			time.Sleep(time.Millisecond)
			return 0, nil
		})
		config := testConfig()
		config.Rate = 100
		result, err := Run(t.Context(), config, target)
		if err != nil {
			t.Fatal(err)
		}
		if result.Calls != 1000 {
			t.Errorf("%d calls, want 1000: 100 a second for 10 s", result.Calls)
		}
		// A fifth of all calls were meant to start during the stall, so a tenth waited for more than a second.
		if p90 := result.Quantile(90); p90 < 900*time.Millisecond || p90 > 1100*time.Millisecond {
			t.Errorf("p90 %v, want about 1 s", p90)
		}
		if result.Longest < 1900*time.Millisecond {
			t.Errorf("longest %v, want about 2 s", result.Longest)
		}
	})
}

func TestFailuresAreCountedApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failure := errors.New("scripted")
		n := 0
		target := targetFunc(func(context.Context, []*ballastv1.Operation) (int, error) {
			time.Sleep(time.Millisecond)
			if n++; n%2 == 0 {
				return 0, failure
			}
			return 0, nil
		})
		config := testConfig()
		config.Callers = 1
		result, err := Run(t.Context(), config, target)
		if err != nil {
			t.Fatal(err)
		}
		if result.Failed == 0 || !errors.Is(result.LastFailure, failure) || result.Latency.TotalCount() != result.Calls {
			t.Errorf("%d failed (%v), %d latencies of %d calls", result.Failed, result.LastFailure, result.Latency.TotalCount(), result.Calls)
		}
	})
}

func TestRunEndsEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		blocked := targetFunc(func(ctx context.Context, _ []*ballastv1.Operation) (int, error) {
			<-ctx.Done()
			return 0, ctx.Err()
		})
		if _, err := Run(ctx, testConfig(), blocked); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the context's end", err)
		}
		invalid := targetFunc(func(context.Context, []*ballastv1.Operation) (int, error) { return 0, client.ErrInvalid })
		if _, err := Run(t.Context(), testConfig(), invalid); !errors.Is(err, client.ErrInvalid) {
			t.Errorf("got %v, want what every call would meet", err)
		}
	})
}

// Who observes a run sees every call, failed ones too, and may end it early.
func TestObservedRunCanBeStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failure := errors.New("one in four")
		var calls, failed, seen int
		target := targetFunc(func(context.Context, []*ballastv1.Operation) (int, error) {
			time.Sleep(time.Millisecond)
			if calls++; calls%4 == 0 {
				return 0, failure
			}
			return 0, nil
		})
		config := testConfig()
		config.Callers, config.Warmup, config.Rate = 1, 0, 100
		stop := make(chan struct{})
		start := time.Now()
		result, err := Observe(t.Context(), config, target, stop, func(c Call) {
			if seen++; c.Err != nil {
				failed++
			}
			if seen == 40 {
				close(stop)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if seen != 40 || failed != 10 || result.Calls != 30 || result.Failed != 10 {
			t.Errorf("seen %d calls, %d failed; counted %d and %d", seen, failed, result.Calls, result.Failed)
		}
		if took := time.Since(start); took > time.Second || result.Elapsed > took {
			t.Errorf("it took %v and counted %v", took, result.Elapsed)
		}
	})
}

// readingTarget counts what it is asked.
type readingTarget struct{ writes, fresh, stale int }

func (r *readingTarget) Submit(_ context.Context, ops []*ballastv1.Operation) (int, error) {
	time.Sleep(time.Millisecond)
	r.writes += len(ops)
	return 0, nil
}

func (r *readingTarget) Read(_ context.Context, accounts []string, stale bool) error {
	time.Sleep(time.Millisecond)
	if stale {
		r.stale += len(accounts)
	} else {
		r.fresh += len(accounts)
	}
	return nil
}

// Calls read and write as often as the mix says, and a target that cannot read is not asked to.
func TestReadsInTheMix(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := testConfig()
		config.Callers, config.Warmup = 1, 0
		config.Mix = Mix{Transfer: 2, Read: 1, Stale: 1}
		target := &readingTarget{}
		result, err := Run(t.Context(), config, target)
		if err != nil {
			t.Fatal(err)
		}
		all := target.writes + target.fresh + target.stale
		for name, share := range map[string]float64{
			"half writes": float64(2*target.writes) / float64(all), "a quarter reads": float64(4*target.fresh) / float64(all),
			"a quarter reads stale": float64(4*target.stale) / float64(all),
		} {
			if math.Abs(share-1) > 0.15 {
				t.Errorf("%s: %.2f of what was expected (%+v)", name, share, target)
			}
		}
		if result.Operations == 0 || result.Operations > int64(all) {
			t.Errorf("%d operations counted of %d", result.Operations, all)
		}
		writer := targetFunc(func(context.Context, []*ballastv1.Operation) (int, error) { return 0, nil })
		if _, err := Run(t.Context(), config, writer); err == nil {
			t.Error("a target that cannot read was asked to")
		}
	})
}

func TestAccountID(t *testing.T) {
	for i, want := range map[int]string{0: "b0000000", 42: "b0000042", 9_999_999: "b9999999"} {
		if got := AccountID(i); got != want {
			t.Errorf("account %d is %s, want %s", i, got, want)
		}
	}
}

func TestGeneratorKeepsToTheConfig(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		config := testConfig()
		config.Accounts = rapid.IntRange(2, 50).Draw(t, "accounts")
		config.ZipfS = rapid.SampledFrom([]float64{0, 1.01, 1.5}).Draw(t, "s")
		config.Seed = rapid.Uint64().Draw(t, "seed")
		known := make(map[string]bool)
		for i := range config.Accounts {
			known[AccountID(i)] = true
		}
		a, b := newGenerator(&config, 3), newGenerator(&config, 3)
		for range 20 {
			x, y := a.operation(), b.operation()
			if x.String() != y.String() {
				t.Fatalf("one seed made %v and %v", x, y)
			}
			switch k := x.GetKind().(type) {
			case *ballastv1.Operation_Credit:
				if !known[k.Credit.GetAccount()] {
					t.Fatalf("unknown account in %v", x)
				}
			case *ballastv1.Operation_Transfer:
				from, to := k.Transfer.GetDebitAccount(), k.Transfer.GetCreditAccount()
				if !known[from] || !known[to] || from == to {
					t.Fatalf("accounts of %v", x)
				}
			default:
				t.Fatalf("%v is not in the mix", x)
			}
		}
	})
}

func TestBars(t *testing.T) {
	rows := []Row{
		{Name: "a/throughput", Value: 100, Unit: UnitThroughput},
		{Name: "a/p99", Value: 5, Unit: UnitLatency},
		{Name: "a/max", Value: 9, Unit: UnitLatency},
	}
	allMet, err := ApplyBars(rows, map[string]float64{"a/throughput": 101, "a/p99": 5})
	if err != nil || allMet || *rows[0].Met || !*rows[1].Met || rows[2].Bar != nil {
		t.Errorf("got %v, %v, rows %+v", allMet, err, rows)
	}
	if _, err := ApplyBars(rows, map[string]float64{"renamed/p99": 5}); err == nil {
		t.Error("a bar of no row was accepted")
	}
}

func TestValidateNamesTheField(t *testing.T) {
	for field, spoil := range map[string]func(*Config){
		"name":       func(c *Config) { c.Name = "" },
		"accounts":   func(c *Config) { c.Accounts = 1 },
		"zipf_s":     func(c *Config) { c.ZipfS = math.NaN() },
		"mix":        func(c *Config) { c.Mix = Mix{} },
		"callers":    func(c *Config) { c.Callers = 0 },
		"operations": func(c *Config) { c.Operations = maxOperations + 1 },
		"reads":      func(c *Config) { c.Mix, c.Operations = Mix{Read: 1}, maxRead+1 },
		"rate":       func(c *Config) { c.Rate = math.NaN() },
		"duration":   func(c *Config) { c.Duration = 0 },
	} {
		c := testConfig()
		spoil(&c)
		if err := c.Validate(); err == nil {
			t.Errorf("%s: accepted %+v", field, c)
		}
	}
	for _, c := range Standard(time.Second, time.Second) {
		if err := c.Validate(); err != nil {
			t.Error(err)
		}
	}
}
