package hub

import (
	"bytes"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func contains(t *testing.T, frame, part string) {
	t.Helper()
	if !strings.Contains(frame, part) {
		t.Errorf("%s\nlacks %s", frame, part)
	}
}

func equal(t *testing.T, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// fixed is a commit whose entries every class sees.
func fixed(seq uint64, entries ...string) Commit {
	c := Commit{SeqNo: seq, Digest: seq + 0xa0}
	c.Entries = func(class Class) (list [][]byte) {
		for _, e := range entries {
			c.Bytes += len(e)
			list = append(list, []byte(e))
		}
		return list
	}
	return c
}

// TestFrames shows a whole stream to the byte: the members and their order.
func TestFrames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewManager(Options{Epoch: "e-1"})
		stop := m.StartHeartbeat(15 * time.Second)
		defer stop()
		m.Push(State{SeqNo: 4, Digest: 0xbeef, Parts: func(Class, int) iter.Seq[[]byte] {
			return lent([]byte(`{"nodes":[1]}`), []byte(`{"nodes":[2]}`))
		}})
		s, err := m.AddSub(SubOptions{Digest: true, Reason: UnknownEpoch, Greeting: `"lineage":[]`})
		must(t, err)
		equal(t, frames(s), []string{
			`{"type":"heartbeat","epoch":"e-1","seq_no":0,"at":"2000-01-01T00:00:00.000Z","interval_ms":15000,"resumed":false,"reason":"unknown-epoch","lineage":[]}`,
			`{"type":"snapshot","epoch":"e-1","seq_no":4,"snapshot":{"nodes":[1]},"more":true}`,
			`{"type":"snapshot","epoch":"e-1","seq_no":4,"snapshot":{"nodes":[2]}}`,
		})
		m.PushDelta(State{SeqNo: 6}, fixed(5, "50", "51"), fixed(6, "60"))
		m.PushDelta(State{SeqNo: 7}, fixed(7))
		equal(t, frames(s), []string{`{"type":"delta","epoch":"e-1","prev_seq_no":4,"seq_no":7,"entries":[50,51,60]}`})

		advance(15*time.Second + 7*time.Millisecond)
		equal(t, frames(s), []string{`{"type":"heartbeat","epoch":"e-1","seq_no":7,"at":"2000-01-01T00:00:15.007Z","interval_ms":15000,"digest":"00000000000000a7"}`})

		advance(15 * time.Second)
		equal(t, frames(s), []string{`{"type":"heartbeat","epoch":"e-1","seq_no":7,"at":"2000-01-01T00:00:30.007Z","interval_ms":15000,"digest":"00000000000000a7"}`})

		// What is invisible shows in the next heartbeat, and the next delta follows on that.
		m.PushDelta(State{SeqNo: 8}, fixed(8))
		equal(t, frames(s), nil)
		advance(15 * time.Second)
		equal(t, frames(s), []string{`{"type":"heartbeat","epoch":"e-1","seq_no":8,"at":"2000-01-01T00:00:45.007Z","interval_ms":15000,"digest":"00000000000000a8"}`})
		m.PushDelta(State{SeqNo: 9}, fixed(9, "90"))
		equal(t, frames(s), []string{`{"type":"delta","epoch":"e-1","prev_seq_no":8,"seq_no":9,"entries":[90]}`})

		again, err := m.AddSub(SubOptions{Digest: true, Resume: true, Since: 6})
		must(t, err)
		m.PushDelta(State{SeqNo: 10}, fixed(10, "100"))
		equal(t, frames(again), []string{
			`{"type":"heartbeat","epoch":"e-1","seq_no":6,"at":"2000-01-01T00:00:45.007Z","interval_ms":15000,"resumed":true,"digest":"00000000000000a6"}`,
			`{"type":"delta","epoch":"e-1","prev_seq_no":6,"seq_no":10,"entries":[90,100]}`,
		})
	})
}

