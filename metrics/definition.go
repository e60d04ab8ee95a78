// Package metrics is what a member tells Prometheus: one table of names, the instruments that are written on the hot paths,
// and a collector that reads everything else from the parts when it is asked.
//
// Names are a promise: docs/metrics.md lists them, and a test compares it with this table and the live registry.
package metrics

import "github.com/prometheus/client_golang/prometheus"

// Kind of a metric.
type Kind string

// Kinds.
const (
	// Counter only grows while the process lives.
	Counter Kind = "counter"
	// Gauge is what is at the moment.
	Gauge Kind = "gauge"
	// Histogram counts values by size.
	Histogram Kind = "histogram"
)

// Definition is one metric as docs/metrics.md lists it.
type Definition struct {
	// Name with its unit, in Prometheus' base units: seconds and bytes.
	Name string
	// Kind of it.
	Kind Kind
	// Labels, in order.
	Labels []string
	// Help says what it means.
	Help string
}

func (d Definition) desc() *prometheus.Desc {
	return prometheus.NewDesc(d.Name, d.Help, d.Labels, nil)
}

func (d Definition) valueType() prometheus.ValueType {
	if d.Kind == Counter {
		return prometheus.CounterValue
	}
	return prometheus.GaugeValue
}

// Definitions lists every metric of ours. Those of the Go runtime (go_*) and of the process (process_*) come on top.
func Definitions() []Definition {
	var list []Definition
	for _, p := range table() {
		list = append(list, p.Definition)
	}
	for _, d := range instruments() {
		list = append(list, d.Definition)
	}
	return list
}
