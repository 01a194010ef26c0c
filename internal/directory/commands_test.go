package directory

import (
	"errors"
	"slices"
	"testing"
)

// Short forms for the tables: network 7, its nodes and people.
func putNetwork(id uint16) Op {
	return OpOf(PutNetwork{Network{NetworkID: id, Name: "corp", IdentifyBy: IdentifyByID, RoleMappings: []RoleMapping{}}})
}

func putNode(id uint32, externalID string) Op {
	return OpOf(PutNode{Node{NodeID: id, Hostname: "host", ExternalID: externalID, Tags: []string{}}})
}

func putMember(network uint16, node uint32, role Role) Op {
	return OpOf(PutMember{network, node, role})
}

func putAssignment(network uint16, externalID string, role Role) Op {
	return OpOf(PutAssignment{Assignment{network, externalID, role}})
}

// Each case says which ops are behind (at minute 0), which op is asked for (at
// minute 1), and which entries carry it out or why it is refused.
func TestCommands(t *testing.T) {
	network := Network{NetworkID: 7, Name: "corp", IdentifyBy: IdentifyByID}
	mapped := Network{NetworkID: 7, Name: "corp", Enterprise: true, IdentifyBy: IdentifyByEmail,
		RoleMappings: []RoleMapping{{"Ops", RoleOwner}}}
	node := Node{NodeID: 1, Hostname: "host", Tags: []string{"a"}}
	token := Token{TokenID: "t1", Name: "ci", Role: AccessViewer, Networks: []uint16{9, 7, 9}, CreatedAt: minute(-5)}
	none := []string{}

	tests := []struct {
		name    string
		given   []Op
		op      Op
		want    []string
		refused error
	}{
		// Networks.
		{"a new network is created now", nil,
			OpOf(PutNetwork{network}), []string{`network.put 7 "corp" by id @1`}, nil},
		{"a time of creation that the caller gives is not taken", nil,
			OpOf(PutNetwork{Network{NetworkID: 7, CreatedAt: minute(-9)}}), []string{`network.put 7 "" by  @1`}, nil},
		{"a network is replaced as a whole, its time of creation apart", []Op{OpOf(PutNetwork{network})},
			OpOf(PutNetwork{mapped}), []string{`network.put 7 "corp" by email enterprise Ops=owner @0`}, nil},
		{"what is left out of a network is gone", []Op{OpOf(PutNetwork{mapped})},
			OpOf(PutNetwork{Network{NetworkID: 7}}), []string{`network.put 7 "" by  @0`}, nil},
		{"the same network again is no change", []Op{OpOf(PutNetwork{mapped})},
			OpOf(PutNetwork{mapped}), none, nil},
		{"no mappings are the same as an empty list of them", []Op{putNetwork(7)},
			OpOf(PutNetwork{network}), none, nil},
		{"a network that is not there cannot be deleted", []Op{putNetwork(8)},
			OpOf(DeleteNetwork{7}), nil, ErrNetworkNotFound},
		{"an empty network is deleted alone", []Op{putNetwork(7)},
			OpOf(DeleteNetwork{7}), []string{"network.delete 7"}, nil},
		{"what depends on a network is deleted before it", []Op{putNetwork(7), putNode(1, ""), putNode(2, ""), putMember(7, 1, RoleOwner), putMember(7, 2, RoleOwner), putAssignment(7, "Alice", RoleAdmin)},
			OpOf(DeleteNetwork{7}), []string{"member.delete 7/1", "member.delete 7/2", "assignment.delete 7/Alice", "network.delete 7"}, nil},
		{"what belongs to another network stays", []Op{putNetwork(7), putNetwork(8), putNode(1, ""), putMember(7, 1, RoleOwner), putMember(8, 1, RoleOwner), putAssignment(8, "alice", RoleAdmin)},
			OpOf(DeleteNetwork{7}), []string{"member.delete 7/1", "network.delete 7"}, nil},

		// Nodes.
		{"a new node is created now", nil,
			OpOf(PutNode{node}), []string{`node.put 1 host "" [a] @1`}, nil},
		{"a node is replaced as a whole, its time of creation apart", []Op{OpOf(PutNode{node})},
			OpOf(PutNode{Node{NodeID: 1, Hostname: "box", ExternalID: "Alice"}}), []string{`node.put 1 box "Alice" [] @0`}, nil},
		{"the same node again is no change", []Op{OpOf(PutNode{node})},
			OpOf(PutNode{node}), none, nil},
		{"another spelling of the external id is a change", []Op{putNode(1, "alice")},
			OpOf(PutNode{Node{NodeID: 1, Hostname: "host", ExternalID: "ALICE"}}), []string{`node.put 1 host "ALICE" [] @0`}, nil},
		{"tags in another order are a change", []Op{OpOf(PutNode{Node{NodeID: 1, Tags: []string{"a", "b"}}})},
			OpOf(PutNode{Node{NodeID: 1, Tags: []string{"b", "a"}}}), []string{`node.put 1  "" [b a] @0`}, nil},
		{"a node that is not there cannot be deleted", nil,
			OpOf(DeleteNode{1}), nil, ErrNodeNotFound},
		{"a node's memberships are deleted before it", []Op{putNetwork(7), putNetwork(8), putNode(1, "alice"), putMember(7, 1, RoleOwner), putMember(8, 1, RoleMember)},
			OpOf(DeleteNode{1}), []string{"member.delete 7/1", "member.delete 8/1", "node.delete 1"}, nil},

		// Members.
		{"who joins without a role is a plain member", []Op{putNetwork(7), putNode(1, "")},
			putMember(7, 1, NoRole), []string{"member.put 7/1 member @1"}, nil},
		{"who joins with a role has it", []Op{putNetwork(7), putNode(1, "")},
			putMember(7, 1, RoleOwner), []string{"member.put 7/1 owner @1"}, nil},
		{"who joins without a role takes the assigned one and uses it up", []Op{putNetwork(7), putNode(1, "alice"), putAssignment(7, "Alice", RoleAdmin)},
			putMember(7, 1, NoRole), []string{"assignment.delete 7/Alice", "member.put 7/1 admin @1"}, nil},
		{"who joins with a role uses the assignment up too", []Op{putNetwork(7), putNode(1, "alice"), putAssignment(7, "alice", RoleOwner)},
			putMember(7, 1, RoleMember), []string{"assignment.delete 7/alice", "member.put 7/1 member @1"}, nil},
		{"the assignment of another network is not used", []Op{putNetwork(7), putNetwork(8), putNode(1, "alice"), putAssignment(8, "alice", RoleOwner)},
			putMember(7, 1, NoRole), []string{"member.put 7/1 member @1"}, nil},
		{"the assignment of another person is not used", []Op{putNetwork(7), putNode(1, "bob"), putAssignment(7, "alice", RoleOwner)},
			putMember(7, 1, NoRole), []string{"member.put 7/1 member @1"}, nil},
		{"a node of nobody uses no assignment", []Op{putNetwork(7), putNode(1, ""), putAssignment(7, "alice", RoleOwner)},
			putMember(7, 1, NoRole), []string{"member.put 7/1 member @1"}, nil},
		{"a member's role is set, the time of joining stays", []Op{putNetwork(7), putNode(1, ""), putMember(7, 1, RoleMember)},
			putMember(7, 1, RoleAdmin), []string{"member.put 7/1 admin @0"}, nil},
		{"a member put without a role keeps the one it has", []Op{putNetwork(7), putNode(1, ""), putMember(7, 1, RoleOwner)},
			putMember(7, 1, NoRole), none, nil},
		{"a member put with the role it has is no change", []Op{putNetwork(7), putNode(1, ""), putMember(7, 1, RoleAdmin)},
			putMember(7, 1, RoleAdmin), none, nil},
		{"a member does not use up an assignment that came later", []Op{putNetwork(7), putNode(1, "alice"), putMember(7, 1, RoleMember), putAssignment(7, "alice", RoleAdmin)},
			putMember(7, 1, RoleOwner), []string{"member.put 7/1 owner @0"}, nil},
		{"the last owner may be made something less", []Op{putNetwork(7), putNode(1, ""), putMember(7, 1, RoleOwner)},
			putMember(7, 1, RoleMember), []string{"member.put 7/1 member @0"}, nil},
		{"a network that is not there cannot be joined", []Op{putNode(1, "")},
			putMember(7, 1, RoleOwner), nil, ErrNetworkNotFound},
		{"a node that is not there cannot join", []Op{putNetwork(7)},
			putMember(7, 1, RoleOwner), nil, ErrNodeNotFound},
		{"a member leaves", []Op{putNetwork(7), putNode(1, ""), putMember(7, 1, RoleOwner)},
			OpOf(DeleteMember{7, 1}), []string{"member.delete 7/1"}, nil},
		{"only a member can leave", []Op{putNetwork(7), putNode(1, "")},
			OpOf(DeleteMember{7, 1}), nil, ErrMemberNotFound},
		{"a network that is not there cannot be left", nil,
			OpOf(DeleteMember{7, 1}), nil, ErrNetworkNotFound},

		// Assignments.
		{"a role is assigned", []Op{putNetwork(7)},
			putAssignment(7, "Alice", RoleAdmin), []string{"assignment.put 7/Alice admin"}, nil},
		{"another role replaces it", []Op{putNetwork(7), putAssignment(7, "alice", RoleAdmin)},
			putAssignment(7, "alice", RoleOwner), []string{"assignment.put 7/alice owner"}, nil},
		{"another spelling replaces it", []Op{putNetwork(7), putAssignment(7, "alice", RoleAdmin)},
			putAssignment(7, "ALICE", RoleAdmin), []string{"assignment.put 7/ALICE admin"}, nil},
		{"the same role again is no change", []Op{putNetwork(7), putAssignment(7, "alice", RoleAdmin)},
			putAssignment(7, "alice", RoleAdmin), none, nil},
		{"a network that is not there assigns nothing", nil,
			putAssignment(7, "alice", RoleAdmin), nil, ErrNetworkNotFound},
		{"an assignment is taken back under any spelling", []Op{putNetwork(7), putAssignment(7, "Alice", RoleAdmin)},
			OpOf(DeleteAssignment{7, "aLICE"}), []string{"assignment.delete 7/Alice"}, nil},
		{"an assignment that is not there cannot be taken back", []Op{putNetwork(7)},
			OpOf(DeleteAssignment{7, "alice"}), nil, ErrNotFound},
		{"nothing is taken back in a network that is not there", nil,
			OpOf(DeleteAssignment{7, "alice"}), nil, ErrNetworkNotFound},

		// Tokens.
		{"a token is created now, its networks sorted and each once", nil,
			OpOf(CreateToken{token}), []string{"token.put t1 ci viewer [7 9] @1"}, nil},
		{"a token is revoked", []Op{OpOf(CreateToken{token})},
			OpOf(RevokeToken{"t1"}), []string{"token.delete t1"}, nil},
		{"a token that is not there cannot be revoked", nil,
			OpOf(RevokeToken{"t1"}), nil, ErrNotFound},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := given(t, test.given...)
			before, seqNo := stateLines(s), s.SeqNo()
			entries, _, err := Decide(s, Batch{[]Op{test.op}}, tester, minute(1))
			if !errors.Is(err, test.refused) {
				t.Fatalf("want the refusal %v, got %v", test.refused, err)
			}
			if got := lines(entries); err == nil && !slices.Equal(got, test.want) {
				t.Errorf("want entries %q\n got         %q", test.want, got)
			}
			for _, e := range entries {
				if e.SeqNo != seqNo+1 || e.At != minute(1) || e.Actor != tester {
					t.Errorf("%s: seq_no %d at %v by %q, want %d at %v by %q",
						e.Type, e.SeqNo, e.At, e.Actor, seqNo+1, minute(1), tester)
				}
				if e.NetworkID != e.Data.network() || e.NodeID != e.Data.node() {
					t.Errorf("%s is about network %d and node %d, its data about %d and %d",
						e.Type, e.NetworkID, e.NodeID, e.Data.network(), e.Data.node())
				}
			}
			if diff := differ(before, stateLines(s)); diff != "" || s.SeqNo() != seqNo {
				t.Errorf("deciding changed the state:%s", diff)
			}
		})
	}
}

