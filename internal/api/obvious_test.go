package api

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/replication-gateway/gateway/internal/directory"
)

// What is valid at first sight is valid to the validator, which is asked entry by
// entry and says what it would say of all at once.
func TestObviouslyValidIsValid(t *testing.T) {
	obvious, others := 0, 0
	text := rapid.SampledFrom([]string{"", "a", "b", " a", "owner", "é", "\u212a", "x\x00",
		strings.Repeat("x", 256), strings.Repeat("x", 257), strings.Repeat("é", 1000), strings.Repeat("x", 1024), strings.Repeat("x", 1025)})
	some := rapid.Ptr(text, true)
	email := rapid.Ptr(rapid.SampledFrom([]string{"a@b.example", "a+b@c", "a b@c", "a@b@c", "", "é@b", strings.Repeat("x", 250) + "@b.example"}), true)
	role := rapid.Ptr(rapid.SampledFrom([]string{"owner", "admin", "member", "Owner", ""}), true)
	rapid.Check(t, func(t *rapid.T) {
		e := directory.DirectoryEntry{ExternalID: text.Draw(t, "id"), DisplayName: some.Draw(t, "name"), Email: email.Draw(t, "email"), Role: role.Draw(t, "role")}
		if rapid.IntRange(0, 3).Draw(t, "grouped") == 0 {
			groups := rapid.SliceOfN(text, 0, 3).Draw(t, "groups")
			if rapid.Bool().Draw(t, "many") {
				groups = append(groups, strings.Split(strings.Repeat("g,", rapid.IntRange(253, 257).Draw(t, "more"))+"g", ",")...)
			}
			e.Groups = &groups
		}
		r := &directory.DirectorySyncRequest{NetworkID: rapid.Uint16Range(0, 3).Draw(t, "network"),
			Entries: slices.Repeat([]directory.DirectoryEntry{e}, rapid.IntRange(0, 2).Draw(t, "entries"))}
		var whole, each, entry faults
		validateByTags(r, "/base", &whole)
		validateInto(r, "/base", &each)
		if !slices.Equal(each.list, whole.list) {
			t.Fatalf("%+v: entry by entry %v, at once %v", r, each.list, whole.list)
		}
		if !obviousEntry(&e) {
			others++
			return
		}
		obvious++
		validateByTags(&e, "", &entry)
		if err := entry.err(); err != nil {
			t.Fatalf("%+v: %v %v", e, err, entry.list)
		}
	})
	if obvious == 0 || others == 0 {
		t.Errorf("%d were obvious, %d were not: the test shows nothing", obvious, others)
	}
}
