package directory

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// linesOfEncoded reads encoded entries back and writes each as a line.
func linesOfEncoded(t *testing.T, encoded [][]byte) []string {
	t.Helper()
	out := []string{}
	for _, b := range encoded {
		var e DeltaEntry
		if err := e.UnmarshalJSON(b); err != nil {
			t.Fatalf("entry %s: %v", b, err)
		}
		out = append(out, lines([]DeltaEntry{e})...)
	}
	return out
}

// Each case is a commit, and what one who is limited to network 7 gets of it.
func TestLimitedViewFollowsNodes(t *testing.T) {
	base := []Op{putNetwork(7), putNetwork(8), putNode(1, "alice")}
	tests := []struct {
		name  string
		given []Op
		ops   []Op
		want  []string
	}{
		{"a node that joins comes with its row", nil,
			[]Op{putMember(7, 1, RoleAdmin)}, []string{`node.put 1 host "alice" [] @0`, "member.put 7/1 admin @1"}},
		{"a node that leaves goes", []Op{putMember(7, 1, RoleAdmin)},
			[]Op{OpOf(DeleteMember{7, 1})}, []string{"member.delete 7/1", "node.delete 1"}},
		{"a node that joins another network does not show", nil,
			[]Op{putMember(8, 1, RoleAdmin)}, []string{}},
		{"a node in sight that joins another network shows nothing of it", []Op{putMember(7, 1, RoleAdmin)},
			[]Op{putMember(8, 1, RoleAdmin)}, []string{}},
		{"a node in sight that leaves another network stays", []Op{putMember(7, 1, RoleAdmin), putMember(8, 1, RoleAdmin)},
			[]Op{OpOf(DeleteMember{8, 1})}, []string{}},
		{"a role that changes brings no row", []Op{putMember(7, 1, RoleAdmin)},
			[]Op{putMember(7, 1, RoleOwner)}, []string{"member.put 7/1 owner @0"}},
		{"a role that changes does not keep a node that leaves", []Op{putMember(7, 1, RoleAdmin)},
			[]Op{putMember(7, 1, RoleOwner), OpOf(DeleteMember{7, 1})}, []string{"member.put 7/1 owner @0", "member.delete 7/1", "node.delete 1"}},
		{"a node out of sight changes unseen", []Op{putMember(8, 1, RoleAdmin)},
			[]Op{putNode(1, "bob")}, []string{}},
		{"a node in sight changes", []Op{putMember(7, 1, RoleAdmin)},
			[]Op{putNode(1, "bob")}, []string{`node.put 1 host "bob" [] @0`}},
		{"a node in sight is deleted once", []Op{putMember(7, 1, RoleAdmin), putMember(8, 1, RoleAdmin)},
			[]Op{OpOf(DeleteNode{1})}, []string{"member.delete 7/1", "node.delete 1"}},
		{"a node that is made and joins in one commit", nil,
			[]Op{putNode(2, "bob"), putMember(7, 2, RoleAdmin)}, []string{`node.put 2 host "bob" [] @1`, "member.put 7/2 admin @1"}},
		{"a node that joins comes as it was at that point", nil,
			[]Op{putMember(7, 1, RoleAdmin), putNode(1, "bob")},
			[]string{`node.put 1 host "alice" [] @0`, "member.put 7/1 admin @1", `node.put 1 host "bob" [] @0`}},
		{"a node that leaves and joins in one commit goes and comes", []Op{putMember(7, 1, RoleAdmin)},
			[]Op{OpOf(DeleteMember{7, 1}), putNode(1, "bob"), putMember(7, 1, RoleOwner)},
			[]string{"member.delete 7/1", "node.delete 1", `node.put 1 host "bob" [] @0`, "member.put 7/1 owner @1"}},
		{"a network that is deleted takes its nodes out of sight", []Op{putMember(7, 1, RoleAdmin), putMember(8, 1, RoleAdmin), putAssignment(7, "x", RoleOwner), putAssignment(8, "x", RoleOwner)},
			[]Op{OpOf(DeleteNetwork{7})}, []string{"member.delete 7/1", "node.delete 1", "assignment.delete 7/x", "network.delete 7"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := given(t, slices.Concat(base, test.given)...)
			entries, _, err := Decide(s, Batch{test.ops}, tester, minute(1))
			if err != nil {
				t.Fatal(err)
			}
			commit, _, err := EncodeCommit(entries)
			if err != nil {
				t.Fatal(err)
			}
			footprint := s.Apply(entries)
			if got := linesOfEncoded(t, NewView(AccessViewer, 7).Entries(&commit, footprint)); !slices.Equal(got, test.want) {
				t.Errorf("want %q\n got %q", test.want, got)
			}
		})
	}
}

