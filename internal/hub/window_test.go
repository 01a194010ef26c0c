package hub

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// TestWindowAgainstModel compares the window with a plain list.
func TestWindowAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := window{maxCommits: rapid.IntRange(1, 6).Draw(t, "max commits"), maxBytes: rapid.IntRange(1, 60).Draw(t, "max bytes")}
		start := rapid.Uint64Range(0, 3).Draw(t, "start")
		w.reset(start, start*7)
		sizes := map[uint64]int{}
		last, shown, pin := start, start, ^uint64(0)

		t.Repeat(map[string]func(*rapid.T){
			"append": func(t *rapid.T) {
				for range rapid.IntRange(0, 8).Draw(t, "commits") {
					last++
					sizes[last] = rapid.IntRange(0, 90).Draw(t, "size")
					w.append(&held{Commit: Commit{SeqNo: last, Bytes: sizes[last], Digest: last * 7}})
				}
				shown = rapid.Uint64Range(shown, last).Draw(t, "shown")
				pin = rapid.OneOf(rapid.Just(^uint64(0)), rapid.Uint64Range(0, last)).Draw(t, "pin")
				w.trim(shown, pin)
			},
			"": func(t *rapid.T) {
				if w.last() != last {
					t.Fatalf("last is %d, want %d", w.last(), last)
				}
				sum := func(from uint64) (bytes int) {
					for n := from; n <= last; n++ {
						bytes += sizes[n]
					}
					return bytes
				}
				holds := func(from uint64, factor int) bool {
					return last+1-from <= uint64(factor*w.maxCommits) && sum(from) <= factor*w.maxBytes
				}
				if w.first <= last && w.bytes != sum(w.first) || w.keptBytes != sum(w.oldest) {
					t.Fatalf("counts %d and %d bytes, holds %d and %d", w.bytes, w.keptBytes, sum(w.first), sum(w.oldest))
				}
				if w.first < last && w.first <= shown && !holds(w.first, 1) {
					t.Fatalf("window %d to %d is over its limits", w.first, last)
				}
				if w.oldest < w.first && (!holds(w.oldest, 2) || w.oldest <= pin) {
					t.Fatalf("keeps %d to %d before window %d to %d, pin %d", w.oldest, w.first-1, w.first, last, pin)
				}
				if last > start && w.first > last || w.first > shown+1 && w.first > start+1 {
					t.Fatalf("window begins at %d of %d, shown %d", w.first, last, shown)
				}
				for n := w.oldest; n <= last; n++ {
					if w.at(n).SeqNo != n || w.digest(n) != n*7 {
						t.Fatalf("commit %d is %+v", n, w.at(n))
					}
				}
				if w.digest(w.oldest-1) != (w.oldest-1)*7 {
					t.Fatalf("digest before the oldest is %d", w.digest(w.oldest-1))
				}
				for _, c := range w.commits[:w.head] {
					if c != nil {
						t.Fatalf("still holds commit %d", c.SeqNo)
					}
				}
				if len(w.commits) > 2*w.len()+1 {
					t.Fatalf("%d slots for %d commits", len(w.commits), w.len())
				}
			},
		})
	})
}

// TestWindowLimits holds the limits that a gateway promises, to the commit and to
// the byte.
func TestWindowLimits(t *testing.T) {
	const mib = 1 << 20
	cases := []struct {
		name           string
		commits, bytes int // bytes of each
		first          uint64
	}{
		{"10,000 commits stay", 10_000, 10, 1},
		{"one more and the first leaves", 10_001, 10, 2},
		{"64 MiB stay", 64, mib, 1},
		{"one more MiB and the first leaves", 65, mib, 2},
		{"a byte too much in each and the first leaves", 64, mib + 1, 2},
		{"the newest stays whatever its size", 3, 65 * mib, 3},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			m := NewManager(Options{Epoch: "e"})
			m.Push(State{})
			for seq := range uint64(c.commits) {
				m.PushDelta(State{SeqNo: seq + 1}, Commit{SeqNo: seq + 1, Bytes: c.bytes})
			}
			if first, last := m.Window(); first != c.first || last != uint64(c.commits) {
				t.Errorf("window is %d to %d, want %d to %d", first, last, c.first, c.commits)
			}
		})
	}
}

