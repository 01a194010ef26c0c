package directory

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// A state that was written as rows and loaded again is the same in everything
// that can be asked of it, and changes in the same way from then on.
func TestLoadedStateIsTheOneThatWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		history := drawHistory(t, 12)
		if len(history) == 0 {
			return
		}
		at := rapid.IntRange(0, len(history)-1).Draw(t, "snapshot after")
		written := history[at].after
		loaded := loadRows(t, written.SeqNo(), encodedRows(written))
		expectSame(t, written, loaded)
		for _, c := range history[at+1:] {
			next := loaded.Clone()
			footprint := next.Apply(c.commit.Entries)
			if want, got := footprintLine(c.footprint), footprintLine(footprint); want != got {
				t.Fatalf("the footprint of commit %d is %s, on the loaded state %s", c.commit.SeqNo, want, got)
			}
			expectSame(t, c.before, loaded)
			loaded = next
		}
		expectSame(t, history[len(history)-1].after, loaded)
	})
}

func expectSame(t rapid.TB, want, got *State) {
	t.Helper()
	if diff := differ(everythingOf(want), everythingOf(got)); diff != "" {
		t.Fatalf("at commit %d:%s", want.SeqNo(), diff)
	}
	if want.RowCount() != got.RowCount() || want.RowCount() != uint64(len(rowsOf(want))) {
		t.Fatalf("at commit %d there are %d rows, want %d, listed are %d", want.SeqNo(), got.RowCount(), want.RowCount(), len(rowsOf(want)))
	}
	if w, g := encodedRows(want), encodedRows(got); !reflect.DeepEqual(w, g) {
		t.Fatalf("at commit %d the rows are %q, want %q", want.SeqNo(), g, w)
	}
}

func encodedRows(s *State) (lines [][]byte) {
	for line := range s.EncodedRows() {
		lines = append(lines, bytes.Clone(line))
	}
	return lines
}

func loadRows(t rapid.TB, seqNo uint64, lines [][]byte) *State {
	t.Helper()
	l := NewLoader()
	for _, line := range lines {
		r, err := ParseRow(line)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if err := l.Add(r); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
	}
	return l.State(seqNo)
}

// Every kind, with every field set, passes through a row unharmed.
func TestRowsOfEveryKind(t *testing.T) {
	for _, r := range fullRows() {
		line := AppendRow(nil, r)
		want := r.kind().String() + " " + string(generalJSON(t, r)) + "\n"
		if string(line) != want {
			t.Errorf("want %s got  %s", want, line)
		}
		for _, read := range [][]byte{line, bytes.TrimSuffix(line, []byte("\n"))} {
			if got, err := ParseRow(read); err != nil || !reflect.DeepEqual(got, r) {
				t.Errorf("%q is read as %+v, %v", read, got, err)
			}
		}
	}
}

// A row outlives the line that it was read from.
func TestParsedRowKeepsNothingOfTheLine(t *testing.T) {
	for _, r := range fullRows() {
		line := AppendRow(nil, r)
		got, err := ParseRow(line)
		if err != nil {
			t.Fatal(err)
		}
		for i := range line {
			line[i] = 'x'
		}
		if !reflect.DeepEqual(got, r) {
			t.Errorf("%+v changed with the line to %+v", r, got)
		}
	}
}

func TestParseRowRefuses(t *testing.T) {
	for name, line := range map[string]string{
		"nothing":         "",
		"a newline alone": "\n",
		"no record":       "node",
		"no JSON":         "node ",
		"an unknown kind": `nodes {"node_id":1}`,
		"another value":   `node []`,
		"two records":     `node {"node_id":1} {"node_id":2}`,
		"half a record":   `node {"node_id":1`,
	} {
		if r, err := ParseRow([]byte(line)); err == nil {
			t.Errorf("%s: %q is read as %+v", name, line, r)
		}
	}
}

