package hub

import (
	"errors"
	"fmt"
	"iter"
	"testing"
	"time"
)

func TestAddAndRemove(t *testing.T) {
	m, _ := start(Options{MaxSubs: 2})
	a, err := m.AddSub(SubOptions{})
	must(t, err)
	b, err := m.AddSub(SubOptions{})
	must(t, err)
	if _, err := m.AddSub(SubOptions{}); !errors.Is(err, ErrFull) {
		t.Errorf("a third of two subscribers: %v", err)
	}
	if a.Stats().ID == b.Stats().ID {
		t.Error("two subscribers have one ID")
	}
	m.RemoveSub(a)
	m.RemoveSub(a)
	<-a.Done()
	if got := m.subs; len(got) != 1 || got[0] != b || m.SubCount() != 1 || a.Cause() != (Disconnect{}) {
		t.Errorf("%d subscribers left, cause %v", m.SubCount(), a.Cause())
	}
	if _, err := m.AddSub(SubOptions{Reason: `"`}); err == nil {
		t.Error("a reason that breaks JSON was taken")
	}
	m.RemoveSub(b)
	idle(t, m)
}

func TestEnd(t *testing.T) {
	m, mod := start(Options{})
	s, err := m.AddSub(SubOptions{Class: all})
	must(t, err)
	s.End(TokenEnded)
	s.End(HistoryChanged)
	<-s.Done()
	push(m, mod, 1)
	if got := take(s, 1); len(got) != 0 || s.Cause() != TokenEnded {
		t.Errorf("after the end: %q, cause %v", got, s.Cause())
	}
}

func TestClose(t *testing.T) {
	m, _ := start(Options{})
	s, err := m.AddSub(SubOptions{})
	must(t, err)
	d := Restarting(1500 * time.Millisecond)
	m.Close(d)
	<-s.Done()
	if got := fmt.Sprint(s.Cause()); got != "1012 retry in 1500 ms" {
		t.Errorf("cause %s", got)
	}
	if _, err := m.AddSub(SubOptions{}); !errors.Is(err, ErrClosed) {
		t.Errorf("AddSub after Close: %v", err)
	}
	m.RemoveSub(s)
	idle(t, m)
}

// TestGapsPanic: what would be a gap in every stream never gets into one.
func TestGapsPanic(t *testing.T) {
	cases := []struct {
		name    string
		state   uint64
		commits []Commit
	}{
		{"a number left out", 7, []Commit{fixed(7)}},
		{"a number twice", 5, []Commit{fixed(5)}},
		{"a hole inside", 8, []Commit{fixed(6), fixed(8)}},
		{"a state that goes back", 4, nil},
		{"a state after the last commit", 7, []Commit{fixed(6)}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			m := NewManager(Options{Epoch: "e"})
			m.Push(State{SeqNo: 5})
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
				if first, last := m.Window(); first != 6 || last != 5 {
					t.Errorf("window %d to %d, want it untouched", first, last)
				}
			}()
			m.PushDelta(State{SeqNo: c.state}, c.commits...)
		})
	}
}

// TestPushReplacesState: everybody gets the new state after what it has begun,
// even one with numbers that were there before.
func TestPushReplacesState(t *testing.T) {
	m := NewManager(Options{Epoch: "e"})
	var resyncs []string
	m.options.Observe.Resync = func(reason string) { resyncs = append(resyncs, reason) }
	state := func(name string) State {
		return State{SeqNo: 3, Parts: func(Class, int) iter.Seq[[]byte] {
			return lent(fmt.Appendf(nil, `{"%s":[1]}`, name), fmt.Appendf(nil, `{"%s":[2]}`, name))
		}}
	}
	snapshot := func(name string) []string {
		return []string{
			`{"type":"snapshot","epoch":"e","seq_no":3,"snapshot":{"` + name + `":[1]},"more":true}`,
			`{"type":"snapshot","epoch":"e","seq_no":3,"snapshot":{"` + name + `":[2]}}`,
		}
	}
	delta := func(entry string) string {
		return `{"type":"delta","epoch":"e","prev_seq_no":3,"seq_no":4,"entries":[` + entry + `]}`
	}
	add := func() *Sub {
		s, err := m.AddSub(SubOptions{})
		must(t, err)
		return s
	}

	m.Push(state("old"))
	reading, done := add(), add()
	resumed, err := m.AddSub(SubOptions{Resume: true, Since: 3})
	must(t, err)
	frames(resumed)
	take(reading, 1) // heartbeat
	take(reading, 1) // first part
	frames(done)
	m.PushDelta(State{SeqNo: 4}, fixed(4, `"old"`))
	equal(t, frames(done), []string{delta(`"old"`)})

	m.Push(state("new"))
	fresh := add()
	equal(t, frames(fresh)[1:], snapshot("new"))
	equal(t, frames(reading), append(snapshot("old")[1:], snapshot("new")...))
	equal(t, frames(done), snapshot("new"))
	equal(t, frames(resumed), snapshot("new"))
	if got, want := fmt.Sprint(resyncs), fmt.Sprint([]string{StateReplaced, StateReplaced, StateReplaced}); got != want {
		t.Errorf("observed resyncs %s, want %s", got, want)
	}

	m.PushDelta(State{SeqNo: 4}, fixed(4, `"new"`))
	for _, s := range []*Sub{fresh, reading, done, resumed} {
		equal(t, frames(s), []string{delta(`"new"`)})
	}
}

