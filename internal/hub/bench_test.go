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

// BenchmarkRound is what a writer's round costs in the hub: 10,000 subscribers of one
// feed are given the same commit.
func BenchmarkRound(b *testing.B) {
	const n = 10_000
	m := NewManager(Options{Epoch: "e"})
	m.Push(State{})
	f := NewFeed()
	for range n {
		s, err := m.AddSub(SubOptions{Class: all, Resume: true})
		must(b, err)
		f.Add(s, nil, nil)
	}
	entries := [][]byte{make([]byte, 300)}
	var seq uint64
	var due []*Sub
	var batch Batch
	round := func() (frames int) {
		due = f.Begin(due[:0])
		for _, s := range due {
			s.Next(&batch, 64<<10)
			frames += len(batch.Frames)
		}
		f.End()
		return frames
	}
	round()
	b.ReportAllocs()
	for b.Loop() {
		seq++
		m.PushDelta(State{SeqNo: seq}, Commit{SeqNo: seq, Bytes: 300, Entries: func(Class) [][]byte { return entries }})
		if got := round(); got != n {
			b.Fatalf("%d frames", got)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/delivery")
}

// BenchmarkPushDelta is the publisher's share, with 1,000 subscribers to wake: each
// on its own, or as those of one feed.
func BenchmarkPushDelta(b *testing.B) {
	for _, feed := range []*Feed{nil, NewFeed()} {
		b.Run(fmt.Sprintf("feed=%v", feed != nil), func(b *testing.B) {
			m, subs := crowd(b)
			if feed != nil {
				for _, s := range subs {
					m.RemoveSub(s)
					s, err := m.AddSub(SubOptions{Class: all})
					must(b, err)
					feed.Add(s, nil, nil)
				}
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