// Users and sync records come from syncs, and go with their network.
func TestDeletedNetworkTakesItsPeopleAlong(t *testing.T) {
	s := stateOf(1,
		&Network{NetworkID: 7}, &Network{NetworkID: 8},
		&User{NetworkID: 7, ExternalID: "bob"}, &User{NetworkID: 7, ExternalID: "Alice"}, &User{NetworkID: 8, ExternalID: "alice"},
		&Sync{NetworkID: 7}, &Sync{NetworkID: 8})
	entries, _, err := Decide(s, DeleteNetwork{7}, tester, minute(1))
	want := []string{"user.delete 7/Alice", "user.delete 7/bob", "sync.delete 7", "network.delete 7"}
	if err != nil || !slices.Equal(lines(entries), want) {
		t.Errorf("want entries %q, got %q, %v", want, lines(entries), err)
	}
}

// The answer of a command is the record as it is afterwards, or of a delete as
// it was before.
func TestCommandsAnswerWithTheRecord(t *testing.T) {
	s := given(t, putNetwork(7), putNode(1, "alice"), putAssignment(7, "alice", RoleAdmin))
	check := func(command string, r Record, want string) {
		t.Helper()
		if got := line(r); got != want {
			t.Errorf("%s answers %q, want %q", command, got, want)
		}
	}
	check("PutNetwork", must(t, s, PutNetwork{Network{NetworkID: 7, Name: "acme", IdentifyBy: IdentifyByID}}, minute(1)), `7 "acme" by id @0`)
	check("PutNetwork without a change", must(t, s, PutNetwork{Network{NetworkID: 7, Name: "acme", IdentifyBy: IdentifyByID}}, minute(2)), `7 "acme" by id @0`)
	check("PutNode", must(t, s, PutNode{Node{NodeID: 1, Hostname: "box", ExternalID: "alice"}}, minute(1)), `1 box "alice" [] @0`)
	check("PutMember", must(t, s, PutMember{7, 1, NoRole}, minute(1)), "7/1 admin @1")
	check("PutMember without a change", must(t, s, PutMember{7, 1, NoRole}, minute(2)), "7/1 admin @1")
	check("PutAssignment", must(t, s, PutAssignment{Assignment{7, "Bob", RoleOwner}}, minute(1)), "7/Bob owner")
	check("DeleteAssignment", must(t, s, DeleteAssignment{7, "bob"}, minute(2)), "7/Bob owner")
	check("DeleteMember", must(t, s, DeleteMember{7, 1}, minute(2)), "7/1 admin @1")
	check("DeleteNode", must(t, s, DeleteNode{1}, minute(2)), `1 box "alice" [] @0`)
	check("DeleteNetwork", must(t, s, DeleteNetwork{7}, minute(2)), `7 "acme" by id @0`)
	check("CreateToken", must(t, s, CreateToken{Token{TokenID: "t1", Name: "ci", Role: AccessSync}}, minute(3)), "t1 ci sync [] @3")
	check("RevokeToken", must(t, s, RevokeToken{"t1"}, minute(4)), "t1 ci sync [] @3")
	if left := stateLines(s); len(left) > 0 {
		t.Errorf("left in the state: %q", left)
	}
}

