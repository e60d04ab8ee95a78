package metrics

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"

	"github.com/ballastdb/ballast/server"
)

// Instruments are written where requests, proposals, entries and log writes pass: see server.Observer.
type Instruments struct {
	calls       *prometheus.CounterVec
	callSeconds *prometheus.HistogramVec
	methods     sync.Map // method -> *methodMeters

	refused                    prometheus.Counter
	proposalOps, proposalBytes prometheus.Histogram
	commit, request            prometheus.Histogram
	applyEntries, applySeconds prometheus.Histogram
}

// methodMeters are a call's, found once.
type methodMeters struct {
	seconds prometheus.Observer
	well    prometheus.Counter // code OK
}

var _ server.Observer = (*Instruments)(nil)

// instrument is a metric that is written.
type instrument struct {
	Definition
	buckets []float64
	// keep puts what was made where the hot path finds it.
	keep func(i *Instruments, made prometheus.Collector)
}

func seconds() []float64 {
	return []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
}

// instruments lists all.
func instruments() []instrument {
	return []instrument{
		{
			Definition{"ballast_calls_total", Counter, []string{"method", "code"}, "Calls of clients and operators that were answered, by gRPC's names of call and code."},
			nil, func(i *Instruments, c prometheus.Collector) { i.calls = c.(*prometheus.CounterVec) },
		},
		{
			Definition{"ballast_call_seconds", Histogram, []string{"method"}, "Time that calls took. A stream is one call: the requests on it are in ballast_request_seconds."},
			seconds(), func(i *Instruments, c prometheus.Collector) { i.callSeconds = c.(*prometheus.HistogramVec) },
		},
		{
			Definition{"ballast_requests_refused_total", Counter, nil, "Requests that were not admitted because the queue was full."},
			nil, func(i *Instruments, c prometheus.Collector) { i.refused = c.(prometheus.Counter) },
		},
		{
			Definition{"ballast_request_seconds", Histogram, nil, "Time from the admission of a request, on a stream or not, until the state machine answered it."},
			seconds(), func(i *Instruments, c prometheus.Collector) { i.request = c.(prometheus.Histogram) },
		},
		{
			Definition{"ballast_proposal_operations", Histogram, nil, "Operations of one proposal: how well they are packed."},
			[]float64{1, 4, 16, 64, 256, 1024, 4096, 8192},
			func(i *Instruments, c prometheus.Collector) { i.proposalOps = c.(prometheus.Histogram) },
		},
		{
			Definition{"ballast_proposal_bytes", Histogram, nil, "Bytes of one proposal."},
			[]float64{256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 128 << 10, 256 << 10, 1 << 20},
			func(i *Instruments, c prometheus.Collector) { i.proposalBytes = c.(prometheus.Histogram) },
		},
		{
			Definition{"ballast_commit_seconds", Histogram, nil, "Time from giving a proposal to raft until it was committed and applied here."},
			seconds(), func(i *Instruments, c prometheus.Collector) { i.commit = c.(prometheus.Histogram) },
		},
		{
			Definition{"ballast_apply_entries", Histogram, nil, "Log entries that the state machine applied at once."},
			[]float64{1, 2, 4, 8, 16, 32, 64, 128},
			func(i *Instruments, c prometheus.Collector) { i.applyEntries = c.(prometheus.Histogram) },
		},
		{
			Definition{"ballast_apply_seconds", Histogram, nil, "Time that the state machine took for them."},
			seconds(), func(i *Instruments, c prometheus.Collector) { i.applySeconds = c.(prometheus.Histogram) },
		},
	}
}

func newInstruments(registry prometheus.Registerer) *Instruments {
	i := &Instruments{}
	for _, d := range instruments() {
		made := d.make()
		registry.MustRegister(made)
		d.keep(i, made)
	}
	return i
}

func (d instrument) make() prometheus.Collector {
	counter := prometheus.CounterOpts{Name: d.Name, Help: d.Help}
	histogram := prometheus.HistogramOpts{Name: d.Name, Help: d.Help, Buckets: d.buckets}
	switch {
	case d.Kind == Counter && len(d.Labels) > 0:
		return prometheus.NewCounterVec(counter, d.Labels)
	case d.Kind == Counter:
		return prometheus.NewCounter(counter)
	case len(d.Labels) > 0:
		return prometheus.NewHistogramVec(histogram, d.Labels)
	}
	return prometheus.NewHistogram(histogram)
}

// Call implements server.Observer.
func (i *Instruments) Call(method string, code codes.Code, took time.Duration) {
	m := i.method(method)
	m.seconds.Observe(took.Seconds())
	if code == codes.OK {
		m.well.Inc()
	} else {
		i.calls.WithLabelValues(method, code.String()).Inc()
	}
}

func (i *Instruments) method(name string) *methodMeters {
	if m, ok := i.methods.Load(name); ok {
		return m.(*methodMeters)
	}
	m, _ := i.methods.LoadOrStore(name, &methodMeters{
		seconds: i.callSeconds.WithLabelValues(name), well: i.calls.WithLabelValues(name, codes.OK.String()),
	})
	return m.(*methodMeters)
}

// Refused implements server.Observer.
func (i *Instruments) Refused() { i.refused.Inc() }

// Proposed implements server.Observer.
func (i *Instruments) Proposed(operations, bytes int) {
	i.proposalOps.Observe(float64(operations))
	i.proposalBytes.Observe(float64(bytes))
}

// Committed implements server.Observer.
func (i *Instruments) Committed(took time.Duration) { i.commit.Observe(took.Seconds()) }

// Answered implements server.Observer.
func (i *Instruments) Answered(took time.Duration) { i.request.Observe(took.Seconds()) }

// Applied is told of a batch that the state machine has applied.
func (i *Instruments) Applied(entries int, took time.Duration) {
	i.applyEntries.Observe(float64(entries))
	i.applySeconds.Observe(took.Seconds())
}
