package directory

import (
	"fmt"
	"slices"

	"pgregory.net/rapid"
)

// The people, groups and networks that random tests draw from: few, so that
// rows meet, and in several spellings.
var (
	somePeople = []string{"alice", "Alice", "ALICE", "bob", "Bob", "carol", "éva", "Éva", "dave"}
	someGroups = []string{"Platform", "Ops", "Sales", "Interns"}
	someRoles  = []Role{RoleMember, RoleAdmin, RoleOwner}
)

// syncedNetwork is the network whose directory random tests synchronise.
const syncedNetwork = 7

func drawRole(t *rapid.T) Role { return rapid.SampledFrom(someRoles).Draw(t, "role") }

func drawPerson(t *rapid.T) string { return rapid.SampledFrom(somePeople).Draw(t, "person") }

func drawGroups(t *rapid.T) []string {
	return rapid.SliceOfN(rapid.SampledFrom(someGroups), 0, 3).Draw(t, "groups")
}

// optional draws a value or nil.
func optional[T any](t *rapid.T, draw func(*rapid.T) T) *T {
	if rapid.Bool().Draw(t, "not given") {
		return nil
	}
	v := draw(t)
	return &v
}

// drawDirectory draws a state, beyond what commands alone would lead to: any
// mixture of nodes, members, assignments and users, with a second network that
// no sync of the first may touch.
func drawDirectory(t *rapid.T) *State {
	rows := []Record{
		&Network{NetworkID: syncedNetwork, Name: "corp", Enterprise: true, IdentifyBy: IdentifyByID,
			RoleMappings: []RoleMapping{{"Platform", RoleAdmin}, {"Ops", RoleOwner}, {"Interns", RoleMember}}},
		&Network{NetworkID: syncedNetwork + 1, Name: "other", Enterprise: true, RoleMappings: []RoleMapping{}},
	}
	for id := range uint32(rapid.IntRange(1, 8).Draw(t, "nodes")) {
		n := &Node{NodeID: id + 1, Hostname: fmt.Sprint("host", id+1), Tags: []string{}}
		if rapid.IntRange(0, 5).Draw(t, "has a person") > 0 {
			n.ExternalID = drawPerson(t)
		}
		rows = append(rows, n)
		for network := range uint16(2) {
			if rapid.IntRange(0, 3).Draw(t, "is a member") > 0 {
				rows = append(rows, &Member{NetworkID: syncedNetwork + network, NodeID: n.NodeID, Role: drawRole(t)})
			}
		}
	}
	for network := range uint16(2) {
		for range rapid.IntRange(0, 3).Draw(t, "assignments") {
			rows = append(rows, &Assignment{NetworkID: syncedNetwork + network, ExternalID: drawPerson(t), Role: drawRole(t)})
		}
		for range rapid.IntRange(0, 4).Draw(t, "users") {
			u := &User{NetworkID: syncedNetwork + network, ExternalID: drawPerson(t), Groups: setOf(drawGroups(t)),
				Disabled: rapid.Bool().Draw(t, "disabled")}
			if rapid.Bool().Draw(t, "mapped") {
				u.MappedRole = drawRole(t)
			}
			rows = append(rows, u)
		}
	}
	return stateOf(1, rows...)
}

func drawEntry(t *rapid.T) DirectoryEntry {
	return DirectoryEntry{
		ExternalID:  drawPerson(t),
		DisplayName: optional(t, func(t *rapid.T) string { return rapid.SampledFrom([]string{"A", "B"}).Draw(t, "name") }),
		Email:       optional(t, func(t *rapid.T) string { return rapid.SampledFrom([]string{"a@x", "b@x"}).Draw(t, "email") }),
		Groups:      optional(t, drawGroups),
		Role:        optional(t, func(t *rapid.T) string { return drawRole(t).String() }),
		Disabled:    rapid.IntRange(0, 3).Draw(t, "disabled") == 0,
	}
}

// drawEntries draws the entries of a request. With contradictions there may be
// two that differ for one person; in any case some stand twice.
func drawEntries(t *rapid.T, contradictions bool) []DirectoryEntry {
	entries := rapid.SliceOfN(rapid.Custom(drawEntry), 1, 6).Draw(t, "entries")
	if !contradictions {
		entries = slices.CompactFunc(slices.SortedFunc(slices.Values(entries), byPerson), func(a, b DirectoryEntry) bool {
			return byPerson(a, b) == 0
		})
	}
	if rapid.Bool().Draw(t, "one twice") {
		again := rapid.SampledFrom(entries).Draw(t, "which")
		if again.Groups != nil {
			groups := slices.Clone(*again.Groups)
			slices.Reverse(groups)
			again.Groups = &groups
		}
		again.ExternalID = NormalizeExternalID(again.ExternalID)
		entries = append(entries, again)
	}
	return rapid.Permutation(entries).Draw(t, "order")
}

func byPerson(a, b DirectoryEntry) int {
	return slices.Compare([]byte(NormalizeExternalID(a.ExternalID)), []byte(NormalizeExternalID(b.ExternalID)))
}

func drawRequest(t *rapid.T, contradictions bool) *DirectorySyncRequest {
	return &DirectorySyncRequest{
		NetworkID:      syncedNetwork,
		Entries:        drawEntries(t, contradictions),
		RemoveUnlisted: rapid.Bool().Draw(t, "remove unlisted"),
		SnapshotAt:     optional(t, func(t *rapid.T) Time { return minute(rapid.IntRange(1, 4).Draw(t, "snapshot_at")) }),
	}
}

// syncOf makes a request a command, as an API does, with the threshold off.
func syncOf(r *DirectorySyncRequest) (SyncDirectory, error) {
	people, warnings, err := ParseDirectoryEntries(r.Entries)
	return SyncDirectory{Request: r, People: people, Warnings: warnings}, err
}
