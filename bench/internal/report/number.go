package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/replication-gateway/gateway/bench/internal/figures"
)

// Count writes a whole number with its thousands apart: 1234567 is "1,234,567".
func Count(v float64) string {
	if math.IsNaN(v) {
		return "–"
	}
	digits := strconv.FormatFloat(math.Abs(math.Round(v)), 'f', 0, 64)
	var b strings.Builder
	if v < 0 {
		b.WriteByte('-')
	}
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return b.String()
}

// Number writes a number with three significant digits.
func Number(v float64) string {
	switch a := math.Abs(v); {
	case math.IsNaN(v):
		return "–"
	case a >= 1000:
		return Count(v)
	case a >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case a >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	default:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
}

// Micros writes a duration in microseconds.
func Micros(d time.Duration) string { return Number(float64(d) / float64(time.Microsecond)) }

// Spread writes the median of a series and, in brackets, its extremes.
func Spread(s figures.Series, write func(float64) string) string {
	if len(s) == 0 {
		return "–"
	}
	return fmt.Sprintf("%s (%s–%s)", write(s.Median()), write(s.Min()), write(s.Max()))
}
