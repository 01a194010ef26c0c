package hubtest

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

const (
	hello   = `{"type":"heartbeat","epoch":"e","seq_no":0,"at":"2026-01-02T03:04:05.000Z","interval_ms":15000,"resumed":false}`
	resumed = `{"type":"heartbeat","epoch":"e","seq_no":4,"at":"2026-01-02T03:04:05.000Z","interval_ms":15000,"resumed":true}`
	state   = `{"type":"snapshot","epoch":"e","seq_no":4,"snapshot":{"nodes":[1,2]}}`
	state1  = `{"type":"snapshot","epoch":"e","seq_no":4,"snapshot":{"nodes":[1]},"more":true}`
	state2  = `{"type":"snapshot","epoch":"e","seq_no":4,"snapshot":{"nodes":[2]}}`
)

func beat(seq int) string {
	return fmt.Sprintf(`{"type":"heartbeat","epoch":"e","seq_no":%d,"at":"2026-01-02T03:04:05.678Z","interval_ms":15000}`, seq)
}

// delta is a delta with entries of the given commits.
func delta(prev, seq int, more bool, commits ...int) string {
	var entries []string
	for _, n := range commits {
		entries = append(entries, fmt.Sprintf(`{"seq_no":%d}`, n))
	}
	tail := ""
	if more {
		tail = `,"more":true`
	}
	return fmt.Sprintf(`{"type":"delta","epoch":"e","prev_seq_no":%d,"seq_no":%d,"entries":[%s]%s}`, prev, seq, strings.Join(entries, ","), tail)
}

// visible is an oracle that shows one entry of every commit but the seventh.
var visible = Oracle{Entries: func(after, to uint64) (list [][]byte) {
	for n := after + 1; n <= to; n++ {
		if n != 7 {
			list = append(list, fmt.Appendf(nil, `{"seq_no":%d}`, n))
		}
	}
	return list
}}

