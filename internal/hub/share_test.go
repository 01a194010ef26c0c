package hub

import (
	"fmt"
	"iter"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
)

// counted makes a commit and a state that count how often they are encoded.
type counted struct{ entries, parts atomic.Int64 }

func (c *counted) commit(seq uint64) Commit {
	plain := fixed(seq, "1")
	return Commit{SeqNo: seq, Entries: func(class Class) [][]byte { c.entries.Add(1); return plain.Entries(class) }}
}

func (c *counted) state(seq uint64) State {
	return State{SeqNo: seq, Parts: func(Class, int) iter.Seq[[]byte] {
		c.parts.Add(1)
		return lent([]byte(`{"a":[1]}`), []byte(`{"a":[2]}`))
	}}
}

// TestEncodedOnce: subscribers of a class share the very bytes of frames.
func TestEncodedOnce(t *testing.T) {
	m := NewManager(Options{Epoch: "e"})
	var n counted
	m.Push(n.state(0))
	var subs []*Sub
	for i := range 100 {
		s, err := m.AddSub(SubOptions{Class: Class(fmt.Sprint(i % 2))})
		must(t, err)
		subs = append(subs, s)
	}
	read := func() (bytes map[*byte]bool) {
		bytes = make(map[*byte]bool)
		for _, s := range subs {
			for _, f := range take(s, 1<<20) {
				bytes[&f[0]] = true
			}
		}
		return bytes
	}
	// A heartbeat of its own for each, and two parts for each of two classes.
	if got := len(read()); got != 100+4 || n.parts.Load() != 2 {
		t.Errorf("%d frames from %d encodings, want 104 from 2", got, n.parts.Load())
	}
	m.PushDelta(n.state(2), n.commit(1), n.commit(2))
	if got := len(read()); got != 2 || n.entries.Load() != 4 {
		t.Errorf("%d frames from %d encodings, want 2 from 4", got, n.entries.Load())
	}
	m.tick()
	if got := len(read()); got != 1 {
		t.Errorf("%d heartbeats, want 1 shared by all", got)
	}
}

// TestSnapshotKeptForJoiners: a joiner of the same state shares the encoding, one
// of a later state does not, and nothing is kept that no one can use.
func TestSnapshotKeptForJoiners(t *testing.T) {
	m := NewManager(Options{Epoch: "e"})
	var n counted
	m.Push(n.state(0))
	joiner := func() {
		s, err := m.AddSub(SubOptions{})
		must(t, err)
		take(s, 1<<20)
	}
	joiner()
	joiner()
	if n.parts.Load() != 1 {
		t.Errorf("%d encodings for two joiners of one state", n.parts.Load())
	}
	m.PushDelta(n.state(1), n.commit(1))
	if len(m.snapshots.pieces) != 0 || m.snapshots.bytes != 0 {
		t.Errorf("%d snapshots of %d bytes kept of a state that has passed", len(m.snapshots.pieces), m.snapshots.bytes)
	}
	joiner()
	if n.parts.Load() != 2 {
		t.Errorf("%d encodings for joiners of two states", n.parts.Load())
	}
}

// TestJoinersWhileEncoding: while one joiner encodes, others return at once and
// the publisher goes on; then all read the same snapshot and what came since.
func TestJoinersWhileEncoding(t *testing.T) {
	m := NewManager(Options{Epoch: "e", MaxCommits: 2})
	encoding, release := make(chan struct{}), make(chan struct{})
	m.Push(State{SeqNo: 3, Parts: func(Class, int) iter.Seq[[]byte] {
		close(encoding)
		<-release
		return lent([]byte(`{"a":[]}`))
	}})
	first, err := m.AddSub(SubOptions{})
	must(t, err)
	read := make(chan [][]byte)
	go func() { read <- take(first, 1<<20) }()
	<-encoding

	second, err := m.AddSub(SubOptions{})
	must(t, err)
	<-second.Wake()
	if got := frames(second); len(got) != 1 {
		t.Fatalf("the second joiner got %d frames, want its heartbeat", len(got))
	}
	push := func(seq uint64) { m.PushDelta(State{SeqNo: seq}, fixed(seq, fmt.Sprint(seq))) }
	for seq := uint64(4); seq < 7; seq++ { // beyond the window, but within the pin
		push(seq)
	}
	third, err := m.AddSub(SubOptions{}) // of a later state, but sooner served by the same snapshot
	must(t, err)
	if got := frames(third); len(got) != 1 {
		t.Fatalf("the third joiner got %d frames, want its heartbeat", len(got))
	}
	<-third.Wake()
	push(7)
	<-second.Wake()
	<-third.Wake()
	if got := frames(second); got != nil {
		t.Fatalf("the second joiner got %q before there was a snapshot", got)
	}
	close(release)
	want := []string{
		`{"type":"snapshot","epoch":"e","seq_no":3,"snapshot":{"a":[]}}`,
		`{"type":"delta","epoch":"e","prev_seq_no":3,"seq_no":7,"entries":[4,5,6,7]}`,
	}
	got := <-read
	equal(t, []string{string(got[1]), string(got[2])}, want)
	<-second.Wake()
	equal(t, frames(second), want)
	<-third.Wake()
	equal(t, frames(third), want)
}

