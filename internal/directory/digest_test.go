package directory

import (
	"fmt"
	"testing"
)

// Every field of every record counts in the digest.
func TestDigestDependsOnEveryField(t *testing.T) {
	seen := map[uint64]string{0: "nothing"}
	note := func(what string, r Record) {
		t.Helper()
		d := stateOf(1, r).Digest()
		if other, twice := seen[d]; twice {
			t.Errorf("%s has the digest of %s", what, other)
		}
		seen[d] = what
	}
	for _, r := range fullRows() {
		note(r.kind().String(), r)
		for what, changed := range everyChangeOf(r) {
			note(r.kind().String()+" with "+what, changed)
		}
	}
}

// A field that runs into the next would make one digest of two records.
func TestDigestKeepsFieldsApart(t *testing.T) {
	pairs := [][2]Record{
		{&Node{NodeID: 1, Hostname: "ab", ExternalID: "c"}, &Node{NodeID: 1, Hostname: "a", ExternalID: "bc"}},
		{&Node{NodeID: 1, Tags: []string{"ab"}}, &Node{NodeID: 1, Tags: []string{"a", "b"}}},
		{&Node{NodeID: 1, Tags: []string{"a", ""}}, &Node{NodeID: 1, Tags: []string{"", "a"}}},
		{&Network{NetworkID: 1, RoleMappings: []RoleMapping{{"a", RoleOwner}, {"b", RoleAdmin}}}, &Network{NetworkID: 1, RoleMappings: []RoleMapping{{"b", RoleAdmin}, {"a", RoleOwner}}}},
		{&Assignment{NetworkID: 1, ExternalID: "a"}, &User{NetworkID: 1, ExternalID: "a"}},
		{&Sync{NetworkID: 1, Updated: 1}, &Sync{NetworkID: 1, Disabled: 1}},
	}
	for _, p := range pairs {
		if stateOf(1, p[0]).Digest() == stateOf(1, p[1]).Digest() {
			t.Errorf("%T %q and %T %q have one digest", p[0], line(p[0]), p[1], line(p[1]))
		}
	}
}

// everyChangeOf yields copies of a full record with one field changed in each.
func everyChangeOf(r Record) map[string]Record {
	switch r := r.(type) {
	case *Network:
		return changes(r, map[string]func(*Network){
			"network_id":    func(r *Network) { r.NetworkID++ },
			"name":          func(r *Network) { r.Name += "x" },
			"enterprise":    func(r *Network) { r.Enterprise = false },
			"role_mappings": func(r *Network) { r.RoleMappings = nil },
			"a group":       func(r *Network) { r.RoleMappings = []RoleMapping{{"x", RoleAdmin}, {"Ops", RoleOwner}} },
			"a role":        func(r *Network) { r.RoleMappings = []RoleMapping{{"Platform", RoleOwner}, {"Ops", RoleOwner}} },
			"identify_by":   func(r *Network) { r.IdentifyBy = IdentifyByID },
			"created_at":    func(r *Network) { r.CreatedAt++ },
		})
	case *Node:
		return changes(r, map[string]func(*Node){
			"node_id":     func(r *Node) { r.NodeID-- },
			"hostname":    func(r *Node) { r.Hostname += "x" },
			"external_id": func(r *Node) { r.ExternalID = "alice" },
			"tags":        func(r *Node) { r.Tags = r.Tags[:1] },
			"created_at":  func(r *Node) { r.CreatedAt++ },
		})
	case *Member:
		return changes(r, map[string]func(*Member){
			"network_id": func(r *Member) { r.NetworkID++ },
			"node_id":    func(r *Member) { r.NodeID-- },
			"role":       func(r *Member) { r.Role-- },
			"joined_at":  func(r *Member) { r.JoinedAt++ },
		})
	case *Assignment:
		return changes(r, map[string]func(*Assignment){
			"network_id":  func(r *Assignment) { r.NetworkID++ },
			"external_id": func(r *Assignment) { r.ExternalID = "bob" },
			"role":        func(r *Assignment) { r.Role-- },
		})
	case *User:
		return changes(r, map[string]func(*User){
			"network_id":   func(r *User) { r.NetworkID++ },
			"external_id":  func(r *User) { r.ExternalID = "alice" },
			"display_name": func(r *User) { r.DisplayName += "x" },
			"email":        func(r *User) { r.Email += "x" },
			"groups":       func(r *User) { r.Groups = nil },
			"role":         func(r *User) { r.Role = RoleOwner },
			"mapped_role":  func(r *User) { r.MappedRole = RoleMember },
			"disabled":     func(r *User) { r.Disabled = false },
			"updated_at":   func(r *User) { r.UpdatedAt++ },
		})
	case *Sync:
		return changes(r, map[string]func(*Sync){
			"network_id":  func(r *Sync) { r.NetworkID++ },
			"at":          func(r *Sync) { r.At++ },
			"actor":       func(r *Sync) { r.Actor += "x" },
			"seq_no":      func(r *Sync) { r.SeqNo++ },
			"snapshot_at": func(r *Sync) { r.SnapshotAt++ },
			"updated":     func(r *Sync) { r.Updated += 10 },
			"disabled":    func(r *Sync) { r.Disabled += 10 },
			"mapped":      func(r *Sync) { r.Mapped += 10 },
			"unmapped":    func(r *Sync) { r.Unmapped += 10 },
		})
	case *Receipt:
		return changes(r, map[string]func(*Receipt){
			"receipt_id": func(r *Receipt) { r.ReceiptID += "x" },
			"body_hash":  func(r *Receipt) { r.BodyHash += "x" },
			"seq_no":     func(r *Receipt) { r.SeqNo++ },
			"at":         func(r *Receipt) { r.At++ },
			"answer":     func(r *Receipt) { r.Answer = []byte("{}") },
		})
	case *Token:
		return changes(r, map[string]func(*Token){
			"token_id":   func(r *Token) { r.TokenID += "x" },
			"name":       func(r *Token) { r.Name += "x" },
			"role":       func(r *Token) { r.Role = AccessSync },
			"networks":   func(r *Token) { r.Networks = nil },
			"hash":       func(r *Token) { r.Hash = "ff00" },
			"expires_at": func(r *Token) { r.ExpiresAt++ },
			"created_at": func(r *Token) { r.CreatedAt++ },
		})
	}
	panic(fmt.Sprintf("no changes of %T", r))
}

func changes[T any, R interface {
	*T
	Record
}](r R, with map[string]func(R)) map[string]Record {
	out := map[string]Record{}
	for what, change := range with {
		c := *r
		change(&c)
		out[what] = R(&c)
	}
	return out
}

// Gateways of different builds compare digests, and snapshots keep them: what a
// record hashes to never changes.
func TestDigestsAreForGood(t *testing.T) {
	want := []uint64{0x50d021036f873a05, 0x84c64a68cbe2b16a, 0x3976acc97b96bccd, 0x18639964e82e3d75, 0xefdb30360108e0e2,
		0x38d8e7e6707377a0, 0xa840143005ddd28b, 0xab4069adcb7dda78}
	rows := fullRows()
	if len(rows) != len(want) {
		t.Fatalf("%d rows, %d digests", len(rows), len(want))
	}
	for i, r := range rows {
		if got := hashOf(r); got != want[i] {
			t.Errorf("%T hashes to %#x, want %#x", r, got, want[i])
		}
	}
}
