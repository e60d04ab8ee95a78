package catchup

import (
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"strings"
	"time"
)

// Sizes of a plot in its own units, which are pixels unless scaled.
const (
	plotWidth, plotHeight  = 960, 380
	plotLeft, plotRight    = 70, 20
	plotTop, plotBottom    = 50, 45
	leastLatency           = 0.1 // ms, where the axis begins
	plotInk, plotGrid      = "#333", "#ddd"
	shadeOdd               = "#f2f5fa"
	strokeP50, strokeP99   = "#2b7bba", "#d9822b"
	strokeMax, strokeFails = "#b8b8b8", "#c0392b"
)

// series is one line of a plot.
type series struct {
	name, stroke string
	value        func(summary) time.Duration
}

func plotted() []series {
	return []series{
		{"longest", strokeMax, func(s summary) time.Duration { return s.longest }},
		{"p99", strokeP99, func(s summary) time.Duration { return s.p99 }},
		{"p50", strokeP50, func(s summary) time.Duration { return s.p50 }},
	}
}

// WriteSVG draws latency second by second on a logarithmic axis, with the phases behind and failed calls as marks.
func (t *Timeline) WriteSVG(w io.Writer) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	seconds := make([]summary, len(t.seconds))
	most := 10.0
	for i := range t.seconds {
		seconds[i] = summarise(t.seconds[i : i+1])
		most = max(most, milliseconds(seconds[i].longest))
	}
	p := &plot{seconds: max(len(seconds), 1), decades: math.Ceil(math.Log10(most / leastLatency))}
	p.add(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`, plotWidth, plotHeight)
	p.add(`<rect width="%d" height="%d" fill="white"/>`, plotWidth, plotHeight)
	p.text(plotLeft, 18, "start", t.Title+": latency of calls, by the second in which each was meant to start")
	p.phases(t.phases)
	p.axes()
	for i, s := range plotted() {
		p.line(s, seconds)
		x := float64(plotWidth - plotRight - 70*(i+1))
		p.add(`<line x1="%.0f" y1="34" x2="%.0f" y2="34" stroke="%s" stroke-width="2"/>`, x, x+14, s.stroke)
		p.text(x+18, 38, "start", s.name)
	}
	for i, s := range seconds {
		if s.failed > 0 {
			p.add(`<circle cx="%.1f" cy="%d" r="4" fill="%s"><title>%d calls failed</title></circle>`, p.x(float64(i)+0.5), plotTop+6, strokeFails, s.failed)
		}
	}
	p.add(`</svg>`)
	_, err := io.WriteString(w, p.out.String())
	return err
}

// plot is an SVG that grows.
type plot struct {
	out     strings.Builder
	seconds int
	decades float64 // of the axis of latency
}

func (p *plot) add(format string, args ...any) { fmt.Fprintf(&p.out, format+"\n", args...) }

func (p *plot) text(x, y float64, anchor, text string) {
	var escaped strings.Builder
	_ = xml.EscapeText(&escaped, []byte(text)) // a Builder takes everything
	p.add(`<text x="%.1f" y="%.1f" text-anchor="%s" fill="%s">%s</text>`, x, y, anchor, plotInk, escaped.String())
}

func (p *plot) x(second float64) float64 {
	return plotLeft + (plotWidth-plotLeft-plotRight)*min(second/float64(p.seconds), 1)
}

func (p *plot) y(ms float64) float64 {
	share := math.Log10(max(ms, leastLatency)/leastLatency) / p.decades
	return plotHeight - plotBottom - (plotHeight-plotTop-plotBottom)*share
}

func (p *plot) phases(phases []phase) {
	for i, ph := range phases {
		from, to := p.x(ph.from.Seconds()), p.x(ph.to.Seconds())
		if i%2 == 1 {
			p.add(`<rect x="%.1f" y="%d" width="%.1f" height="%d" fill="%s"/>`, from, plotTop, to-from, plotHeight-plotTop-plotBottom, shadeOdd)
		}
		p.text((from+to)/2, plotTop-4, "middle", ph.name)
	}
}

func (p *plot) axes() {
	for decade := 0.0; decade <= p.decades; decade++ {
		ms := leastLatency * math.Pow(10, decade)
		p.add(`<line x1="%d" y1="%.1f" x2="%d" y2="%.1f" stroke="%s"/>`, plotLeft, p.y(ms), plotWidth-plotRight, p.y(ms), plotGrid)
		p.text(plotLeft-6, p.y(ms)+4, "end", fmt.Sprintf("%g ms", ms))
	}
	step := max(1, (p.seconds+11)/12)
	for s := 0; s <= p.seconds; s += step {
		p.text(p.x(float64(s)), plotHeight-plotBottom+16, "middle", fmt.Sprint(s))
	}
	p.text(plotWidth/2, plotHeight-8, "middle", "seconds")
	p.add(`<path d="M%d %d V%d H%d" fill="none" stroke="%s"/>`, plotLeft, plotTop, plotHeight-plotBottom, plotWidth-plotRight, plotInk)
}

// line draws a series through the middle of each second, with gaps where nothing was answered.
func (p *plot) line(s series, seconds []summary) {
	var d strings.Builder
	move := byte('M')
	for i, second := range seconds {
		if second.calls == 0 {
			move = 'M'
			continue
		}
		fmt.Fprintf(&d, "%c%.1f %.1f", move, p.x(float64(i)+0.5), p.y(milliseconds(s.value(second))))
		move = 'L'
	}
	p.add(`<path d="%s" fill="none" stroke="%s" stroke-width="1.5"/>`, d.String(), s.stroke)
}
