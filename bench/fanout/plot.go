package main

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"math"
	"os"
	"path/filepath"

	"github.com/replication-gateway/gateway/bench/internal/figures"
	"github.com/replication-gateway/gateway/bench/internal/report"
)

// panel is one group of bars in the plot, one for each candidate.
type panel struct {
	title, unit string
	more        bool // longer bars are the better ones
	bars        []bar
}

// bar is the median of a candidate, with its extremes.
type bar struct {
	name           string
	value, low, up float64 // value is NaN when there is none
}

// panels are what the plot shows: the figures that were measured of those that all candidates have.
func (b *bench) panels() (list []panel) {
	for _, p := range []struct {
		title, unit, figure, value string
		more                       bool
	}{
		{"server CPU a delivery", "µs", steadyFigure, "cpu_micros", false},
		{"p99 of a delivery", "ms", steadyFigure, "p99_ms", false},
		{"memory of an idle subscriber", "KB", steadyFigure, "resident_kb", false},
		{"deliveries a CPU second", "thousand, at saturation", saturationFigure, "per_cpu_second", true},
	} {
		scale := 1.0
		if p.figure == saturationFigure {
			scale = 1e-3
		}
		next := panel{title: p.title, unit: p.unit, more: p.more}
		seen := false
		for _, c := range b.candidates() {
			name := c.name
			if p.figure == saturationFigure && name == centrifugeName {
				name = b.betterCentrifuge()
			}
			s := b.getter(p.figure, name)(p.value)
			seen = seen || len(s) > 0
			next.bars = append(next.bars, barOf(c.name, s, scale))
		}
		if seen {
			list = append(list, next)
		}
	}
	return list
}

func barOf(name string, s figures.Series, scale float64) bar {
	return bar{name, s.Median() * scale, s.Min() * scale, s.Max() * scale}
}

// picture is the line of the report that shows the plot.
func (b *bench) picture() string {
	if len(b.panels()) == 0 {
		return ""
	}
	return fmt.Sprintf("![%s subscribers, %d-byte deltas: the gateway beside its peers](%s.svg)\n\n",
		report.Count(float64(b.Subscribers)), len(deltaOf(100)), reportName)
}

// draw writes the plot into a folder, if there is something to show.
func (b *bench) draw(dir string) error {
	list := b.panels()
	if len(list) == 0 {
		return nil
	}
	caption := fmt.Sprintf("%s subscribers, %d-byte deltas, %d commits a second; bars are medians, thin lines the extremes of all rounds (%d)",
		report.Count(float64(b.Subscribers)), len(deltaOf(100)), b.Rate, b.Rounds)
	return os.WriteFile(filepath.Join(dir, reportName+".svg"), plot(caption, list), 0o644)
}

// The plot's measures, in pixels.
const (
	margin     = 16
	labelWidth = 170
	panelWidth = 200
	panelGap   = 26
	rowHeight  = 26
	barHeight  = 15
	headHeight = 66
	valueSpace = 62 // beside the longest bar, for its value
)

// plot draws panels side by side: the same rows in each, so that a candidate is followed by eye, the gateway's in
// colour, and where the limit's bar ends a line through all.
func plot(caption string, list []panel) []byte {
	rows := len(list[0].bars)
	width := margin + labelWidth + len(list)*(panelWidth+panelGap) + margin
	height := headHeight + rows*rowHeight + 34
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" font-family="system-ui,sans-serif" font-size="12" fill="#1f2328">`+"\n",
		width, height, width, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#fff"/>`+"\n", width, height)
	for i, row := range list[0].bars {
		weight := "normal"
		if row.name == gatewayName {
			weight = "bold"
		}
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end" font-weight="%s">%s</text>`+"\n",
			margin+labelWidth-10, headHeight+i*rowHeight+barHeight-3, weight, escaped(row.name))
	}
	for i, p := range list {
		p.draw(&b, margin+labelWidth+i*(panelWidth+panelGap), rows)
	}
	fmt.Fprintf(&b, `<text x="%d" y="%d" fill="#59636e" font-size="11">%s</text>`+"\n", margin, height-12, escaped(caption))
	b.WriteString("</svg>\n")
	return b.Bytes()
}

func (p panel) draw(b *bytes.Buffer, left, rows int) {
	better := "shorter is better"
	if p.more {
		better = "longer is better"
	}
	fmt.Fprintf(b, `<text x="%d" y="24" font-weight="bold">%s</text><text x="%d" y="41" fill="#59636e" font-size="11">%s, %s</text>`+"\n",
		left, escaped(p.title), left, escaped(p.unit), better)
	longest := 0.0
	for _, x := range p.bars {
		if !math.IsNaN(x.up) {
			longest = max(longest, x.up)
		}
	}
	at := func(v float64) float64 {
		if longest == 0 {
			return float64(left)
		}
		return float64(left) + max(0, v)/longest*(panelWidth-valueSpace)
	}
	for i, x := range p.bars {
		if x.name == rawName && !math.IsNaN(x.value) {
			fmt.Fprintf(b, `<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="#8c959f" stroke-dasharray="3 3"/>`+"\n",
				at(x.value), headHeight-6, at(x.value), headHeight+rows*rowHeight-4)
		}
		top := headHeight + i*rowHeight
		if math.IsNaN(x.value) {
			fmt.Fprintf(b, `<text x="%d" y="%d" fill="#59636e">–</text>`+"\n", left, top+barHeight-3)
			continue
		}
		fmt.Fprintf(b, `<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/>`, left, top, at(x.value)-float64(left), barHeight, colour(x.name))
		fmt.Fprintf(b, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="#1f2328"/>`,
			at(x.low), float64(top)+barHeight/2.0, at(x.up), float64(top)+barHeight/2.0)
		fmt.Fprintf(b, `<text x="%.1f" y="%d" paint-order="stroke" stroke="#fff" stroke-width="4">%s</text>`+"\n", at(x.up)+6, top+barHeight-3, report.Number(x.value))
	}
}

func colour(name string) string {
	switch name {
	case gatewayName:
		return "#1f6feb"
	case rawName:
		return "#8c959f"
	}
	return "#d0d7de"
}

func escaped(s string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(s)) // into memory, which does not fail
	return b.String()
}