// A node that is in two networks of a view goes with the last of them.
func TestNodeStaysWhileOneNetworkHasIt(t *testing.T) {
	s := given(t, putNetwork(7), putNetwork(8), putNode(1, ""), putMember(7, 1, RoleAdmin), putMember(8, 1, RoleAdmin))
	v := NewView(AccessViewer, 8, 7)
	for _, step := range []struct {
		op   Op
		want []string
	}{
		{OpOf(DeleteMember{7, 1}), []string{"member.delete 7/1"}},
		{putMember(7, 1, RoleOwner), []string{"member.put 7/1 owner @1"}},
		{OpOf(DeleteMember{8, 1}), []string{"member.delete 8/1"}},
		{OpOf(DeleteMember{7, 1}), []string{"member.delete 7/1", "node.delete 1"}},
	} {
		entries, _, err := Decide(s, Batch{[]Op{step.op}}, tester, minute(1))
		if err != nil {
			t.Fatal(err)
		}
		commit, _, err := EncodeCommit(entries)
		if err != nil {
			t.Fatal(err)
		}
		if got := linesOfEncoded(t, v.Entries(&commit, s.Apply(entries))); !slices.Equal(got, step.want) {
			t.Errorf("want %q, got %q", step.want, got)
		}
	}
}

// A role that reads no stream gets nothing of one, limited or not.
func TestRoleWithoutSightGetsNothing(t *testing.T) {
	s := given(t, putNetwork(7), putNode(1, "alice"), putMember(7, 1, RoleAdmin))
	entries, _, err := Decide(s, Batch{[]Op{putNode(1, "bob"), putMember(7, 1, RoleOwner), OpOf(DeleteNetwork{7})}}, tester, minute(1))
	if err != nil {
		t.Fatal(err)
	}
	commit, _, err := EncodeCommit(entries)
	if err != nil {
		t.Fatal(err)
	}
	before := s.Clone()
	footprint := s.Apply(entries)
	for _, v := range []View{{}, NewView(AccessSync), NewView(AccessSync, 7), NewView("boss", 7)} {
		if got := v.Entries(&commit, footprint); len(got) > 0 {
			t.Errorf("view %q gets %q", v, got)
		}
		if parts := partsOf(v, before, 1000); len(parts) != 1 || string(parts[0]) != "{}" {
			t.Errorf("view %q has the snapshot %q", v, parts)
		}
	}
}

// ParseView reads what String writes and nothing else: a name with its networks
// out of order would be a view that misses some of them.
func TestParseViewRefuses(t *testing.T) {
	for _, name := range []string{"", "viewer", "viewer:x", "viewer:1,", "viewer:,1", "viewer:-1", "viewer:65536", "viewer: 1", "viewer:1:2",
		"viewer:2,1", "viewer:1,1", "viewer:007"} {
		if v, err := ParseView(name); err == nil {
			t.Errorf("%q is read as the view %s of %v", name, v, v.Networks())
		}
	}
}

// What is read has a name that reads as the same view, one that sees exactly
// the networks it names.
func FuzzParseView(f *testing.F) {
	for _, seed := range []string{"viewer:", "admin:7", "replica:1,2,65535", "sync:", ":", "viewer", "viewer:1,,2", "viewer:+1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		v, err := ParseView(name)
		if err != nil {
			return
		}
		again, err := ParseView(v.String())
		if err != nil || again.String() != v.String() || again.Role() != v.Role() || !slices.Equal(again.Networks(), v.Networks()) {
			t.Errorf("%q is read as %s, and that as %s, %v", name, v, again, err)
		}
		for _, network := range v.Networks() {
			if !v.SeesNetwork(network) {
				t.Errorf("%q does not see network %d", name, network)
			}
		}
	})
}

// TestLimitedReadersSeeTheirNodes as whoever looks at all nodes would find them.
func TestLimitedReadersSeeTheirNodes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := NewState()
		var entries []DeltaEntry
		for id := range uint16(3) {
			entries = append(entries, DeltaEntry{Data: &Network{NetworkID: id + 1}})
		}
		step := rapid.SampledFrom([]uint32{1, firstMembers / 2}).Draw(t, "step") // each draw stands for so many nodes
		for id := range 8 * step {
			entries = append(entries, DeltaEntry{Data: &Node{NodeID: id + 1}})
		}
		for first := uint32(0); first < 8*step; first += step {
			for network := range uint16(3) {
				if !rapid.Bool().Draw(t, "member") {
					continue
				}
				for id := first; id < first+step; id++ {
					entries = append(entries, DeltaEntry{Data: &Member{NetworkID: network + 1, NodeID: id + 1, Role: RoleMember}})
				}
			}
		}
		s.Replay(entries)
		v := NewView(AccessViewer, rapid.SliceOfN(rapid.Uint16Range(1, 4), 1, 3).Draw(t, "networks")...)
		after := step * rapid.Uint32Range(0, 9).Draw(t, "after")
		var got, want []uint32
		for n := range v.VisibleNodes(s, after) {
			got = append(got, n.NodeID)
		}
		for n := range s.Nodes(after) {
			if v.SeesNode(s, n.NodeID) {
				want = append(want, n.NodeID)
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%v after %d: %v, want %v", v, after, got, want)
		}
	})
}
