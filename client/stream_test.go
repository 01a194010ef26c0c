package client

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// Frames of a stream of epoch e.
const (
	hello    = `{"type":"heartbeat","epoch":"e","seq_no":0,"at":"2026-01-02T03:04:05.000Z","interval_ms":15000,"resumed":false}`
	resumed4 = `{"type":"heartbeat","epoch":"e","seq_no":4,"at":"2026-01-02T03:04:05.000Z","interval_ms":15000,"resumed":true}`
	state4   = `{"type":"snapshot","epoch":"e","seq_no":4,"snapshot":{"nodes":[{"node_id":1},{"node_id":2}]}}`
	part4    = `{"type":"snapshot","epoch":"e","seq_no":4,"snapshot":{"nodes":[{"node_id":1}]},"more":true}`
	last4    = `{"type":"snapshot","epoch":"e","seq_no":4,"snapshot":{"nodes":[{"node_id":2}]}}`
)

func beat(seq int, more ...string) string {
	return fmt.Sprintf(`{"type":"heartbeat","epoch":"e","seq_no":%d,"at":"2026-01-02T03:04:05.678Z","interval_ms":15000%s}`, seq, strings.Join(more, ""))
}

func at(epoch string, seqNo uint64) *Position { return &Position{Epoch: epoch, SeqNo: seqNo} }

// delta is a delta with an entry for each of the given commits.
func delta(prev, seq int, more bool, commits ...int) string {
	var entries []string
	for i, n := range commits {
		entries = append(entries, fmt.Sprintf(`{"seq_no":%d,"type":"node.put","n":%d}`, n, i))
	}
	tail := ""
	if more {
		tail = `,"more":true`
	}
	return fmt.Sprintf(`{"type":"delta","epoch":"e","prev_seq_no":%d,"seq_no":%d,"entries":[%s]%s}`, prev, seq, strings.Join(entries, ","), tail)
}

