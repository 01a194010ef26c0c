// Package figures turns samples into the figures that a report shows.
//
// Candidates are measured in turns, round by round, so that what disturbs the machine disturbs all of them. A ratio is
// therefore the median of the ratios within each round, not the ratio of two medians.
package figures

import (
	"math"
	"slices"
	"time"
)

// Series is one figure of one candidate, a value for each round, in order.
type Series []float64

// Median is the middle value, or the mean of the two in the middle; NaN for no values.
func (s Series) Median() float64 {
	if len(s) == 0 {
		return math.NaN()
	}
	v := slices.Sorted(slices.Values(s))
	mid := len(v) / 2
	if len(v)%2 == 1 {
		return v[mid]
	}
	return (v[mid-1] + v[mid]) / 2
}

// Min is the smallest value, NaN for no values.
func (s Series) Min() float64 {
	if len(s) == 0 {
		return math.NaN()
	}
	return slices.Min(s)
}

// Max is the largest value, NaN for no values.
func (s Series) Max() float64 {
	if len(s) == 0 {
		return math.NaN()
	}
	return slices.Max(s)
}

// RatioTo divides round by round by the values of another series. Rounds that only one of them has are left out.
func (s Series) RatioTo(base Series) Series {
	n := min(len(s), len(base))
	r := make(Series, n)
	for i := range n {
		r[i] = s[i] / base[i]
	}
	return r
}

// Latencies collects durations and answers for their distribution. It is not safe for use by several goroutines.
type Latencies struct {
	all    []time.Duration
	sorted bool
}

// Add adds one duration.
func (l *Latencies) Add(d time.Duration) {
	l.all = append(l.all, d)
	l.sorted = false
}

// Len is the number of durations.
func (l *Latencies) Len() int { return len(l.all) }

// Quantile is the smallest of the durations that at least the fraction q of them does not exceed; 0 for none.
func (l *Latencies) Quantile(q float64) time.Duration {
	if len(l.all) == 0 {
		return 0
	}
	if !l.sorted {
		slices.Sort(l.all)
		l.sorted = true
	}
	i := int(math.Ceil(q*float64(len(l.all)))) - 1
	return l.all[min(max(i, 0), len(l.all)-1)]
}

// Max is the longest duration; 0 for none.
func (l *Latencies) Max() time.Duration { return l.Quantile(1) }
