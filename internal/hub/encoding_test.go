package hub

import (
	"fmt"
	"sync/atomic"
	"testing"
)

// TestEncodings: subscribers of a class with one encoding share its bytes, and it is
// told what a frame is.
func TestEncodings(t *testing.T) {
	m := NewManager(Options{Epoch: "e"})
	var n counted
	m.Push(n.state(0))
	var wraps atomic.Int64
	loud := &Encoding{Room: 3, Wrap: func(h Header, b []byte) []byte {
		wraps.Add(1)
		copy(b, ">> ")
		return fmt.Appendf(b, " << %s of %s at %d, resumable %v", h.Type, h.Epoch, h.SeqNo, h.Resumable)
	}}
	f := NewFeed()
	add := func(e *Encoding) *Sub {
		s, err := m.AddSub(SubOptions{Class: all})
		must(t, err)
		f.Add(s, e, nil)
		return s
	}
	a, b, plain := add(loud), add(loud), add(nil)
	got := map[*Sub][]string{}
	for len(got[plain]) < 3 || len(got[a]) < 3 || len(got[b]) < 3 {
		<-f.Wake()
		for s, frames := range serve(f) {
			got[s] = append(got[s], frames...)
		}
	}
	want := []string{
		`{"type":"snapshot","epoch":"e","seq_no":0,"snapshot":{"a":[1]},"more":true}`,
		`{"type":"snapshot","epoch":"e","seq_no":0,"snapshot":{"a":[2]}}`,
	}
	equal(t, got[plain][1:], want)
	contains(t, got[a][0], "} << heartbeat of e at 0, resumable false")
	equal(t, got[a][1:], []string{
		">> " + want[0] + " << snapshot of e at 0, resumable false",
		">> " + want[1] + " << snapshot of e at 0, resumable true",
	})
	equal(t, got[b][1:], got[a][1:])
	if wraps.Load() != 2+2 || n.parts.Load() != 2 {
		t.Errorf("%d frames wrapped of %d encodings, want two heartbeats and two parts of two", wraps.Load(), n.parts.Load())
	}

	m.PushDelta(n.state(1), n.commit(1))
	m.tick()
	frames := serve(f)
	contains(t, frames[a][0], "} << heartbeat of e at 0, resumable true")
	contains(t, frames[a][1], "} << delta of e at 1, resumable true")
	if wraps.Load() != 4+2 || len(frames[plain]) != 2 {
		t.Errorf("%d frames wrapped, want one heartbeat and one delta for both", wraps.Load()-4)
	}
	equal(t, frames[b], frames[a])
}

// TestQueueIsNoPlaceToResumeAt: a heartbeat that comes before the snapshot leads
// nobody to think that it holds something.
func TestQueueIsNoPlaceToResumeAt(t *testing.T) {
	m, subs := crowdAtTheDoor(t, maxSeats)
	reading(subs)
	e := &Encoding{Wrap: func(h Header, b []byte) []byte { return fmt.Appendf(b, " resumable %v", h.Resumable) }}
	f := NewFeed()
	s, err := m.AddSub(SubOptions{})
	must(t, err)
	f.Add(s, e, nil)
	serve(f)
	m.tick()
	for range 2 {
		if got := serve(f)[s]; len(got) == 1 {
			contains(t, got[0], `"seq_no":0,`)
			contains(t, got[0], "} resumable false")
		} else {
			t.Errorf("came %q, want a heartbeat", got)
		}
		m.tick()
	}
}