// TestStream lists what a stream may consist of, and what it may not. Of a stream
// that is refused the last frame is the one at fault.
func TestStream(t *testing.T) {
	for name, tt := range map[string]struct {
		since  *Position
		frames []string
		want   string // part of the error, empty for none
	}{
		"snapshot, then deltas":              {nil, []string{hello, state4, delta(4, 5, false, 5), delta(5, 7, false, 6, 7, 7)}, ""},
		"a snapshot in parts":                {nil, []string{hello, part4, part4, last4, beat(4)}, ""},
		"an empty snapshot":                  {nil, []string{hello, `{"type":"snapshot","epoch":"e","seq_no":0,"snapshot":{}}`, delta(0, 1, false, 1)}, ""},
		"resumed":                            {at("e", 4), []string{resumed4, delta(4, 5, false, 5)}, ""},
		"resumed under a newer name":         {at("d", 4), []string{resumed4, delta(4, 5, false, 5)}, ""},
		"not resumed":                        {at("d", 4), []string{strings.Replace(hello, `false`, `false,"reason":"unknown-epoch"`, 1), state4}, ""},
		"a fresh snapshot on the way":        {nil, []string{hello, state4, beat(4), strings.ReplaceAll(part4, ":4", ":9"), strings.ReplaceAll(last4, ":4", ":9"), delta(9, 10, false, 10)}, ""},
		"a heartbeat before the snapshot":    {nil, []string{hello, beat(0), state4}, ""},
		"a commit in parts":                  {nil, []string{hello, state4, delta(4, 5, true, 5, 5), delta(5, 5, true, 5), delta(5, 5, false, 5), delta(5, 6, false, 6)}, ""},
		"a commit in parts after unseen":     {nil, []string{hello, state4, delta(4, 8, true, 8, 8), delta(8, 8, false, 8)}, ""},
		"a position further than the commit": {nil, []string{hello, state4, delta(4, 9, false, 6), beat(9), beat(12), delta(12, 13, false, 13)}, ""},
		"unknown members":                    {nil, []string{`{"new":{"a":[1,"]"]},` + hello[1:], `{"seq_no":4,"Seq_No":77,"snapshot":{"stars":[{}],"nodes":[]},"epoch":"e","type":"snapshot"}`}, ""},
		"unknown types":                      {nil, []string{hello, `{"type":"weather","epoch":"x"}`, state4, `{"type":"weather","seq_no":99}`, beat(4)}, ""},
		"null is nothing":                    {nil, []string{strings.Replace(hello, `false`, `false,"reason":null,"digest":null`, 1), state4}, ""},
		"replica": {at("e", 4), []string{
			strings.Replace(resumed4, `true`, `true,"committed_seq_no":3,"digest":"00000000000000ff","lineage":[{"epoch":"d","seq_no":0},{"epoch":"e","seq_no":2}]`, 1),
			strings.Replace(delta(4, 5, false, 5), `"entries"`, `"committed_seq_no":4,"entries"`, 1), beat(5, `,"committed_seq_no":5`)}, ""},

		"no JSON":                              {nil, []string{`{"type":`}, "not JSON"},
		"nothing":                              {nil, []string{``}, "not JSON"},
		"no UTF-8":                             {nil, []string{hello, "{\"type\":\"x\xff\"}"}, "not JSON"},
		"no object":                            {nil, []string{`[1]`}, "not an object"},
		"no type":                              {nil, []string{`{}`}, "no type"},
		"type is a number":                     {nil, []string{`{"type":1}`}, "member type"},
		"unknown type at the beginning":        {nil, []string{`{"type":"weather"}`}, "first frame"},
		"snapshot first":                       {nil, []string{state4}, "first frame"},
		"first heartbeat without resumed":      {nil, []string{beat(0)}, "first frame"},
		"no epoch":                             {nil, []string{strings.Replace(hello, `"e"`, `""`, 1)}, "epoch"},
		"bad epoch":                            {nil, []string{strings.Replace(hello, `"e"`, `"e&f"`, 1)}, "epoch"},
		"no seq_no":                            {nil, []string{strings.Replace(hello, `"seq_no"`, `"seq_No"`, 1)}, "no seq_no"},
		"seq_no as text":                       {nil, []string{strings.Replace(hello, `:0`, `:"0"`, 1)}, "member seq_no"},
		"seq_no below zero":                    {nil, []string{strings.Replace(hello, `:0`, `:-1`, 1)}, "member seq_no"},
		"seq_no with a fraction":               {nil, []string{strings.Replace(hello, `:0`, `:0.5`, 1)}, "member seq_no"},
		"no interval":                          {nil, []string{strings.Replace(hello, `15000`, `0`, 1)}, "interval_ms"},
		"at is no time":                        {nil, []string{strings.Replace(hello, `2026`, `today`, 1)}, "member at"},
		"resumed without asking":               {nil, []string{resumed4}, "without a position"},
		"resumed elsewhere":                    {at("e", 3), []string{resumed4}, "another position"},
		"not resumed, at a position":           {nil, []string{strings.Replace(resumed4, "true", "false", 1)}, "not resumed"},
		"a second beginning":                   {nil, []string{hello, state4, hello}, "began long ago"},
		"another epoch":                        {nil, []string{hello, strings.Replace(state4, `"e"`, `"f"`, 1)}, "epoch changed"},
		"delta before the snapshot":            {nil, []string{hello, delta(0, 1, false, 1)}, "a snapshot is due"},
		"position before the snapshot":         {nil, []string{hello, beat(1)}, "stands at 0"},
		"a gap":                                {nil, []string{hello, state4, delta(5, 6, false, 6)}, "a gap"},
		"a repeat":                             {nil, []string{hello, state4, delta(4, 5, false, 5), delta(4, 5, false, 5)}, "a gap or a repeat"},
		"a heartbeat that goes back":           {nil, []string{hello, state4, beat(3)}, "stands at 4"},
		"a delta that stands still":            {nil, []string{hello, state4, delta(4, 4, false, 4)}, "does not move on"},
		"delta without entries":                {nil, []string{hello, state4, `{"type":"delta","epoch":"e","prev_seq_no":4,"seq_no":5}`}, "no entries"},
		"delta without prev_seq_no":            {nil, []string{hello, state4, `{"type":"delta","epoch":"e","seq_no":5,"entries":[]}`}, "no entries or no prev"},
		"entries are no list":                  {nil, []string{hello, state4, `{"type":"delta","epoch":"e","prev_seq_no":4,"seq_no":5,"entries":{}}`}, "member entries"},
		"an entry that is no object":           {nil, []string{hello, state4, `{"type":"delta","epoch":"e","prev_seq_no":4,"seq_no":5,"entries":[5]}`}, "not an object"},
		"an entry without seq_no":              {nil, []string{hello, state4, `{"type":"delta","epoch":"e","prev_seq_no":4,"seq_no":5,"entries":[{"type":"node.put"}]}`}, "without seq_no or type"},
		"an entry of an old commit":            {nil, []string{hello, state4, delta(4, 6, false, 4, 5)}, "outside 5 to 6"},
		"an entry of a later commit":           {nil, []string{hello, state4, delta(4, 5, false, 6)}, "outside 5 to 5"},
		"entries out of order":                 {nil, []string{hello, state4, delta(4, 7, false, 7, 6)}, "outside 7 to 7"},
		"parts that share a frame":             {nil, []string{hello, state4, delta(4, 6, true, 5, 6)}, "outside 6 to 6"},
		"a last part that shares a frame":      {nil, []string{hello, state4, delta(4, 5, true, 5), delta(5, 6, false, 5, 6)}, "commit 5 is not complete"},
		"a last part of an older commit":       {nil, []string{hello, state4, delta(4, 7, true, 7), delta(7, 7, false, 6)}, "outside 7 to 7"},
		"heartbeat inside a commit":            {nil, []string{hello, state4, delta(4, 5, true, 5), beat(5)}, "commit 5 is not complete"},
		"snapshot inside a commit":             {nil, []string{hello, state4, delta(4, 5, true, 5), state4}, "commit 5 is not complete"},
		"heartbeat inside a snapshot":          {nil, []string{hello, part4, beat(4)}, "snapshot of 4 is not complete"},
		"delta inside a snapshot":              {nil, []string{hello, part4, delta(4, 5, false, 5)}, "snapshot of 4 is not complete"},
		"parts of two snapshots":               {nil, []string{hello, part4, strings.Replace(last4, ":4", ":5", 1)}, "snapshot of 4 is not complete"},
		"snapshot without one":                 {nil, []string{hello, `{"type":"snapshot","epoch":"e","seq_no":4}`}, "no snapshot"},
		"rows are no list":                     {nil, []string{hello, `{"type":"snapshot","epoch":"e","seq_no":4,"snapshot":{"nodes":{}}}`}, "not a list"},
		"a row that is no object":              {nil, []string{hello, `{"type":"snapshot","epoch":"e","seq_no":4,"snapshot":{"nodes":[7]}}`}, "not an object"},
		"committed_seq_no after seq_no":        {nil, []string{hello, state4, beat(4, `,"committed_seq_no":5`)}, "committed_seq_no"},
		"committed_seq_no that goes back":      {nil, []string{hello, state4, beat(4, `,"committed_seq_no":4`), beat(4, `,"committed_seq_no":3`)}, "committed_seq_no"},
		"a digest that is none":                {nil, []string{hello, state4, beat(4, `,"digest":"xyz"`)}, "member digest"},
		"a lineage that is none":               {nil, []string{strings.Replace(hello, `false`, `false,"lineage":7`, 1)}, "member lineage"},
		"a reason that is none":                {nil, []string{strings.Replace(hello, `false`, `false,"reason":{}`, 1)}, "member reason"},
		"resumed is text":                      {nil, []string{strings.Replace(hello, `false`, `"no"`, 1)}, "member resumed"},
		"more is a number":                     {nil, []string{hello, strings.Replace(part4, `true`, `1`, 1)}, "member more"},
		"data after the frame":                 {nil, []string{hello + hello}, "not JSON"},
		"an entry whose type is of another":    {nil, []string{hello, state4, strings.Replace(delta(4, 5, false, 5), `"node.put"`, `7`, 1)}, "member type"},
		"a number that does not fit a seq_no":  {nil, []string{hello, state4, beat(0, `,"seq_no":18446744073709551616`)}, "member seq_no"},
		"heartbeat that runs ahead of a state": {nil, []string{hello, beat(0), beat(1)}, "stands at 0"},
	} {
		t.Run(name, func(t *testing.T) {
			s := stream{asked: tt.since}
			for i, frame := range tt.frames {
				_, err := s.accept([]byte(frame))
				refused := tt.want != "" && i == len(tt.frames)-1
				if !refused && err != nil {
					t.Fatalf("frame %d: %v", i+1, err)
				}
				if refused && (!errors.Is(err, ErrProtocol) || !strings.Contains(err.Error(), tt.want)) {
					t.Fatalf("got %v, want %q", err, tt.want)
				}
			}
		})
	}
}

