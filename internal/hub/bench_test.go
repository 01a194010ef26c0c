package hub

import (
	"fmt"
	"testing"
)

// crowd is 1,000 subscribers of one class who are up to date.
func crowd(tb testing.TB) (*Manager, []*Sub) {
	m := NewManager(Options{Epoch: "e"})
	m.Push(State{})
	var subs []*Sub
	for range 1000 {
		s, err := m.AddSub(SubOptions{Class: all})
		must(tb, err)
		take(s, 1<<20)
		subs = append(subs, s)
	}
	return m, subs
}

// deliverer pushes a commit and gives it to every subscriber.
func deliverer(m *Manager, subs []*Sub) func() {
	entries := [][]byte{make([]byte, 300)}
	seq := uint64(0)
	var b Batch
	return func() {
		seq++
		m.PushDelta(State{SeqNo: seq}, Commit{SeqNo: seq, Bytes: 300, Entries: func(Class) [][]byte { return entries }})
		for _, s := range subs {
			for s.Next(&b, 1<<20); len(b.Frames) > 0; s.Next(&b, 1<<20) {
			}
		}
	}
}

// TestDeliveryAllocatesNothing: what a commit costs in memory does not depend on
// how many read it.
func TestDeliveryAllocatesNothing(t *testing.T) {
	m, subs := crowd(t)
	if got := testing.AllocsPerRun(20, deliverer(m, subs)); got > 50 {
		t.Errorf("%v allocations to deliver a commit to %d subscribers", got, len(subs))
	}
}

func BenchmarkDeliver(b *testing.B) {
	m, subs := crowd(b)
	deliver := deliverer(m, subs)
	b.ReportAllocs()
	for b.Loop() {
		deliver()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(subs)), "ns/delivery")
}

// BenchmarkPushDelta is the publisher's share, with 1,000 subscribers to wake.
func BenchmarkPushDelta(b *testing.B) {
	for _, n := range []int{0, 1000} {
		b.Run(fmt.Sprintf("subs=%d", n), func(b *testing.B) {
			m, subs := crowd(b)
			for _, s := range subs[n:] {
				m.RemoveSub(s)
			}
			b.ReportAllocs()
			seq := uint64(0)
			for b.Loop() {
				seq++
				m.PushDelta(State{SeqNo: seq}, Commit{SeqNo: seq, Bytes: 300})
			}
		})
	}
}