func TestBatchSeesWhatItWrote(t *testing.T) {
	s := given(t)
	ops := []Op{putNetwork(7), putNode(1, "alice"), putAssignment(7, "alice", RoleAdmin), putMember(7, 1, NoRole), putMember(7, 1, NoRole), OpOf(DeleteNode{1})}
	entries, n, err := Decide(s, Batch{ops}, tester, minute(1))
	want := []string{
		`network.put 7 "corp" by id @1`, `node.put 1 host "alice" [] @1`, "assignment.put 7/alice admin",
		"assignment.delete 7/alice", "member.put 7/1 admin @1",
		"member.delete 7/1", "node.delete 1",
	}
	if err != nil || n != len(want) || !slices.Equal(lines(entries), want) {
		t.Errorf("want %d entries %q\n got %d         %q, %v", len(want), want, n, lines(entries), err)
	}
}

func TestBatchIsRefusedAsAWhole(t *testing.T) {
	s := given(t, putNetwork(7))
	entries, _, err := Decide(s, Batch{[]Op{putNode(1, ""), putMember(7, 1, RoleOwner), putMember(8, 1, RoleOwner), putMember(9, 9, RoleOwner)}}, tester, minute(1))
	op, ok := errors.AsType[*OpError](err)
	if !ok || op.Index != 2 || !errors.Is(err, ErrNetworkNotFound) {
		t.Errorf("want op 2 refused for its network, got %v", err)
	}
	if len(entries) > 0 {
		t.Errorf("a refused batch has entries %q", lines(entries))
	}
}
