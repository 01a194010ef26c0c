package directory

import (
	"iter"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// pages reads a list as a pager does, a few rows at a time, each page after the
// last key of the one before.
func pages[K comparable, R any](list func(after K) iter.Seq[R], key func(R) K, size int) []K {
	var keys []K
	var after K
	for range 100 { // a list that goes in circles ends here
		n := 0
		for row := range list(after) {
			keys = append(keys, key(row))
			if n++; n == size {
				break
			}
		}
		if n < size {
			return keys
		}
		after = keys[len(keys)-1]
	}
	return keys
}

// Lists are sorted by key, and read in pages they have every row once, the
// first and the last possible key included.
func TestListsReadInPages(t *testing.T) {
	networkIDs, nodeIDs, tokenIDs := []uint16{1, 2, 7, 300, math.MaxUint16}, []uint32{1, 2, 255, 256, 70_000, math.MaxUint32}, []string{"a", "aa", "b", "t1"}
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(1, 4).Draw(t, "rows a page")
		some := func(rows []Record) []Record { return rapid.Permutation(rows).Draw(t, "rows") }
		var networks, nodes, members, tokens []Record
		for _, id := range networkIDs {
			networks = append(networks, &Network{NetworkID: id}, &Sync{NetworkID: id})
			for _, node := range nodeIDs {
				members = append(members, &Member{NetworkID: id, NodeID: node, Role: RoleMember})
			}
		}
		for _, id := range nodeIDs {
			nodes = append(nodes, &Node{NodeID: id})
		}
		for _, id := range tokenIDs {
			tokens = append(tokens, &Token{TokenID: id})
		}
		s := stateOf(1, slices.Concat(some(networks), some(nodes), some(members), some(tokens))...)
		expectKeys(t, "networks", networkIDs, pages(s.Networks, func(n *Network) uint16 { return n.NetworkID }, size))
		expectKeys(t, "syncs", networkIDs, pages(s.Syncs, func(r *Sync) uint16 { return r.NetworkID }, size))
		expectKeys(t, "nodes", nodeIDs, pages(s.Nodes, func(n *Node) uint32 { return n.NodeID }, size))
		expectKeys(t, "tokens", tokenIDs, pages(s.Tokens, func(r *Token) string { return r.TokenID }, size))
		for _, network := range networkIDs {
			membersOf := func(after uint32) iter.Seq[*Member] { return s.Members(network, after) }
			expectKeys(t, "members", nodeIDs, pages(membersOf, func(m *Member) uint32 { return m.NodeID }, size))
		}
		for _, node := range nodeIDs {
			expectKeys(t, "networks of a node", networkIDs, slices.Collect(s.NetworksOf(node)))
		}
		expectKeys(t, "members of no network", nil, pages(func(after uint32) iter.Seq[*Member] { return s.Members(3, after) },
			func(m *Member) uint32 { return m.NodeID }, size))
		expectKeys(t, "networks of no node", nil, slices.Collect(s.NetworksOf(3)))
	})
}

func expectKeys[K comparable](t rapid.TB, list string, want, got []K) {
	t.Helper()
	if !slices.Equal(want, got) {
		t.Errorf("%s: want %v, got %v", list, want, got)
	}
}

// Lists of a limited view are the lists of the whole, less what is hidden.
func TestVisibleListsReadInPages(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		history, v := drawHistory(t, 8), drawView(t)
		size := rapid.IntRange(1, 3).Draw(t, "rows a page")
		for _, c := range history {
			var networks []uint16
			var nodes []uint32
			for _, r := range rowsOf(c.after) {
				switch r := r.(type) {
				case *Network:
					if len(v.Networks()) == 0 || slices.Contains(v.Networks(), r.NetworkID) {
						networks = append(networks, r.NetworkID)
					}
				case *Node:
					sees := len(v.Networks()) == 0 || slices.ContainsFunc(v.Networks(), func(id uint16) bool { return c.after.Member(id, r.NodeID) != nil })
					if sees {
						nodes = append(nodes, r.NodeID)
					}
					if got := v.SeesNode(c.after, r.NodeID); got != sees {
						t.Fatalf("view %s sees node %d: %v, want %v", v, r.NodeID, got, sees)
					}
				}
			}
			if v.SeesNode(c.after, 99) {
				t.Fatalf("view %s sees a node that is not there", v)
			}
			expectKeys(t, "visible networks", networks, pages(func(after uint16) iter.Seq[*Network] { return v.VisibleNetworks(c.after, after) },
				func(n *Network) uint16 { return n.NetworkID }, size))
			expectKeys(t, "visible nodes", nodes, pages(func(after uint32) iter.Seq[*Node] { return v.VisibleNodes(c.after, after) },
				func(n *Node) uint32 { return n.NodeID }, size))
		}
	})
}

// People are found under every spelling, and listed by the normalized one.
func TestPeopleAreFoundWhateverTheSpelling(t *testing.T) {
	s := stateOf(1, &Network{NetworkID: 7}, &Network{NetworkID: 8},
		assignmentRow("Bob", RoleAdmin), assignmentRow("alice", RoleOwner), assignmentRow("Éva", RoleMember),
		userRow("ALICE", NoRole), userRow("bob", NoRole), &User{NetworkID: 8, ExternalID: "zoe"},
		nodeRow(3, "Alice"), nodeRow(1, "alice"), nodeRow(2, "bob"), nodeRow(4, ""))
	if a := s.Assignment(7, "éVA"); a == nil || a.ExternalID != "Éva" {
		t.Errorf("the assignment of éVA is %v", a)
	}
	if u := s.User(7, "aLICE"); u == nil || u.ExternalID != "ALICE" {
		t.Errorf("the user aLICE is %v", u)
	}
	if s.User(8, "alice") != nil || s.Assignment(8, "alice") != nil || s.User(7, "al") != nil || s.User(7, "") != nil {
		t.Error("somebody is found who is not there")
	}
	var assignments, users []string
	for a := range s.Assignments(7) {
		assignments = append(assignments, a.ExternalID)
	}
	for u := range s.Users(7) {
		users = append(users, u.ExternalID)
	}
	expectKeys(t, "assignments", []string{"alice", "Bob", "Éva"}, assignments)
	expectKeys(t, "users", []string{"ALICE", "bob"}, users)
	nodes := func(externalID string) (ids []uint32) {
		for n := range s.NodesByExternalID(externalID) {
			ids = append(ids, n.NodeID)
		}
		return ids
	}
	expectKeys(t, "nodes of alice", []uint32{1, 3}, nodes("ALICE"))
	expectKeys(t, "nodes of nobody", nil, nodes(""))
	expectKeys(t, "nodes of al", nil, nodes("al"))
}

func TestTokenExpires(t *testing.T) {
	tests := []struct {
		name      string
		expiresAt Time
		want      bool
	}{
		{"never", 0, false},
		{"a millisecond later", minute(5) + 1, false},
		{"now", minute(5), true},
		{"before", minute(4), true},
	}
	for _, test := range tests {
		if got := (&Token{ExpiresAt: test.expiresAt}).Expired(minute(5)); got != test.want {
			t.Errorf("a token that expires %s: Expired is %v, want %v", test.name, got, test.want)
		}
	}
}
