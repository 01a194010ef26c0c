package directory

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

// encodeWhole is EncodeCommit with the record in one piece.
func encodeWhole(entries []DeltaEntry) (Commit, []byte, error) {
	commit, record, err := EncodeCommit(entries)
	return commit, bytes.Join(record, nil), err
}

// One processor and two write in pieces what one does in one, also where an entry
// does not fit into its piece.
func TestManyEntriesAreEncodedAsFew(t *testing.T) {
	short, long := &Node{NodeID: 1, Hostname: "a"}, &Node{NodeID: 2, Hostname: strings.Repeat("long", 100)}
	huge := &Node{NodeID: 3, Hostname: strings.Repeat("huge", pieceRoom/4)}
	list := func(parts ...*Node) (entries []DeltaEntry) {
		for _, r := range parts {
			entries = append(entries, slices.Repeat([]DeltaEntry{putOf(7, r)}, many/2)...)
		}
		return entries
	}
	for name, entries := range map[string][]DeltaEntry{
		"all alike":               list(short, short),
		"an odd number":           list(short, short, long)[:2*many/2+1],
		"more in the first half":  list(short, long, short, short),
		"more in the second half": list(short, short, short, long),
		"more in both":            list(short, long, long, long),
		"less in both":            list(long, short, short, short),
		"longer than their piece": append(append(list(short, short), putOf(7, huge), putOf(7, huge)), list(long)...),
		"one of them at the end":  append(list(short, short), putOf(7, huge)),
		"short ones, one alone":   list(short)[:few+1],
		"long ones, one alone":    list(long),
		"a piece's worth, alone":  append(list(long), putOf(7, huge), putOf(7, short)),
	} {
		t.Run(name, func(t *testing.T) {
			want := make([][]byte, len(entries))
			one, err := encodeFew(entries, want)
			if err != nil || len(one) != 1 {
				t.Fatalf("%d pieces, %v", len(one), err)
			}
			commit, got, err := encodeWhole(entries)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, one[0]) {
				t.Errorf("%d bytes, not the %d that one processor writes", len(got), len(one[0]))
			}
			for i, e := range commit.Encoded {
				if !bytes.Equal(e, want[i]) || string(e) != string(appendEntry(nil, &entries[i])) {
					t.Fatalf("entry %d is %.100s", i, e)
				}
			}
		})
	}
}

func TestManyEntriesAreRefusedAsFew(t *testing.T) {
	for _, at := range []int{0, many/2 - 1, many / 2, many - 1} {
		entries := slices.Repeat([]DeltaEntry{putOf(7, &Node{NodeID: 1})}, many)
		entries[at] = putOf(7, &Node{NodeID: 1, Hostname: "\xff"})
		if _, _, err := EncodeCommit(entries); err == nil {
			t.Errorf("entry %d is not UTF-8 and was encoded", at)
		}
	}
}