// TestResume is the table of which positions go on and why others do not.
func TestResume(t *testing.T) {
	// Ten commits in a window of four: 7 to 10.
	warm := func() (*Manager, *model) {
		m, mod := start(Options{MaxCommits: 4})
		push(m, mod, 10)
		return m, mod
	}
	cases := []struct {
		name    string
		options SubOptions
		prepare func(*Manager, *model)
		reason  string
		resumed bool
	}{
		{name: "no position"},
		{name: "at the end", options: SubOptions{Resume: true, Since: 10}, resumed: true},
		{name: "just before the window", options: SubOptions{Resume: true, Since: 6}, resumed: true},
		{name: "before that", options: SubOptions{Resume: true, Since: 5}, reason: WindowExceeded},
		{name: "from the very beginning", options: SubOptions{Resume: true}, reason: WindowExceeded},
		{name: "after the end", options: SubOptions{Resume: true, Since: 11}, reason: Ahead},
		{name: "far after the end", options: SubOptions{Resume: true, Since: ^uint64(0)}, reason: Ahead},
		{name: "epoch unknown to the caller", options: SubOptions{Reason: UnknownEpoch}, reason: UnknownEpoch},
		{name: "the caller's reason outranks", options: SubOptions{Resume: true, Since: 10, Reason: Ahead}, reason: Ahead},
		{
			name: "not yet shown", options: SubOptions{Resume: true, Since: 12}, resumed: true,
			prepare: func(m *Manager, mod *model) { m.PushDelta(mod.state(10), mod.small(), mod.small()) },
		},
		{
			name: "a replaced state ends what was before", options: SubOptions{Resume: true, Since: 9}, reason: WindowExceeded,
			prepare: func(m *Manager, mod *model) { m.Push(mod.head()) },
		},
		{
			name: "where it stands one goes on", options: SubOptions{Resume: true, Since: 10}, resumed: true,
			prepare: func(m *Manager, mod *model) { m.Push(mod.head()); push(m, mod, 2) },
		},
		{
			name: "also in another epoch", options: SubOptions{Resume: true, Since: 10}, resumed: true,
			prepare: func(m *Manager, mod *model) { m.Replace("e2", mod.head(), false); push(m, mod, 2) },
		},
		{
			name: "but not where it was another", options: SubOptions{Resume: true, Since: 10}, reason: WindowExceeded,
			prepare: func(m *Manager, mod *model) { m.Replace("e1", mod.head(), true); push(m, mod, 2) },
		},
		{
			name: "nor after it, as far as the other went", options: SubOptions{Resume: true, Since: 10}, reason: WindowExceeded,
			prepare: func(m *Manager, mod *model) {
				m.Replace("e1", mod.state(8), true)
				mod.last = 8
				push(m, mod, 3)
			},
		},
		{
			name: "nor when it is replaced once more", options: SubOptions{Resume: true, Since: 10}, reason: WindowExceeded,
			prepare: func(m *Manager, mod *model) {
				m.Replace("e1", mod.state(8), true)
				m.Push(mod.state(9))
				mod.last = 9
				push(m, mod, 2)
			},
		},
		{
			name: "what follows goes on", options: SubOptions{Resume: true, Since: 11}, resumed: true,
			prepare: func(m *Manager, mod *model) { m.Replace("e1", mod.head(), true); push(m, mod, 2) },
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			m, mod := warm()
			if c.prepare != nil {
				c.prepare(m, mod)
			}
			var resyncs []string
			m.options.Observe.Resync = func(reason string) { resyncs = append(resyncs, reason) }
			c.options.Class = all
			s, err := m.AddSub(c.options)
			must(t, err)
			frame := string(take(s, 1)[0])
			seq := uint64(0)
			if c.resumed {
				seq = c.options.Since
			}
			want := fmt.Sprintf(`"resumed":%v`, c.resumed)
			if c.reason != "" {
				want += fmt.Sprintf(`,"reason":%q`, c.reason)
			}
			contains(t, frame, fmt.Sprintf(`"seq_no":%d,`, seq))
			contains(t, frame, want+"}")
			if got, want := fmt.Sprint(resyncs), fmt.Sprint(nonEmpty(c.reason)); got != want {
				t.Errorf("observed resyncs %s, want %s", got, want)
			}
		})
	}
}

// TestFirstPushCanBeResumed: a gateway that has just started resumes those who
// have all it has.
func TestFirstPushCanBeResumed(t *testing.T) {
	m := NewManager(Options{Epoch: "e"})
	if _, err := m.AddSub(SubOptions{}); err != ErrNoState {
		t.Fatalf("AddSub before Push: %v, want %v", err, ErrNoState)
	}
	m.Push(State{SeqNo: 5})
	s, err := m.AddSub(SubOptions{Resume: true, Since: 5})
	must(t, err)
	contains(t, string(take(s, 1)[0]), `"resumed":true`)
}

func nonEmpty(s string) (list []string) {
	if s != "" {
		list = append(list, s)
	}
	return list
}