// TestFailedEncoding: a panic while encoding hits the caller alone.
func TestFailedEncoding(t *testing.T) {
	m := NewManager(Options{Epoch: "e"})
	fail := true
	var second *Sub
	m.Push(State{Parts: func(Class, int) iter.Seq[[]byte] {
		if !fail {
			return lent()
		}
		fail = false
		frames(second) // waits for the piece that is about to fail
		<-second.Wake()
		panic("encoding")
	}})
	first, err := m.AddSub(SubOptions{})
	must(t, err)
	second, err = m.AddSub(SubOptions{})
	must(t, err)

	breaks := func() {
		t.Helper()
		defer func() {
			if recover() == nil {
				t.Error("the panic did not reach the caller")
			}
		}()
		take(first, 1<<20)
	}
	breaks()
	<-second.Wake()
	want := []string{`{"type":"snapshot","epoch":"e","seq_no":0,"snapshot":{}}`}
	equal(t, frames(second), want)
	equal(t, frames(first), want)

	fail = true
	commit := fixed(1, "1")
	m.PushDelta(State{SeqNo: 1}, Commit{SeqNo: 1, Entries: func(c Class) [][]byte {
		if fail {
			fail = false
			panic("encoding")
		}
		return commit.Entries(c)
	}})
	breaks()
	want = []string{`{"type":"delta","epoch":"e","prev_seq_no":0,"seq_no":1,"entries":[1]}`}
	equal(t, frames(second), want)
	equal(t, frames(first), want)
}

// TestStreamEndsWhileEncoding: what was encoded for someone who has gone is
// neither kept for ever nor counted for ever.
func TestStreamEndsWhileEncoding(t *testing.T) {
	m := NewManager(Options{Epoch: "e"})
	meanwhile := func() {}
	parts := func(Class, int) iter.Seq[[]byte] { meanwhile(); return lent() }
	m.Push(State{Parts: parts})
	add := func() *Sub {
		s, err := m.AddSub(SubOptions{})
		must(t, err)
		return s
	}

	first := add()
	meanwhile = func() { m.SetEpoch("f") }
	if got := frames(first); len(got) != 1 || m.snapshots.bytes != 0 {
		t.Errorf("%d frames and %d bytes of an epoch that has passed", len(got), m.snapshots.bytes)
	}

	second := add()
	meanwhile = func() {
		second.End(TokenEnded)
		m.PushDelta(State{SeqNo: 1, Parts: parts}, fixed(1, "1"))
	}
	frames(second)
	meanwhile = func() {}
	frames(add())
	if want := len(`{"type":"snapshot","epoch":"f","seq_no":1,"snapshot":{}}`); m.snapshots.bytes != want {
		t.Errorf("%d bytes counted, want those of the last snapshot, %d", m.snapshots.bytes, want)
	}
}

// TestWakesForAReason: who has read everything, having encoded it, sleeps.
func TestWakesForAReason(t *testing.T) {
	m := NewManager(Options{Epoch: "e"})
	m.Push(State{})
	s, err := m.AddSub(SubOptions{})
	must(t, err)
	for range 2 { // snapshot, then delta
		<-s.Wake()
		frames(s)
		select {
		case <-s.Wake():
			t.Error("woken by its own encoding")
		default:
		}
		m.PushDelta(State{SeqNo: m.state.SeqNo + 1}, fixed(m.state.SeqNo+1, "1"))
	}
}

