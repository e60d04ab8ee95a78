package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/ballastdb/ballast/server"
)

// put tells one value; labels are in the definition's order.
type put func(value float64, labels ...string)

// pulled is a metric that is read when it is asked for.
type pulled struct {
	Definition
	read func(f *server.Facts, tell put)
	// distribution is read in its place for a histogram that somebody else keeps; nil: there is none at present.
	distribution func(f *server.Facts) *server.Distribution
}

// collector reads the facts once for each scrape, so that the values of one scrape belong together.
type collector struct {
	facts func() server.Facts
	rows  []pulled
	descs []*prometheus.Desc
}

func newCollector(facts func() server.Facts) *collector {
	c := &collector{facts: facts, rows: table()}
	for _, p := range c.rows {
		c.descs = append(c.descs, p.desc())
	}
	return c
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range c.descs {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(to chan<- prometheus.Metric) {
	facts := c.facts()
	for i, p := range c.rows {
		if p.Kind == Histogram {
			if d := p.distribution(&facts); d != nil {
				to <- prometheus.MustNewConstHistogram(c.descs[i], d.Count, d.Sum.Seconds(), buckets(d))
			}
			continue
		}
		p.read(&facts, func(value float64, labels ...string) {
			to <- prometheus.MustNewConstMetric(c.descs[i], p.valueType(), value, labels...)
		})
	}
}

// flag is 1 for true.
func flag(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func buckets(d *server.Distribution) map[float64]uint64 {
	m := make(map[float64]uint64, len(d.Below))
	for bound, count := range d.Below {
		m[bound.Seconds()] = count
	}
	return m
}
