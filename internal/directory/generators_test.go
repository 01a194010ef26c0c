package directory

import (
	"slices"

	"pgregory.net/rapid"
)

// change is one commit of a random history, with the state on both sides.
type change struct {
	commit        Commit
	record        []byte // as the log has it
	footprint     Footprint
	before, after *State
}

// drawHistory draws commits from the empty state on: batches of commands that
// mostly can be carried out, tokens, and directory syncs. Each state is a clone
// of the one before it, as in the gateway.
func drawHistory(t *rapid.T, longest int) []change {
	s := NewState()
	var history []change
	for range rapid.IntRange(longest/2, longest).Draw(t, "commits") {
		now := minute(len(history))
		entries := drawCommit(t, s, now)
		if len(entries) == 0 {
			continue
		}
		c := change{before: s, after: s.Clone()}
		var err error
		if c.commit, c.record, err = encodeWhole(entries); err != nil {
			t.Fatalf("encode %q: %v", lines(entries), err)
		}
		c.footprint = c.after.Apply(entries)
		history, s = append(history, c), c.after
	}
	return history
}

func drawCommit(t *rapid.T, s *State, now Time) []DeltaEntry {
	switch rapid.SampledFrom([]string{"batch", "batch", "batch", "batch", "sync", "token"}).Draw(t, "commit") {
	case "sync":
		r := drawRequest(t, false)
		r.NetworkID = drawNetwork(t)
		c, err := syncOf(r)
		if err != nil {
			t.Fatalf("sync: %v", err)
		}
		if rapid.Bool().Draw(t, "keyed") {
			key := rapid.SampledFrom([]string{"r1", "r2", "r3"}).Draw(t, "key")
			entries, _, _ := Decide(s, Once[DirectorySyncResult]{ReceiptID: key, BodyHash: "b", Command: c}, tester, now)
			return entries
		}
		entries, _, _ := Decide(s, c, tester, now)
		return entries
	case "token":
		id := rapid.SampledFrom([]string{"t1", "t2"}).Draw(t, "token")
		op := OpOf(CreateToken{Token{TokenID: id, Role: AccessViewer, Networks: []uint16{drawNetwork(t)}}})
		if s.Token(id) != nil {
			op = OpOf(RevokeToken{id})
		}
		entries, _, _ := Decide(s, Batch{[]Op{op}}, tester, now)
		return entries
	default:
		return drawBatch(t, s, now)
	}
}

// drawBatch draws ops and leaves out those that would have the batch refused.
func drawBatch(t *rapid.T, s *State, now Time) (entries []DeltaEntry) {
	var ops []Op
	for range rapid.IntRange(1, 8).Draw(t, "ops") {
		longer := append(slices.Clone(ops), drawOp(t))
		if more, _, err := Decide(s, Batch{longer}, tester, now); err == nil {
			ops, entries = longer, more
		}
	}
	return entries
}

// drawOp draws a command about a few networks, nodes and people. What makes
// rows comes more often than what deletes them.
func drawOp(t *rapid.T) Op {
	network, node := drawNetwork(t), rapid.Uint32Range(1, 5).Draw(t, "node")
	switch rapid.SampledFrom([]string{"network", "network", "node", "node", "node", "join", "join", "join", "join", "assign",
		"delete network", "delete node", "leave", "leave", "unassign"}).Draw(t, "op") {
	case "network":
		return OpOf(PutNetwork{Network{NetworkID: network, Name: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "name"),
			Enterprise: rapid.IntRange(0, 4).Draw(t, "enterprise") > 0, RoleMappings: []RoleMapping{{"Platform", RoleAdmin}, {"Ops", RoleOwner}}}})
	case "node":
		externalID := rapid.SampledFrom(append([]string{""}, somePeople...)).Draw(t, "external id")
		return OpOf(PutNode{Node{NodeID: node, Hostname: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "host"), ExternalID: externalID, Tags: []string{}}})
	case "join":
		return putMember(network, node, rapid.SampledFrom(append([]Role{NoRole}, someRoles...)).Draw(t, "role"))
	case "assign":
		return putAssignment(network, drawPerson(t), drawRole(t))
	case "delete network":
		return OpOf(DeleteNetwork{network})
	case "delete node":
		return OpOf(DeleteNode{node})
	case "leave":
		return OpOf(DeleteMember{network, node})
	default:
		return OpOf(DeleteAssignment{network, drawPerson(t)})
	}
}

func drawNetwork(t *rapid.T) uint16 { return rapid.Uint16Range(1, 3).Draw(t, "network") }
