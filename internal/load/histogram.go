package load

import (
	"math"
	"math/bits"
	"time"
)

// Each power of two of nanoseconds is cut into 2^precision buckets, so that a
// quantile is at most one part in 64 too high.
const precision = 6

// Histogram counts durations. The zero value is empty. It is not safe for use by
// several goroutines.
type Histogram struct {
	buckets [(64 - precision) << precision]uint64
	count   uint64
	max     time.Duration
}

// Record counts a duration; a negative one counts as none.
func (h *Histogram) Record(d time.Duration) {
	d = max(d, 0)
	h.buckets[bucketOf(uint64(d))]++
	h.count++
	h.max = max(h.max, d)
}

// bucketOf returns the bucket of v: its leading one and the precision bits after
// it, as a number that grows with v.
func bucketOf(v uint64) int {
	if v < 1<<precision {
		return int(v)
	}
	shift := bits.Len64(v) - precision - 1
	return shift<<precision + int(v>>shift)
}

// highest returns the highest value of a bucket.
func highest(bucket int) uint64 {
	if bucket < 1<<precision {
		return uint64(bucket)
	}
	shift := bucket>>precision - 1
	return uint64(bucket-shift<<precision+1)<<shift - 1
}

// Count returns how many durations were recorded.
func (h *Histogram) Count() uint64 { return h.count }

// Max returns the longest duration, exactly, and 0 of none.
func (h *Histogram) Max() time.Duration { return h.max }

// Quantile returns the duration that the share q, from 0 to 1, of all durations
// do not exceed, and 0 of none.
func (h *Histogram) Quantile(q float64) time.Duration {
	rank := max(1, uint64(math.Ceil(q*float64(h.count))))
	seen := uint64(0)
	for i, n := range h.buckets {
		if seen += n; seen >= rank {
			return min(time.Duration(highest(i)), h.max)
		}
	}
	return h.max
}
