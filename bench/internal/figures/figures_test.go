package figures

import (
	"math"
	"slices"
	"testing"
	"time"
)

func TestSeries(t *testing.T) {
	for _, c := range []struct {
		series                  Series
		median, lowest, highest float64
	}{
		{Series{7}, 7, 7, 7},
		{Series{9, 1, 5}, 5, 1, 9},
		{Series{4, 1, 3, 2}, 2.5, 1, 4},
	} {
		if m, lo, hi := c.series.Median(), c.series.Min(), c.series.Max(); m != c.median || lo != c.lowest || hi != c.highest {
			t.Errorf("%v: median %v, min %v, max %v, want %v, %v, %v", c.series, m, lo, hi, c.median, c.lowest, c.highest)
		}
	}
	if m := (Series{}).Median(); !math.IsNaN(m) {
		t.Errorf("the median of nothing is %v", m)
	}
}

func TestMedianLeavesTheOrderOfRounds(t *testing.T) {
	s := Series{3, 1, 2}
	s.Median()
	if !slices.Equal(s, Series{3, 1, 2}) {
		t.Errorf("the series became %v", s)
	}
}

func TestRatioIsTakenRoundByRound(t *testing.T) {
	got := Series{10, 40, 90}.RatioTo(Series{10, 20, 30, 40})
	if want := (Series{1, 2, 3}); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestQuantile(t *testing.T) {
	var l Latencies
	for i := 100; i >= 1; i-- {
		l.Add(time.Duration(i))
	}
	for q, want := range map[float64]time.Duration{0: 1, 0.5: 50, 0.99: 99, 0.991: 100, 1: 100} {
		if got := l.Quantile(q); got != want {
			t.Errorf("quantile %v is %d, want %d", q, got, want)
		}
	}
	l.Add(1000)
	if l.Max() != 1000 || l.Len() != 101 {
		t.Errorf("max %d of %d, want 1000 of 101", l.Max(), l.Len())
	}
	if (&Latencies{}).Quantile(0.5) != 0 {
		t.Error("no durations have a median")
	}
}
