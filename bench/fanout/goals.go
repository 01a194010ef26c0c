package main

import (
	"fmt"
	"math"

	"github.com/replication-gateway/gateway/bench/internal/report"
)

// goal is an aim that the project set itself.
type goal struct {
	what, aim string
	got       float64
	met       bool
}

// atMost and atLeast are goals with a bound.
func atMost(what string, got, bound float64) goal {
	return goal{what, fmt.Sprint("≤ ", bound), got, got <= bound}
}

func atLeast(what string, got, bound float64) goal {
	return goal{what, fmt.Sprint("≥ ", bound), got, got >= bound}
}

// goals compares the figures with what was aimed at. Those that were not measured are left out.
func (b *bench) goals() report.Section {
	list := []goal{
		atMost("CPU a delivery, of the raw limit", b.ratio(steadyFigure, gatewayName, rawName, "cpu_micros"), 1.15),
		b.ahead("CPU a delivery", "cpu_micros"),
		atMost("p99 of deliveries, of the raw limit", b.ratio(steadyFigure, gatewayName, rawName, "p99_ms"), 1.25),
		atMost("memory of an idle subscriber, KB", b.getter(steadyFigure, gatewayName)("resident_kb").Median(), 9),
		b.ahead("memory of an idle subscriber", "resident_kb"),
		atLeast("deliveries a CPU second at saturation, of centrifuge's, set up as it does better", b.ofCentrifuge(gatewayName), 5),
	}
	for _, n := range b.Stalled[1:] {
		list = append(list, atMost(fmt.Sprintf("p99 of readers beside %d stalled, of that beside none", n), b.stalledRatio(gatewayName, n), 1.1))
	}
	joining := b.getter(joinersFigure, gatewayName)
	churned := b.getter(reconnectsFigure, gatewayName)
	list = append(list,
		atMost(fmt.Sprintf("peak memory while %d join, over before, in encodings of the state", b.Joiners), joining("encodings").Median(), 3),
		atMost("time of that, of the same bytes over plain TCP", b.ratio(joinersFigure, gatewayName, rawName, "seconds"), 1.5),
		atMost("time of that with compression, of the same", b.ratio(joinersFigure, deflatedName, rawName, "seconds"), 0.5),
		atMost("resumes that were refused, and snapshots in the middle, in any round", churned("refused").Max()+churned("resyncs").Max(), 0),
		atLeast("share of streams that are exact through reconnects, in any round", churned("exact").Min()/float64(b.ChurnSubscribers), 1),
	)
	s := report.Section{Title: "What was aimed at", Table: report.Table{Head: []string{"the gateway's", "aim", "measured", ""}}}
	for _, g := range list {
		if math.IsNaN(g.got) {
			continue
		}
		verdict := "met"
		if !g.met {
			verdict = "**missed**"
		}
		s.Table.Add(g.what, g.aim, report.Number(g.got), verdict)
	}
	return s
}

// ahead is the goal to need less of something than every peer: what the gateway needs of what the best of them does.
func (b *bench) ahead(what, value string) goal {
	best, least := "", math.NaN()
	for _, c := range b.candidates() {
		if c.name == rawName || c.name == gatewayName {
			continue
		}
		if m := b.getter(steadyFigure, c.name)(value).Median(); best == "" || m < least || math.IsNaN(least) {
			best, least = c.name, m
		}
	}
	got := b.ratio(steadyFigure, gatewayName, best, value)
	return goal{fmt.Sprintf("%s, of the best peer's (%s)", what, best), "< 1", got, got < 1}
}