// feed has a new stream take frames and returns what it makes of the last.
func feed(t *testing.T, since *Position, frames ...string) Frame {
	t.Helper()
	s := stream{asked: since}
	var last Frame
	for i, frame := range frames {
		f, err := s.accept([]byte(frame))
		if err != nil {
			t.Fatalf("frame %d: %v", i+1, err)
		}
		if last = f; f != nil && string(f.Raw()) != frame {
			t.Fatalf("frame %d: Raw is %s", i+1, f.Raw())
		}
	}
	return last
}

func TestHeartbeatHoldsAllThatIsTold(t *testing.T) {
	h := feed(t, at("d", 4), strings.Replace(resumed4, `true`,
		`true,"committed_seq_no":3,"digest":"00000000000000ff","lineage":[{"epoch":"d","seq_no":0},{"epoch":"e","seq_no":2}]`, 1)).(*Heartbeat)
	if h.Position != *at("e", 4) || !h.At.Std().Equal(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)) || h.Interval != 15*time.Second || !*h.Resumed ||
		*h.Committed != 3 || *h.Digest != 0xff || !slices.Equal(h.Lineage, Lineage{{Name: "d"}, {Name: "e", SeqNo: 2}}) {
		t.Errorf("got %+v", h)
	}
	h = feed(t, nil, hello, state4, beat(6)).(*Heartbeat)
	if h.Position != *at("e", 6) || h.Resumed != nil || h.Committed != nil || h.Digest != nil || h.Lineage != nil {
		t.Errorf("got %+v", h)
	}
	h = feed(t, at("d", 4), strings.Replace(hello, `false`, `false,"reason":"ahead"`, 1)).(*Heartbeat)
	if *h.Resumed || h.Reason != "ahead" {
		t.Errorf("got %+v", h)
	}
}

