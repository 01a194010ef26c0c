package directory

import (
	"errors"
	"slices"
	"testing"
)

func TestParseDirectoryEntries(t *testing.T) {
	tests := []struct {
		name     string
		request  string
		want     []string // the spellings that stay, by normalized id
		indexes  []int    // their places in the request
		warnings int
		conflict bool
	}{
		{"sorted by normalized id", `{"entries":[{"external_id":"bob"},{"external_id":"Carol"},{"external_id":"Alice"}]}`,
			[]string{"Alice", "bob", "Carol"}, []int{2, 0, 1}, 0, false},
		{"equal entries collapse, the bytewise first spelling stays", `{"entries":[{"external_id":"alice"},{"external_id":"ALICE"},{"external_id":"Alice"}]}`,
			[]string{"ALICE"}, []int{1}, 1, false},
		{"each person that stands twice has a warning", `{"entries":[{"external_id":"a"},{"external_id":"b"},{"external_id":"B"},{"external_id":"A"},{"external_id":"c"}]}`,
			[]string{"A", "B", "c"}, []int{3, 2, 4}, 2, false},
		{"groups are compared as sets", `{"entries":[{"external_id":"a","groups":["x","y"]},{"external_id":"a","groups":["y","x","y"]}]}`,
			[]string{"a"}, []int{0}, 1, false},
		{"other groups", `{"entries":[{"external_id":"a","groups":["x"]},{"external_id":"a","groups":["X"]}]}`, nil, nil, 0, true},
		{"no groups and none given", `{"entries":[{"external_id":"a","groups":[]},{"external_id":"a"}]}`, nil, nil, 0, true},
		{"another role", `{"entries":[{"external_id":"a","role":"owner"},{"external_id":"A","role":"admin"}]}`, nil, nil, 0, true},
		{"a role and none given", `{"entries":[{"external_id":"a","role":"owner"},{"external_id":"a"}]}`, nil, nil, 0, true},
		{"another name", `{"entries":[{"external_id":"a","display_name":"A"},{"external_id":"a","display_name":"B"}]}`, nil, nil, 0, true},
		{"an empty name and none given", `{"entries":[{"external_id":"a","display_name":""},{"external_id":"a"}]}`, nil, nil, 0, true},
		{"another address", `{"entries":[{"external_id":"a","email":"a@x"},{"external_id":"a","email":"b@x"}]}`, nil, nil, 0, true},
		{"disabled and not", `{"entries":[{"external_id":"a","disabled":true},{"external_id":"a"}]}`, nil, nil, 0, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			people, warnings, err := ParseDirectoryEntries(parseRequest(t, test.request).Entries)
			if conflict := errors.Is(err, ErrConflictingEntries); conflict != test.conflict || (err != nil) != conflict {
				t.Fatalf("want a conflict: %v, got %v", test.conflict, err)
			}
			var got []string
			var indexes []int
			for _, p := range people {
				got, indexes = append(got, p.ExternalID), append(indexes, p.Index)
			}
			if !slices.Equal(got, test.want) || !slices.Equal(indexes, test.indexes) {
				t.Errorf("want %q from %v, got %q from %v", test.want, test.indexes, got, indexes)
			}
			if len(warnings) != test.warnings {
				t.Errorf("want %d warnings, got %q", test.warnings, warnings)
			}
		})
	}
}

// A list of groups that is given and nil is an empty one, not one left out.
func TestNilGroupsAreGiven(t *testing.T) {
	var none []string
	people, _, err := ParseDirectoryEntries([]DirectoryEntry{{ExternalID: "a", Groups: &none}, {ExternalID: "b"}})
	if err != nil || people[0].Groups == nil || people[1].Groups != nil {
		t.Errorf("given and nil reads as %#v, left out as %#v, %v", people[0].Groups, people[1].Groups, err)
	}
}

// A refusal names each entry that differs from an earlier one of its person.
func TestConflictNamesTheEntries(t *testing.T) {
	tests := []struct {
		name, request string
		want          []int
	}{
		{"the later of two", `{"entries":[{"external_id":"a"},{"external_id":"a","disabled":true}]}`, []int{1}},
		{"the later of two, spelled so that it sorts first", `{"entries":[{"external_id":"a"},{"external_id":"A","disabled":true}]}`, []int{1}},
		{"every one that differs", `{"entries":[{"external_id":"a"},{"external_id":"a","role":"owner"},{"external_id":"b"},{"external_id":"a","role":"admin"}]}`, []int{1, 3}},
		{"of several people", `{"entries":[{"external_id":"a"},{"external_id":"b"},{"external_id":"b","disabled":true},{"external_id":"a","disabled":true}]}`, []int{2, 3}},
		{"in the order of the request, whatever the spelling", `{"entries":[{"external_id":"a"},{"external_id":"a","disabled":true},{"external_id":"A","disabled":true}]}`, []int{1, 2}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, _, err := ParseDirectoryEntries(parseRequest(t, test.request).Entries)
			conflict, ok := errors.AsType[*ConflictError](err)
			if !ok || !slices.Equal(conflict.Indexes, test.want) {
				t.Errorf("want the entries %v named, got %#v", test.want, err)
			}
		})
	}
}
