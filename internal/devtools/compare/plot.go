package compare

import (
	"encoding/xml"
	"fmt"
	"math"
	"strings"
)

// Sizes of plots in their own units, which are pixels unless scaled.
const (
	plotWidth   = 960
	barHeight   = 24
	labelWidth  = 130
	valueWidth  = 110
	curveHeight = 320
	curveLeft   = 70
	curveRight  = 150
	curveTop    = 20
	curveBottom = 40
	mostNines   = 4 // the axis ends at 99.99 %
)

// strokes of the targets, ours first.
func stroke(i int) string {
	strokes := []string{"#c0392b", "#2b7bba", "#5aa469", "#d9822b", "#8e6bbf", "#7a5230", "#d072a6", "#777777", "#17a2a2"}
	return strokes[i%len(strokes)]
}

// drawing is an SVG that grows.
type drawing struct{ strings.Builder }

func newDrawing(height int) *drawing {
	d := &drawing{}
	d.add(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`, plotWidth, height)
	return d
}

func (d *drawing) add(format string, args ...any) { fmt.Fprintf(d, format+"\n", args...) }

func (d *drawing) text(x, y float64, anchor, text string) {
	var escaped strings.Builder
	_ = xml.EscapeText(&escaped, []byte(text)) // a Builder takes everything
	d.add(`<text x="%.1f" y="%.1f" text-anchor="%s" fill="#333">%s</text>`, x, y, anchor, escaped.String())
}

func (d *drawing) end() string {
	d.add(`</svg>`)
	return d.String()
}

// throughputPlot has a bar for each target, and a tick for each round.
func (o *outcome) throughputPlot() string {
	most := 1.0
	for _, t := range o.targets {
		for _, v := range t.turn.throughputs {
			most = max(most, v)
		}
	}
	d := newDrawing(len(o.targets)*barHeight + 8)
	x := func(v float64) float64 { return labelWidth + v/most*(plotWidth-labelWidth-valueWidth) }
	for i, t := range o.targets {
		y := float64(i * barHeight)
		value := t.turn.result.Throughput()
		d.text(labelWidth-8, y+barHeight-8, "end", t.name)
		d.add(`<rect x="%d" y="%.1f" width="%.1f" height="%d" fill="%s" opacity="0.75"/>`, labelWidth, y+4, x(value)-labelWidth, barHeight-8, stroke(i))
		for _, v := range t.turn.throughputs {
			d.add(`<line x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f" stroke="#333"/>`, x(v), x(v), y+3, y+barHeight-3)
		}
		d.text(max(x(value), x(most*0.02))+8, y+barHeight-8, "start", fmt.Sprintf("%.0f ops/s", value))
	}
	return d.end()
}

// latencyPlot has a curve for each target: latency by quantile, both axes logarithmic, the quantiles by nines.
func (o *outcome) latencyPlot() string {
	least, most := math.Inf(1), 0.0
	for _, t := range o.targets {
		least = min(least, quantileMs(t, 0))
		most = max(most, quantileMs(t, 1-math.Pow(10, -mostNines)))
	}
	if most <= 0 {
		return ""
	}
	low, high := math.Floor(math.Log10(least)), math.Ceil(math.Log10(most)+1e-9)
	x := func(quantile float64) float64 {
		return curveLeft - math.Log10(1-quantile)/mostNines*(plotWidth-curveLeft-curveRight)
	}
	y := func(ms float64) float64 {
		share := (math.Log10(ms) - low) / max(high-low, 1)
		return curveHeight - curveBottom - share*(curveHeight-curveTop-curveBottom)
	}
	d := newDrawing(curveHeight)
	for decade := low; decade <= high; decade++ {
		ms := math.Pow(10, decade)
		d.add(`<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="#ddd"/>`, curveLeft, plotWidth-curveRight, y(ms), y(ms))
		d.text(curveLeft-6, y(ms)+4, "end", fmt.Sprintf("%g ms", ms))
	}
	for _, quantile := range []float64{0, 0.5, 0.9, 0.99, 0.999, 0.9999} {
		d.add(`<line x1="%.1f" x2="%.1f" y1="%d" y2="%d" stroke="#ddd"/>`, x(quantile), x(quantile), curveTop, curveHeight-curveBottom)
		d.text(x(quantile), curveHeight-curveBottom+16, "middle", fmt.Sprintf("%g%%", math.Round(quantile*1e6)/1e4))
	}
	d.text(plotWidth/2, curveHeight-6, "middle", "latency from the intended start, by share of calls")
	for i, t := range o.targets {
		d.curve(t, stroke(i), x, y)
		d.add(`<rect x="%d" y="%d" width="12" height="12" fill="%s"/>`, plotWidth-curveRight+16, curveTop+i*18, stroke(i))
		d.text(plotWidth-curveRight+34, float64(curveTop+i*18+11), "start", t.name)
	}
	return d.end()
}

func (d *drawing) curve(t *targetOutcome, stroke string, x, y func(float64) float64) {
	const steps = 120
	var path strings.Builder
	for i := range steps + 1 {
		quantile := 1 - math.Pow(10, -mostNines*float64(i)/steps)
		letter := 'L'
		if i == 0 {
			letter = 'M'
		}
		fmt.Fprintf(&path, "%c%.1f %.1f", letter, x(quantile), y(quantileMs(t, quantile)))
	}
	d.add(`<path d="%s" fill="none" stroke="%s" stroke-width="1.6"/>`, path.String(), stroke)
}

// quantileMs is a latency in ms, at least a microsecond.
func quantileMs(t *targetOutcome, quantile float64) float64 {
	return max(float64(t.turn.result.Quantile(quantile*100).Microseconds()), 1) / 1000
}
