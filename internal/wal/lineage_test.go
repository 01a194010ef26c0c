package wal

import "testing"

func TestWhereALineageLeads(t *testing.T) {
	one, two, three := Epoch{"one", 0}, Epoch{"two", 20}, Epoch{"three", 20}
	for name, c := range map[string]struct {
		older []Epoch
		seqNo uint64 // where the older one stood
		newer []Epoch
		want  bool
	}{
		"the same":                         {[]Epoch{one, two}, 30, []Epoch{one, two}, true},
		"an epoch later":                   {[]Epoch{one}, 10, []Epoch{one, two}, true},
		"an epoch that began there":        {[]Epoch{one}, 20, []Epoch{one, two}, true},
		"two that began there":             {[]Epoch{one}, 20, []Epoch{one, two, three}, true},
		"beyond an epoch that it has not":  {[]Epoch{one}, 21, []Epoch{one, two}, false},
		"an epoch too many":                {[]Epoch{one, two}, 30, []Epoch{one}, false},
		"another epoch":                    {[]Epoch{one, two}, 30, []Epoch{one, three}, false},
		"another beginning of the epoch":   {[]Epoch{one, two}, 30, []Epoch{one, {"two", 19}}, false},
		"another history from the outset":  {[]Epoch{three}, 30, []Epoch{one, two}, false},
		"another history, same in the end": {[]Epoch{three, two}, 30, []Epoch{one, two}, false},
	} {
		if got := leadsTo(c.older, c.seqNo, c.newer); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// An epoch begins with a segment, so the one before cannot have known it, nor can it have begun within that one.
func TestEpochsBeginBetweenSegments(t *testing.T) {
	one := []Epoch{{"one", 0}}
	a := finding{segment: &segment{segmentHeader: segmentHeader{first: 1, lineage: one}, path: "a"}, next: 21, sealed: true}
	for name, c := range map[string]struct {
		lineage []Epoch
		want    bool
	}{
		"none":                  {one, true},
		"between them":          {[]Epoch{{"one", 0}, {"two", 20}}, true},
		"two between them":      {[]Epoch{{"one", 0}, {"two", 20}, {"three", 20}}, true},
		"within the first":      {[]Epoch{{"one", 0}, {"two", 19}}, false},
		"of another history":    {[]Epoch{{"two", 0}}, false},
		"from the first record": {[]Epoch{{"one", 0}, {"two", 0}, {"three", 20}}, false},
	} {
		b := finding{segment: &segment{segmentHeader: segmentHeader{first: 21, lineage: c.lineage}, path: "b"}, next: 21}
		if damage := checkLink(a, b); (damage == nil) != c.want {
			t.Errorf("an epoch %s: %v", name, damage)
		}
	}
}
