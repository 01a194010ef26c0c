package directory

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

// Two processors write what one does, also where a half takes more than it was
// given room for.
func TestManyEntriesAreEncodedAsFew(t *testing.T) {
	short, long := &Node{NodeID: 1, Hostname: "a"}, &Node{NodeID: 2, Hostname: strings.Repeat("long", 100)}
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
	} {
		t.Run(name, func(t *testing.T) {
			ends := make([]int, len(entries))
			want, err := encodeFew(entries, ends)
			if err != nil {
				t.Fatal(err)
			}
			commit, got, err := EncodeCommit(entries)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%d bytes, not the %d that one processor writes", len(got), len(want))
			}
			for i, e := range commit.Encoded {
				if end := ends[i]; !bytes.Equal(e, want[end-len(e):end]) || len(e) < 2 {
					t.Fatalf("entry %d is %s", i, e)
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
