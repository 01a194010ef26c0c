package hub

import (
	"iter"
	"testing"
)

// TestCrowdJoinsWhileWriting: joiners who wait for a seat are given the snapshot that
// there is, and what came since, until that is half as much again.
func TestCrowdJoinsWhileWriting(t *testing.T) {
	m := NewManager(Options{Epoch: "e"})
	encodings := 0
	state := func(seq uint64) State {
		return State{SeqNo: seq, Parts: func(_ Class, max int) iter.Seq[[]byte] {
			encodings++
			return lent(make([]byte, max), []byte("{}"))
		}}
	}
	m.Push(state(0))
	var seq uint64
	push := func(bytes int) {
		seq++
		c := fixed(seq, "1")
		c.Bytes = bytes
		m.PushDelta(state(seq), c)
	}
	var subs []*Sub
	for range 3*maxSeats + 1 {
		s, err := m.AddSub(SubOptions{})
		must(t, err)
		take(s, 1) // the heartbeat
		take(s, 1) // the first part, for those who have a seat
		subs = append(subs, s)
	}
	const size = 256 << 10
	for i, s := range subs {
		if i == 3*maxSeats {
			push(size)
		}
		push(size / 100)
		if got := frames(s); i < 3*maxSeats && len(got) == 0 {
			t.Fatalf("joiner %d was given nothing in its turn", i)
		}
		if got := s.Stats(); got.SeqNo != seq {
			t.Fatalf("joiner %d stands at %d, want %d", i, got.SeqNo, seq)
		}
		m.RemoveSub(s)
	}
	if encodings != 2 {
		t.Errorf("%d snapshots were encoded, want one, and another when much had been written", encodings)
	}
	idle(t, m)
}

// TestSnapshotsHaveABudget: joiners share an older snapshot that is being read,
// rather than filling memory with newer ones.
func TestSnapshotsHaveABudget(t *testing.T) {
	m := NewManager(Options{Epoch: "e", MaxFrame: 1 << 20})
	m.snapshots.budget = 3000
	encodings := 0
	large := make([]byte, m.snapshots.budget/3)
	state := func(seq uint64) State {
		return State{SeqNo: seq, Parts: func(Class, int) iter.Seq[[]byte] {
			encodings++
			return lent(large, []byte(`{}`))
		}}
	}
	m.Push(state(0))
	var subs []*Sub
	for seq := uint64(1); seq <= maxSeats; seq++ {
		s, err := m.AddSub(SubOptions{})
		must(t, err)
		take(s, 200) // heartbeat and the first part
		subs = append(subs, s)
		c := fixed(seq, "1")
		c.Bytes = m.snapshots.budget // too much to start from an older snapshot
		m.PushDelta(state(seq), c)
	}
	if encodings != 3 {
		t.Errorf("%d snapshots for readers that stand still, want 3: more exceed the budget", encodings)
	}
	for _, s := range subs {
		frames(s)
		if st := s.Stats(); st.SeqNo != maxSeats {
			t.Errorf("a reader ended at %d, want %d", st.SeqNo, maxSeats)
		}
	}
	if m.snapshots.bytes != 0 {
		t.Errorf("%d bytes counted when nobody reads", m.snapshots.bytes)
	}
}

// TestOldSnapshotLeadsNowhere: budget or not, nobody is given a snapshot after
// which commits are gone.
func TestOldSnapshotLeadsNowhere(t *testing.T) {
	m := NewManager(Options{Epoch: "e", MaxCommits: 2})
	m.snapshots.budget = 0
	parts := func(Class, int) iter.Seq[[]byte] { return lent([]byte(`{}`), []byte(`{}`)) }
	m.Push(State{Parts: parts})
	stalled, err := m.AddSub(SubOptions{})
	must(t, err)
	take(stalled, 1) // heartbeat
	take(stalled, 1) // first part
	for seq := uint64(1); seq <= 9; seq++ {
		m.PushDelta(State{SeqNo: seq, Parts: parts}, fixed(seq, "1"))
	}
	s, err := m.AddSub(SubOptions{})
	must(t, err)
	equal(t, frames(s)[1:], []string{
		`{"type":"snapshot","epoch":"e","seq_no":9,"snapshot":{},"more":true}`,
		`{"type":"snapshot","epoch":"e","seq_no":9,"snapshot":{}}`,
	})
}