// TestValidator lists the streams that keep the promises, and for each promise
// those that break it. The last frame of a stream with a fault is the breach.
func TestValidator(t *testing.T) {
	cases := []struct {
		name   string
		fault  string // "" for a good stream
		asked  *Position
		oracle Oracle
		stream []string
	}{
		{name: "snapshot, deltas, heartbeat", stream: []string{hello, state, delta(4, 6, false, 5, 6), beat(6), delta(6, 8, false, 8), beat(8)}, oracle: visible},
		{name: "parts", stream: []string{hello, state1, state2, delta(4, 5, true, 5), delta(5, 5, false, 5), beat(5)}},
		{name: "resumed", asked: &Position{"e", 4}, stream: []string{resumed, delta(4, 5, false, 5)}, oracle: visible},
		{name: "a fresh snapshot in between", stream: []string{hello, state, delta(4, 5, false, 5), strings.Replace(state, "4", "9", 1), beat(9)}, oracle: visible},
		{name: "heartbeat over what is invisible", stream: []string{hello, state, delta(4, 6, false, 5, 6), beat(7)}, oracle: visible},

		{name: "heartbeats until the snapshot comes", stream: []string{hello, beat(0), beat(0), state, beat(4)}, oracle: visible},

		{name: "no heartbeat first", fault: "first frame", stream: []string{state}},
		{name: "resumed unasked", fault: "without a position", stream: []string{resumed}},
		{name: "resumed elsewhere", fault: "another position", asked: &Position{"e", 3}, stream: []string{resumed}},
		{name: "refused without a reason", fault: "reason", asked: &Position{"e", 3}, stream: []string{hello}},
		{name: "delta before snapshot", fault: "snapshot is due", stream: []string{hello, delta(0, 1, false, 1)}},
		{name: "heartbeat ahead of its snapshot", fault: "snapshot is due", stream: []string{hello, beat(0), beat(1)}},
		{name: "digest ahead of its snapshot", fault: "snapshot is due", stream: []string{hello, strings.Replace(beat(0), `"at"`, `"digest":"0000000000000001","at"`, 1)}},

		{name: "ordered: a gap in prev_seq_no", fault: "prev_seq_no", stream: []string{hello, state, delta(5, 6, false, 6)}},
		{name: "ordered: a heartbeat passed over", fault: "prev_seq_no", stream: []string{hello, state, beat(6), delta(4, 7, false, 7)}},
		{name: "ordered: heartbeat goes back", fault: "went back", stream: []string{hello, state, beat(3)}},
		{name: "ordered: entries swapped", fault: "outside", stream: []string{hello, state, delta(4, 6, false, 6, 5)}},
		{name: "unique: an old entry", fault: "outside", stream: []string{hello, state, delta(4, 6, false, 4, 5)}},
		{name: "unique: a delta that stands still", fault: "move on", stream: []string{hello, state, delta(4, 4, false, 4)}},
		{name: "unique: an entry twice", fault: "came 2 entries", oracle: visible, stream: []string{hello, state, delta(4, 5, false, 5, 5)}},
		{name: "atomic: heartbeat between parts", fault: "not complete", stream: []string{hello, state1, beat(4)}},
		{name: "atomic: another snapshot between parts", fault: "not complete", stream: []string{hello, state1, strings.Replace(state2, "4", "5", 1)}},
		{name: "atomic: delta between parts", fault: "not complete", stream: []string{hello, state, delta(4, 5, true, 5), delta(5, 6, false, 6)}},
		{name: "atomic: two commits cut", fault: "outside", stream: []string{hello, state, delta(4, 6, true, 5, 6)}},
		{name: "atomic: a commit split without saying so", fault: "move on", stream: []string{hello, state, delta(4, 5, false, 5), delta(5, 5, false, 5)}},
		{name: "reliable: an entry left out", fault: "came 1 entries", oracle: visible, stream: []string{hello, state, delta(4, 6, false, 6)}},
		{name: "filtered: an entry too many", fault: "came 1 entries", oracle: visible, stream: []string{hello, state, delta(4, 6, false, 5, 6), delta(6, 7, false, 7)}},
		{name: "bookmarked: heartbeat before its entries", fault: "came 0 entries", oracle: visible, stream: []string{hello, state, beat(5)}},
		{name: "resumable: resumed past an entry", fault: "came 1 entries", asked: &Position{"e", 4}, oracle: visible, stream: []string{resumed, delta(4, 6, false, 6)}},

		{name: "epoch changes", fault: "epoch changed", stream: []string{hello, strings.Replace(state, `"e"`, `"f"`, 1)}},
		{name: "resumed twice", fault: "how the stream began", stream: []string{hello, state, resumed}},
		{name: "committed beyond the frame", fault: "committed_seq_no", stream: []string{strings.Replace(hello, `"at"`, `"committed_seq_no":1,"at"`, 1)}},
		{name: "committed goes back", fault: "went back", asked: &Position{"e", 4}, stream: []string{
			strings.Replace(resumed, `"at"`, `"committed_seq_no":4,"at"`, 1), strings.Replace(beat(4), `"at"`, `"committed_seq_no":3,"at"`, 1)}},
		{name: "digest of another state", fault: "digest", oracle: Oracle{Digest: func(uint64) string { return "00000000000000ff" }},
			stream: []string{hello, state, strings.Replace(beat(4), `"at"`, `"digest":"00000000000000fe","at"`, 1)}},
		{name: "snapshot of another state", fault: "snapshot of 4", oracle: Oracle{Snapshot: refuse}, stream: []string{hello, state}},
		{name: "time without milliseconds", fault: "cannot parse", stream: []string{strings.Replace(hello, ".000Z", "Z", 1)}},
		{name: "unknown member", fault: "unknown field", stream: []string{strings.Replace(hello, `"at"`, `"more_or_less":1,"at"`, 1)}},
		{name: "two objects", fault: "data after", stream: []string{hello + hello}},
		{name: "too large", fault: "limit 262144", stream: []string{hello,
			`{"type":"snapshot","epoch":"e","seq_no":4,"snapshot":{"nodes":["` + strings.Repeat("x", DefaultMaxFrame) + `",2]}}`}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			v := New(Options{Oracle: c.oracle})
			if c.asked != nil {
				v.ConnectAt(*c.asked)
			}
			for i, frame := range c.stream {
				err := v.Frame([]byte(frame))
				breach := c.fault != "" && i == len(c.stream)-1
				if breach && (err == nil || !strings.Contains(err.Error(), c.fault)) {
					t.Errorf("frame %d: %v, want %q", i+1, err, c.fault)
				}
				if !breach && err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func refuse(uint64, map[string][]json.RawMessage) error { return fmt.Errorf("other rows") }

// TestPosition: only what is complete counts, and outlives its connection.
func TestPosition(t *testing.T) {
	v := New(Options{})
	stand := func(want string) {
		t.Helper()
		got := "nowhere"
		if p, ok := v.Position(); ok {
			got = fmt.Sprint(p)
		}
		if got != want {
			t.Errorf("stands at %s, want %s", got, want)
		}
	}
	feed := func(frames ...string) {
		t.Helper()
		for _, f := range frames {
			if err := v.Frame([]byte(f)); err != nil {
				t.Fatal(err)
			}
		}
	}
	stand("nowhere")
	feed(hello, state1)
	stand("nowhere")
	if !v.Partial() {
		t.Error("half a snapshot counts as whole")
	}
	feed(state2)
	stand("{e 4}")
	feed(delta(4, 5, true, 5))
	stand("{e 4}")
	v.ConnectAt(Position{"e", 4})
	feed(resumed)
	stand("{e 4}")
	feed(delta(4, 5, false, 5), beat(9))
	stand("{e 9}")
	if got := len(v.Entries()); got != 1 || len(v.Snapshot()["nodes"]) != 2 {
		t.Errorf("%d entries and snapshot %s, want 1 and two nodes", got, v.Snapshot())
	}
}
