package metrics

import (
	"errors"
	"io"
	"net/http"
	"regexp"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/common/expfmt"

	"github.com/ballastdb/ballast/server"
)

// Metrics are those of one member. Make them with New.
type Metrics struct {
	*Instruments
	registry *prometheus.Registry
}

// New makes a registry of its own; Facts are added once there are any.
func New() *Metrics {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		// Beside its usual metrics: what garbage collection costs.
		collectors.NewGoCollector(collectors.WithGoCollectorRuntimeMetrics(
			collectors.GoRuntimeMetricsRule{Matcher: regexp.MustCompile(`^/cpu/classes/gc/total:cpu-seconds$`)},
		)),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return &Metrics{Instruments: newInstruments(registry), registry: registry}
}

// Collect has every scrape read facts. To be called once; facts may be called from many goroutines.
func (m *Metrics) Collect(facts func() server.Facts) { m.registry.MustRegister(newCollector(facts)) }

// Handler answers a scrape. At most two are answered at a time: each reads what the status reads.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 2})
}

// WriteText writes what a scrape would be answered.
func (m *Metrics) WriteText(w io.Writer) error {
	families, err := m.registry.Gather()
	for _, f := range families { // what could be gathered is told all the same
		if _, writeErr := expfmt.MetricFamilyToText(w, f); writeErr != nil {
			return errors.Join(err, writeErr)
		}
	}
	return err
}
