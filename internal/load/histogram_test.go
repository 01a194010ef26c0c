package load

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestBucketsFollowOnEachOther(t *testing.T) {
	last := len(Histogram{}.buckets) - 1
	if got := bucketOf(math.MaxInt64); got > last {
		t.Fatalf("the longest duration falls into bucket %d, the last is %d", got, last)
	}
	for b := range bucketOf(math.MaxInt64) {
		top := highest(b)
		if got, next := bucketOf(top), bucketOf(top+1); got != b || next != b+1 {
			t.Fatalf("bucket %d ends at %d, which falls into %d, and the next into %d", b, top, got, next)
		}
	}
}

func TestQuantiles(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var h Histogram
		var all []time.Duration
		for range 1 + r.IntN(300) {
			d := time.Duration(math.Exp(r.Float64() * 40))
			h.Record(d)
			all = append(all, d)
		}
		slices.Sort(all)
		for _, q := range []float64{0, 0.01, 0.5, 0.9, 0.99, 1} {
			exact := all[max(0, int(math.Ceil(q*float64(len(all))))-1)]
			if got := h.Quantile(q); got < exact || float64(got) > float64(exact)*(1+1.0/64) {
				t.Fatalf("quantile %v of %d: got %d, want %d or at most a 64th more", q, len(all), got, exact)
			}
		}
		if h.Max() != all[len(all)-1] || h.Count() != uint64(len(all)) {
			t.Fatalf("got max %v of %d, want %v of %d", h.Max(), h.Count(), all[len(all)-1], len(all))
		}
	}
}

func TestEmptyHistogram(t *testing.T) {
	var h Histogram
	if h.Quantile(0.5) != 0 || h.Max() != 0 {
		t.Errorf("got %v, %v", h.Quantile(0.5), h.Max())
	}
	h.Record(-time.Second)
	if h.Quantile(0.5) != 0 || h.Count() != 1 {
		t.Errorf("a negative duration: got %v of %d, want 0 of 1", h.Quantile(0.5), h.Count())
	}
}