func TestPartsSayWhichTheyAre(t *testing.T) {
	first := feed(t, nil, hello, part4).(*SnapshotPart)
	if !first.First || !first.More || first.Position != *at("e", 4) || len(first.Rows) != 1 {
		t.Errorf("first: %+v", first)
	}
	last := feed(t, nil, hello, part4, last4).(*SnapshotPart)
	if last.First || last.More || len(last.Rows) != 1 || last.Rows[0].Collection != "nodes" || string(last.Rows[0].Raw) != `{"node_id":2}` {
		t.Errorf("last: %+v", last)
	}
	if only := feed(t, nil, hello, state4).(*SnapshotPart); !only.First || only.More || len(only.Rows) != 2 {
		t.Errorf("only: %+v", only)
	}
	if next := feed(t, nil, hello, part4, last4, part4).(*SnapshotPart); !next.First {
		t.Errorf("the next snapshot: %+v", next)
	}
}

func TestEntriesAreGroupedByCommit(t *testing.T) {
	d := feed(t, nil, hello, state4, delta(4, 9, false, 5, 6, 6, 8)).(*Delta)
	if d.Position != *at("e", 9) || d.Prev != 4 || d.More {
		t.Errorf("got %+v", d)
	}
	var got []string
	for _, c := range d.Commits {
		got = append(got, fmt.Sprintf("%d: %s", c.SeqNo, c.Record()))
	}
	want := []string{
		`5: [{"seq_no":5,"type":"node.put","n":0}]`,
		`6: [{"seq_no":6,"type":"node.put","n":1},{"seq_no":6,"type":"node.put","n":2}]`,
		`8: [{"seq_no":8,"type":"node.put","n":3}]`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestCommitInPartsComesWhole(t *testing.T) {
	parts := []string{hello, state4, delta(4, 7, true, 7, 7), delta(7, 7, true, 7), delta(7, 7, false, 7, 7)}
	for n := 3; n < 5; n++ {
		if d := feed(t, nil, parts[:n]...).(*Delta); !d.More || d.Prev != 4 || len(d.Commits) != 0 {
			t.Errorf("part %d: %+v", n-2, d)
		}
	}
	d := feed(t, nil, parts...).(*Delta)
	if d.More || d.Prev != 4 || d.SeqNo != 7 || len(d.Commits) != 1 || len(d.Commits[0].Entries) != 5 {
		t.Errorf("last part: %+v", d)
	}
	if d := feed(t, nil, append(parts, delta(7, 8, false, 8))...).(*Delta); d.Prev != 7 || len(d.Commits) != 1 || len(d.Commits[0].Entries) != 1 {
		t.Errorf("behind it: %+v", d)
	}
}

func TestUnknownKindsArePassedOnAndNotDecoded(t *testing.T) {
	d := feed(t, nil, hello, state4, `{"type":"delta","epoch":"e","prev_seq_no":4,"seq_no":5,"entries":[`+
		`{"seq_no":5,"type":"star.put","at":"2026-01-02T03:04:05.000Z","actor":"a","data":{"star_id":1}}, `+
		`{"seq_no":5,"type":"node.delete","node_id":1,"at":"2026-01-02T03:04:05.000Z","actor":"a","data":{"node_id":1}}]}`).(*Delta)
	c := d.Commits[0]
	if c.Entries[0].Type != "star.put" || c.Entries[1].Type != "node.delete" {
		t.Errorf("got %+v", c)
	}
	if _, err := c.Decode(); !errors.Is(err, ErrUnknownKind) {
		t.Errorf("commit: %v", err)
	}
	if _, err := c.Entries[0].Decode(); !errors.Is(err, ErrUnknownKind) {
		t.Errorf("entry: %v", err)
	}
	e, err := c.Entries[1].Decode()
	if err != nil || e.SeqNo != 5 || e.NodeID != 1 || *e.Data.(*Key) != (Key{Kind: KindNode, NodeID: 1}) {
		t.Errorf("known entry: %+v %v", e, err)
	}
	for collection, known := range map[string]bool{"nodes": true, "users": true, "node": false, "stars": false, "s": false, "": false} {
		_, err := Row{Collection: collection, Raw: []byte(`{}`)}.Decode()
		if errors.Is(err, ErrUnknownKind) == known {
			t.Errorf("row of %q: %v", collection, err)
		}
	}
}

// FuzzAccept: whatever comes, a stream answers with ErrProtocol or holds the
// order of commits.
func FuzzAccept(f *testing.F) {
	f.Add(hello + "\n" + state4 + "\n" + delta(4, 7, false, 5, 6, 6))
	f.Add(hello + "\n" + part4 + "\n" + last4 + "\n" + beat(4) + "\n" + delta(4, 5, true, 5) + "\n" + delta(5, 5, false, 5))
	f.Add(hello + "\n" + `{ "a\u0062" : [ 1 , {"x":"\\\""} ] , "type" : "heartbeat" }`)
	f.Fuzz(func(t *testing.T, frames string) {
		s := stream{}
		last := uint64(0)
		for frame := range strings.SplitSeq(frames, "\n") {
			f, err := s.accept([]byte(frame))
			if err != nil {
				if !errors.Is(err, ErrProtocol) {
					t.Fatal(err)
				}
				return
			}
			if part, ok := f.(*SnapshotPart); ok {
				last = part.SeqNo
			}
			d, ok := f.(*Delta)
			if !ok {
				continue
			}
			for _, c := range d.Commits {
				if c.SeqNo <= last || c.SeqNo > d.SeqNo || len(c.Entries) == 0 {
					t.Fatalf("commit %d after %d, up to %d", c.SeqNo, last, d.SeqNo)
				}
				last = c.SeqNo
			}
		}
	})
}