// Rows that are not those of any state are refused, and so is all after them.
func TestLoaderRefuses(t *testing.T) {
	network, node, member := &Network{NetworkID: 7}, &Node{NodeID: 1}, &Member{NetworkID: 7, NodeID: 1}
	receipt := func(id string, seqNo uint64) *Receipt { return &Receipt{ReceiptID: id, SeqNo: seqNo} }
	for name, rows := range map[string][]Record{
		"a row twice":                       {network, network},
		"a kind again":                      {network, node, &Network{NetworkID: 8}},
		"networks out of order":             {network, &Network{NetworkID: 6}},
		"nodes out of order":                {&Node{NodeID: 2}, node},
		"members out of order":              {network, node, &Node{NodeID: 2}, &Member{NetworkID: 7, NodeID: 2}, member},
		"members of networks out of order":  {network, &Network{NetworkID: 8}, node, &Member{NetworkID: 8, NodeID: 1}, member},
		"assignments out of order":          {network, &Assignment{NetworkID: 7, ExternalID: "b"}, &Assignment{NetworkID: 7, ExternalID: "a"}},
		"an assignment in another spelling": {network, &Assignment{NetworkID: 7, ExternalID: "A"}, &Assignment{NetworkID: 7, ExternalID: "a"}},
		"users out of order":                {network, &User{NetworkID: 7, ExternalID: "b"}, &User{NetworkID: 7, ExternalID: "A"}},
		"a sync record twice":               {network, &Sync{NetworkID: 7}, &Sync{NetworkID: 7}},
		"tokens out of order":               {&Token{TokenID: "b"}, &Token{TokenID: "a"}},
		"receipts out of order":             {receipt("b", 1), receipt("a", 2)},
		"two receipts of a commit":          {receipt("a", 1), receipt("b", 1)},
		"a network without an id":           {&Network{}},
		"a node without an id":              {&Node{}},
		"a token without an id":             {&Token{}},
		"a member of no network":            {node, member},
		"a member without a node":           {network, member},
		"an assignment of no network":       {&Assignment{NetworkID: 7, ExternalID: "a"}},
		"a user of no network":              {network, &User{NetworkID: 8, ExternalID: "a"}},
		"a sync record of no network":       {network, &Sync{NetworkID: 6}},
		"a user without a network":          {&User{ExternalID: "a"}},
		"a key":                             {&Key{Kind: KindNode, NodeID: 1}},
	} {
		l := NewLoader()
		var err error
		for _, r := range rows {
			if err != nil {
				t.Errorf("%s: %v came too early", name, err)
			}
			err = l.Add(r)
		}
		if !errors.Is(err, ErrBadRows) {
			t.Errorf("%s: the error is %v", name, err)
		}
		if again := l.Add(&Receipt{ReceiptID: "z", SeqNo: 99}); !errors.Is(again, ErrBadRows) {
			t.Errorf("%s: the next row is taken: %v", name, again)
		}
		if s := stateOrPanic(l); s != nil {
			t.Errorf("%s: there is a state of it, %q", name, stateLines(s))
		}
	}
}

// stateOrPanic returns nil when the loader has no state to give.
func stateOrPanic(l *Loader) (s *State) {
	defer func() { _ = recover() }()
	return l.State(1)
}

// Rows that are not there, or say something else, show in the row count or the
// digest.
func TestDamagedRowsShow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		history := drawHistory(t, 12)
		if len(history) == 0 {
			return
		}
		s := history[len(history)-1].after
		lines := encodedRows(s)
		if len(lines) == 0 {
			return
		}
		damaged := slices.Clone(lines)
		i := rapid.IntRange(0, len(lines)-1).Draw(t, "row")
		if rapid.Bool().Draw(t, "a row is missing") {
			damaged = slices.Delete(damaged, i, i+1)
		} else {
			damaged[i] = bytes.Clone(damaged[i])
			damaged[i][rapid.IntRange(0, len(damaged[i])-1).Draw(t, "byte")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		}
		l := NewLoader()
		for _, line := range damaged {
			r, err := ParseRow(line)
			if err != nil || l.Add(r) != nil {
				return
			}
		}
		if got := l.State(s.SeqNo()); got.RowCount() == s.RowCount() && got.Digest() == s.Digest() && differ(everythingOf(s), everythingOf(got)) != "" {
			t.Fatalf("nothing shows that %s became %s", lines[i], damaged[i])
		}
	})
}