// TestPinnedWindow: who reads a snapshot finds the commits after it, up to twice
// the window, until it has caught up.
func TestPinnedWindow(t *testing.T) {
	for _, c := range []struct {
		name      string
		sharing   bool // a snapshot that another has encoded
		before    int  // commits pushed while the snapshot is read
		after     int  // commits pushed when it has been read
		kept      int  // commits
		snapshots int  // that it takes
	}{
		{name: "within the window", before: 2, kept: 4, snapshots: 1},
		{name: "within twice the window", before: 8, kept: 8, snapshots: 1},
		{name: "likewise with a shared snapshot", sharing: true, before: 8, kept: 8, snapshots: 1},
		{name: "left behind", before: 10, kept: 4, snapshots: 2},
		{name: "read, but not caught up", before: 7, after: 1, kept: 8, snapshots: 1},
		{name: "beyond twice the window", before: 9, kept: 8, snapshots: 2},
		{name: "read, then beyond it", before: 7, after: 2, kept: 8, snapshots: 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, mod := start(Options{MaxCommits: 4, MaxFrame: 200})
			for key := range 30 { // a state that takes several parts
				cm := mod.commit(change{key: key})
				m.PushDelta(mod.head(), cm)
			}
			if c.sharing {
				join(t, m, mod, SubOptions{Class: all})
			}
			r := newReader(m, mod, SubOptions{Class: all})
			must(t, r.connect(false))
			read := func() {
				_, err := r.next(1)
				must(t, err)
			}
			read()
			read()
			if !r.valid.Partial() {
				t.Fatal("the snapshot has one part")
			}
			snapshots := 1
			m.options.Observe.Resync = func(string) { snapshots++ }
			push(m, mod, c.before)
			for c.after > 0 && r.valid.Partial() {
				read()
			}
			push(m, mod, c.after)

			if m.window.len() != c.kept {
				t.Errorf("%d commits kept, want %d", m.window.len(), c.kept)
			}
			if first, last := m.Window(); first != last-3 || m.refusal(first-2) != WindowExceeded {
				t.Errorf("window is %d to %d, want four commits and none to resume from before", first, last)
			}
			must(t, r.drain())
			must(t, r.check())
			if snapshots != c.snapshots {
				t.Errorf("%d snapshots, want %d", snapshots, c.snapshots)
			}
			push(m, mod, 1)
			if m.window.len() != 4 || len(m.pinned) != 0 {
				t.Errorf("%d commits kept and %d pins after catching up, want 4 and 0", m.window.len(), len(m.pinned))
			}
		})
	}
}

// TestDeltaCacheIsBounded: the cache keeps the newest and forgets the oldest.
func TestDeltaCacheIsBounded(t *testing.T) {
	var c deltaCache
	add := func(i, bytes int) {
		k := deltaKey{prev: uint64(i)}
		p := &piece{}
		c.add(k, p)
		p.finish([][]byte{make([]byte, bytes)})
		c.finished(k, p)
	}
	for i := range 2 * maxDeltas {
		add(i, 1)
	}
	if len(c.pieces) != maxDeltas || c.bytes != maxDeltas {
		t.Errorf("%d pieces of %d bytes, want %d of as many", len(c.pieces), c.bytes, maxDeltas)
	}
	add(-1, maxDeltaBytes+1)
	if len(c.pieces) != 1 || !slices.Equal(c.order, []deltaKey{{prev: ^uint64(0)}}) {
		t.Errorf("%d pieces beside one that fills the cache", len(c.pieces))
	}
}

// TestLargeCommitsAreShared: also by those who come to one from different places, and
// nobody keeps it when all of them have gone.
func TestLargeCommitsAreShared(t *testing.T) {
	m, mod := start(Options{MaxFrame: 300})
	for range 2 {
		c := mod.commit(change{key: 2}) // out of sight
		m.PushDelta(mod.head(), c)
	}
	large := make([]change, 30)
	for i := range large {
		large[i] = change{key: i, pad: 20}
	}
	c := mod.commit(large...)
	m.PushDelta(mod.head(), c)
	begin := func() (frames int, shared map[*byte]bool) {
		shared = make(map[*byte]bool)
		for since := range uint64(3) {
			s, err := m.AddSub(SubOptions{Class: odd, Resume: true, Since: since})
			must(t, err)
			take(s, 1) // the heartbeat
			take(s, 1) // the beginning
			for _, f := range s.piece.frames[1:] {
				shared[&f[0]] = true
				frames++
			}
			defer m.RemoveSub(s)
		}
		return frames, shared
	}
	if frames, shared := begin(); frames < 6 || len(shared) != frames/3 {
		t.Errorf("%d frames are read, %d different ones, want a third", frames, len(shared))
	}
	m.deltas.reset()
	for range 1000 {
		runtime.GC()
		m.framer.tails.mu.Lock()
		left := len(m.framer.tails.known)
		m.framer.tails.mu.Unlock()
		if left == 0 {
			return
		}
	}
	t.Error("a tail is known that nobody reads")
}
