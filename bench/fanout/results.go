package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/replication-gateway/gateway/bench/internal/figures"
	"github.com/replication-gateway/gateway/bench/internal/report"
)

// series names one value of one candidate in one figure.
type series struct{ figure, candidate, value string }

// getter returns the values of a candidate by name.
func (b *bench) getter(figure, candidate string) func(value string) figures.Series {
	return func(value string) figures.Series { return b.samples.Series(figure, candidate, value) }
}

// ratio is what a value of a candidate is of that of another in the same figure: the median of the ratios within each
// round.
func (b *bench) ratio(figure, candidate, base, value string) float64 {
	return b.ratioOf(series{figure, candidate, value}, series{figure, base, value})
}

// ratioOf is the median of the ratios within the rounds that both have.
func (b *bench) ratioOf(of, base series) float64 {
	above, below := b.rounds(of), b.rounds(base)
	var ratios figures.Series
	for round, v := range above {
		if w, ok := below[round]; ok {
			ratios = append(ratios, v/w)
		}
	}
	return ratios.Median()
}

// rounds returns the values by round.
func (b *bench) rounds(s series) map[int]float64 {
	values := map[int]float64{}
	for _, x := range b.samples {
		if v, ok := x.Values[s.value]; ok && x.Figure == s.figure && x.Candidate == s.candidate {
			values[x.Round] = v
		}
	}
	return values
}

// share writes how many of all there were, at least, in a round.
func share(s figures.Series, all int) string {
	if len(s) == 0 {
		return "–"
	}
	if s.Min() == float64(all) {
		return "all"
	}
	return fmt.Sprintf("%s of %s", report.Count(s.Min()), report.Count(float64(all)))
}

// brief writes values in one line, by name.
func brief(values map[string]float64) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		parts = append(parts, name+" "+report.Number(values[name]))
	}
	return strings.Join(parts, ", ")
}