// TestAheadFrames: who is ahead sees what others may not see yet, and is told when
// that changes.
func TestAheadFrames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewManager(Options{Epoch: "e", MaxCommits: 2})
		m.Push(State{SeqNo: 1})
		first, err := m.AddSub(SubOptions{Class: "replica", Ahead: true, Resume: true, Since: 1})
		must(t, err)
		other, err := m.AddSub(SubOptions{Resume: true, Since: 1})
		must(t, err)
		const beat = `"at":"2000-01-01T00:00:00.000Z","interval_ms":0`
		equal(t, frames(first), []string{`{"type":"heartbeat","epoch":"e","seq_no":1,"committed_seq_no":1,` + beat + `,"resumed":true}`})
		equal(t, frames(other), []string{`{"type":"heartbeat","epoch":"e","seq_no":1,` + beat + `,"resumed":true}`})

		// A snapshot stands at what may be seen, so no heartbeat needs to say so.
		joining, err := m.AddSub(SubOptions{Class: "replica", Ahead: true})
		must(t, err)
		equal(t, frames(joining), []string{
			`{"type":"heartbeat","epoch":"e","seq_no":0,"committed_seq_no":0,` + beat + `,"resumed":false}`,
			`{"type":"snapshot","epoch":"e","seq_no":1,"snapshot":{}}`,
		})

		m.PushDelta(State{SeqNo: 1}, fixed(2, "2"), fixed(3, "3"))
		equal(t, frames(first), []string{`{"type":"delta","epoch":"e","prev_seq_no":1,"seq_no":3,"committed_seq_no":1,"entries":[2,3]}`})
		equal(t, frames(other), nil)

		m.PushDelta(State{SeqNo: 2})
		equal(t, frames(first), []string{`{"type":"heartbeat","epoch":"e","seq_no":3,"committed_seq_no":2,` + beat + `}`})
		equal(t, frames(other), []string{`{"type":"delta","epoch":"e","prev_seq_no":1,"seq_no":2,"entries":[2]}`})

		m.PushDelta(State{SeqNo: 3}, fixed(4, "4"))
		equal(t, frames(first), []string{`{"type":"delta","epoch":"e","prev_seq_no":3,"seq_no":4,"committed_seq_no":3,"entries":[4]}`})
		if st := first.Stats(); st.SeqNo != 4 || st.Behind != 0 || !st.Ahead {
			t.Errorf("ahead: %+v", st)
		}
		if st := other.Stats(); st.SeqNo != 2 || st.Behind != 1 {
			t.Errorf("other: %+v", st)
		}
	})
}

// TestCutCommit: a commit too large for a frame has frames of its own.
func TestCutCommit(t *testing.T) {
	m := NewManager(Options{Epoch: "e", MaxFrame: 300})
	m.Push(State{})
	s, err := m.AddSub(SubOptions{Resume: true})
	must(t, err)
	entry := func(c string) string { return `"` + strings.Repeat(c, 60) + `"` }
	big := `"` + strings.Repeat("B", 400) + `"`
	m.PushDelta(State{SeqNo: 4}, fixed(1, "1"), fixed(2, entry("a"), entry("b"), entry("c")), fixed(3, big), fixed(4, "4"))
	want := []string{
		`{"type":"delta","epoch":"e","prev_seq_no":0,"seq_no":1,"entries":[1]}`,
		`{"type":"delta","epoch":"e","prev_seq_no":1,"seq_no":2,"entries":[` + entry("a") + `,` + entry("b") + `],"more":true}`,
		`{"type":"delta","epoch":"e","prev_seq_no":2,"seq_no":2,"entries":[` + entry("c") + `]}`,
		`{"type":"delta","epoch":"e","prev_seq_no":2,"seq_no":3,"entries":[` + big + `]}`,
		`{"type":"delta","epoch":"e","prev_seq_no":3,"seq_no":4,"entries":[4]}`,
	}
	equal(t, frames(s)[1:], want)
}

// TestCutFillsFrames: as many entries as fit, commas counted, and one at least.
func TestCutFillsFrames(t *testing.T) {
	envelope := 1000 - framer{maxFrame: 1000}.room()
	for _, c := range []struct {
		room   int
		frames string
	}{
		{room: 54, frames: "[5]"},
		{room: 53, frames: "[4 1]"},
		{room: 32, frames: "[3 2]"},
		{room: 31, frames: "[2 2 1]"},
		{room: 9, frames: "[1 1 1 1 1]"},
	} {
		f := framer{maxFrame: envelope + c.room, tails: new(tails)}
		entry := []byte(`"12345678"`)
		var got []int
		frames, _ := f.cut(deltaKey{class: &class{}}, &held{}, [][]byte{entry, entry, entry, entry, entry})
		for _, frame := range frames {
			got = append(got, bytes.Count(frame, entry))
		}
		if fmt.Sprint(got) != c.frames {
			t.Errorf("room %d: %v entries a frame, want %s", c.room, got, c.frames)
		}
	}
}

// TestEnvelopeFitsFrame: with the longest numbers a frame full to the last byte
// stays under the limit.
func TestEnvelopeFitsFrame(t *testing.T) {
	f := framer{epoch: "epoch", maxFrame: 1000}
	const top = math.MaxUint64
	h := deltaHead{prev: top, seq: top, committed: top, ahead: true, more: true}
	if n := len(f.delta(nil, h, [][]byte{make([]byte, f.room())}, f.room())); n != 999 {
		t.Errorf("the longest delta has %d bytes, want 999", n)
	}
	s := State{SeqNo: top, Parts: func(_ Class, max int) iter.Seq[[]byte] { return lent(make([]byte, max), nil) }}
	if n := len(f.snapshot(s, classKey{})[0]); n > 999 {
		t.Errorf("the longest snapshot has %d bytes, want at most 999", n)
	}
}

// TestHeartbeatTimeIsUTC wherever the gateway runs.
func TestHeartbeatTimeIsUTC(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.FixedZone("", 3600))
	contains(t, string(framer{}.heartbeat(nil, beat{}, at)), `"at":"2026-01-02T02:04:05.006Z"`)
}

func TestIsWord(t *testing.T) {
	for epoch, want := range map[string]bool{"": false, "a-Z09": true, "a b": false, `a"`: false, "ä": false} {
		if got := isWord(epoch); got != want {
			t.Errorf("isWord(%q) is %v", epoch, got)
		}
	}
}
