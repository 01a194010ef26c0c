package api

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/replication-gateway/gateway/internal/directory"
)

// What is valid at first sight is valid to the validator.
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
		r := &directory.DirectorySyncRequest{NetworkID: 1, Entries: []directory.DirectoryEntry{e}}
		if !obviouslyValid(r) {
			others++
			return
		}
		obvious++
		var f faults
		validateByTags(r, "", &f)
		if err := f.err(); err != nil {
			t.Fatalf("%+v: %v %v", e, err, f.list)
		}
	})
	if obvious == 0 || others == 0 {
		t.Errorf("%d were obvious, %d were not: the test shows nothing", obvious, others)
	}
	entries := []directory.DirectoryEntry{{ExternalID: "a"}}
	if !obviouslyValid(&directory.DirectorySyncRequest{NetworkID: 1, Entries: entries}) ||
		obviouslyValid(&directory.DirectorySyncRequest{NetworkID: 1}) || obviouslyValid(&directory.DirectorySyncRequest{Entries: entries}) {
		t.Error("a sync needs a network and entries, and no more")
	}
}
