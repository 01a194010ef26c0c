package tally

import (
	"slices"
	"testing"
	"time"
)

func TestFind(t *testing.T) {
	for _, c := range []struct {
		in   string
		want []int
	}{
		{"", nil},
		{Mark(0), []int{0}},
		{`{"a":"` + Mark(42) + `"},{"a":"` + Mark(9_999_999) + `-"}`, []int{42, 9_999_999}},
		{"mark-000004", nil},
		{"mark-00x0042 mark-mark-0000007", []int{7}},
	} {
		if got := Find([]byte(c.in), nil); !slices.Equal(got, c.want) {
			t.Errorf("%q: found %v, want %v", c.in, got, c.want)
		}
	}
}

// closed reports whether a channel has been closed.
func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func TestWritesAreCompleteWhenEverybodyHasThem(t *testing.T) {
	a := New(3, 2)
	at := time.Now()
	for w := range 3 {
		a.Due(w, at)
	}
	first, second := a.Complete(1), a.Complete(2)
	a.Received([]int{1, 0}, at)
	a.Received([]int{1}, at)
	if closed(first) || closed(second) {
		t.Fatal("write 0 has reached one of two")
	}
	a.Received([]int{0}, at)
	if !closed(first) || !closed(second) || !closed(a.Complete(2)) || closed(a.Complete(3)) {
		t.Fatal("writes 0 and 1 have reached both, write 2 nobody")
	}
}

func TestLatenciesCountFromWhenAWriteWasDue(t *testing.T) {
	a := New(4, 2)
	begun := time.Now()
	for w := range 3 {
		a.Due(w, begun.Add(time.Duration(w)*time.Second))
	}
	a.Received([]int{0}, begun.Add(time.Minute)) // before the stretch
	a.Begin(1)
	a.Received([]int{0, 1, 2}, begun.Add(3*time.Second))
	now := a.Now()
	if now.Deliveries != 2 || now.Missing != 0 || now.Latency.Max() != 2*time.Second {
		t.Errorf("%d deliveries, the longest took %v, want 2 and 2s", now.Deliveries, now.Latency.Max())
	}
	// The other subscriber got nothing: its writes are 10 and 9 seconds old. Write 3 was never due.
	end := a.End(begun.Add(11 * time.Second))
	if end.Missing != 2 || end.Latency.Count() != 4 || end.Latency.Max() != 10*time.Second {
		t.Errorf("%d missing of %d, the longest %v, want 2 of 4 and 10s", end.Missing, end.Latency.Count(), end.Latency.Max())
	}
}

func TestSurplusIsNoDelivery(t *testing.T) {
	a := New(2, 1)
	at := time.Now()
	a.Due(0, at)
	a.Received([]int{0, 0, 1, 7}, at)
	if s := a.Now(); s.Deliveries != 1 || a.Surplus() != 3 {
		t.Errorf("%d deliveries, %d surplus, want 1 and 3", s.Deliveries, a.Surplus())
	}
}