// TestSetEpoch: a new history goes on from the old one, under its own name alone.
func TestSetEpoch(t *testing.T) {
	m := NewManager(Options{Epoch: "e"})
	m.Push(State{})
	add := func() *Sub {
		s, err := m.AddSub(SubOptions{Resume: true})
		must(t, err)
		return s
	}
	old := add()
	m.PushDelta(State{SeqNo: 1}, fixed(1, "1"))
	frames(old)
	m.SetEpoch("f")
	<-old.Done()
	if old.Cause() != HistoryChanged {
		t.Errorf("cause %v", old.Cause())
	}
	got := frames(add())
	contains(t, got[0], `"epoch":"f","seq_no":0,`)
	contains(t, got[0], `"resumed":true`)
	equal(t, got[1:], []string{`{"type":"delta","epoch":"f","prev_seq_no":0,"seq_no":1,"entries":[1]}`})
}

// TestStalledReader: one that never reads delays nobody and costs a cursor.
func TestStalledReader(t *testing.T) {
	m, mod := start(Options{MaxCommits: 10})
	stalled := join(t, m, mod, SubOptions{Class: all})
	reading := join(t, m, mod, SubOptions{Class: all})
	halfway, err := m.AddSub(SubOptions{Class: all}) // stands still inside its snapshot
	must(t, err)
	take(halfway, 1)
	for range 500 {
		push(m, mod, 1)
		must(t, reading.drain())
		if p, _ := reading.valid.Position(); p.SeqNo != mod.last {
			t.Fatalf("the other reader stands at %v, want %d", p, mod.last)
		}
	}
	if m.window.len() > 20 || len(m.deltas.pieces) > maxDeltas || len(m.snapshots.pieces) > 1 {
		t.Errorf("%d commits, %d deltas, %d snapshots kept", m.window.len(), len(m.deltas.pieces), len(m.snapshots.pieces))
	}
	if got := stalled.sub.Stats().Behind; got != 500 {
		t.Errorf("behind by %d, want 500", got)
	}
	must(t, stalled.drain())
	must(t, stalled.check())
}

// TestObserve: what is handed out is counted, by type.
func TestObserve(t *testing.T) {
	got := map[FrameType]int{}
	bytes := 0
	m, mod := start(Options{Observe: Observe{Frames: func(typ FrameType, frames, n int) {
		got[typ] += frames
		bytes += n
	}}})
	r := newReader(m, mod, SubOptions{Class: all})
	must(t, r.connect(false))
	sum := 0
	read := func() {
		for _, f := range frames(r.sub) {
			sum += len(f)
		}
	}
	read()
	before := time.Now()
	push(m, mod, 1)
	m.tick()
	if got := take(r.sub, 1); len(got) == 1 {
		sum += len(got[0])
	}
	r.sub.Next(&r.batch, 1)
	sum += len(r.batch.Frames[0])
	if pushed := r.batch.Oldest; pushed.Before(before) {
		t.Errorf("oldest commit pushed at %v, want after %v", pushed, before)
	}
	read()
	r.sub.Next(&r.batch, 1)
	if !r.batch.Oldest.IsZero() {
		t.Error("an oldest commit without a commit")
	}
	if got[Snapshot] != 1 || got[Delta] != 1 || got[Heartbeat] != 2 || bytes != sum {
		t.Errorf("observed %v and %d bytes, handed out %d", got, bytes, sum)
	}
}

// TestAbsenceIsNoDelivery: what was pushed before a subscriber came has not taken as
// long as that to reach it.
func TestAbsenceIsNoDelivery(t *testing.T) {
	m, mod := start(Options{})
	r := join(t, m, mod, SubOptions{Class: all})
	push(m, mod, 1)
	must(t, r.connect(true))
	if n, err := r.next(1 << 20); n != 2 || err != nil || !r.batch.Oldest.IsZero() {
		t.Errorf("%d frames, %v, a commit of %v; want a heartbeat and a delta of no time", n, err, r.batch.Oldest)
	}
}
