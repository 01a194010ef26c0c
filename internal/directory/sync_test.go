package directory

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
)

// corp is network 7 with the mappings of the tables, and node 9, an owner that
// belongs to nobody, so that no sync of a table takes the last one.
func corp(more ...Record) []Record {
	return append([]Record{
		&Network{NetworkID: 7, Name: "corp", Enterprise: true, IdentifyBy: IdentifyByID,
			RoleMappings: []RoleMapping{{"Platform", RoleAdmin}, {"Ops", RoleOwner}, {"Interns", RoleMember}}},
		&Node{NodeID: 9, Hostname: "root"},
		&Member{NetworkID: 7, NodeID: 9, Role: RoleOwner, JoinedAt: minute(0)},
	}, more...)
}

func nodeRow(id uint32, externalID string) Record {
	return &Node{NodeID: id, Hostname: "host", ExternalID: externalID}
}

func memberRow(id uint32, role Role) Record {
	return &Member{NetworkID: 7, NodeID: id, Role: role, JoinedAt: minute(0)}
}

func assignmentRow(externalID string, role Role) Record { return &Assignment{7, externalID, role} }

func userRow(externalID string, mapped Role) Record {
	return &User{NetworkID: 7, ExternalID: externalID, Groups: []string{}, MappedRole: mapped, UpdatedAt: minute(0)}
}

// alice is a person with one member, node 1, in the role.
func alice(role Role, more ...Record) []Record {
	return corp(append([]Record{nodeRow(1, "alice"), memberRow(1, role)}, more...)...)
}

func parseRequest(t *testing.T, text string) *DirectorySyncRequest {
	t.Helper()
	r := &DirectorySyncRequest{NetworkID: 7}
	if err := json.Unmarshal([]byte(text), r); err != nil {
		t.Fatalf("request %s: %v", text, err)
	}
	return r
}

// Each case says what the directory holds, what a sync says, the actions that
// follow, and the entries about members and assignments that carry them out.
func TestSyncRules(t *testing.T) {
	none := []string{}
	tests := []struct {
		name    string
		given   []Record
		request string
		actions []string
		entries []string
		counts  string // when it matters: updated/disabled/mapped/unmapped/skipped
		items   string // when it matters: index outcome nodes from→to, …
	}{
		// Who is meant.
		{"a node is matched whatever the case of its external_id", corp(nodeRow(1, "Alice"), memberRow(1, RoleMember)),
			`{"entries":[{"external_id":"aLICE","role":"admin"}]}`,
			[]string{"role aLICE: member → admin (node 1)"}, []string{"member.put 7/1 admin @0"},
			"1/0/1/0/0", "0 updated [1] member→admin"},
		{"every node of the person is meant", corp(nodeRow(1, "alice"), nodeRow(2, "ALICE"), nodeRow(3, "alice"), memberRow(1, RoleMember), memberRow(2, RoleOwner), memberRow(3, RoleAdmin)),
			`{"entries":[{"external_id":"alice","role":"admin"}]}`,
			[]string{"role alice: member → admin (node 1)", "role alice: owner → admin (node 2)"}, []string{"member.put 7/1 admin @0", "member.put 7/2 admin @0"},
			"2/0/1/0/0", "0 updated [1 2 3] owner→admin"},
		{"a node of the person that is no member is not meant", corp(nodeRow(1, "alice")),
			`{"entries":[{"external_id":"alice","role":"admin"}]}`,
			[]string{"assign alice: admin"}, []string{"assignment.put 7/alice admin"},
			"0/0/0/1/0", ""},
		{"a member of another network is not meant", corp(&Network{NetworkID: 8}, nodeRow(1, "alice"), &Member{NetworkID: 8, NodeID: 1, Role: RoleMember}),
			`{"entries":[{"external_id":"alice","role":"admin"}],"remove_unlisted":true}`,
			[]string{"assign alice: admin"}, []string{"assignment.put 7/alice admin"},
			"0/0/0/1/1", ""},
		{"mapped and unmapped count entries before the sync, disabled ones too", corp(nodeRow(1, "alice"), nodeRow(2, "alice"), memberRow(1, RoleMember), memberRow(2, RoleMember)),
			`{"entries":[{"external_id":"alice","disabled":true},{"external_id":"bob"},{"external_id":"carol","disabled":true}]}`,
			[]string{"remove alice: disabled (node 1)", "remove alice: disabled (node 2)"}, []string{"member.delete 7/1", "member.delete 7/2"},
			"0/2/1/2/0", "0 removed [1 2] member→, 1 unmapped [] →, 2 unmapped [] →"},

		// Which role.
		{"the role of an entry outranks its groups", alice(RoleOwner),
			`{"entries":[{"external_id":"alice","role":"member","groups":["Ops"]}]}`,
			[]string{"role alice: owner → member (node 1)"}, []string{"member.put 7/1 member @0"}, "", ""},
		{"without a role the groups decide", alice(RoleMember),
			`{"entries":[{"external_id":"alice","groups":["Platform"]}]}`,
			[]string{"role alice: member → admin (node 1)"}, []string{"member.put 7/1 admin @0"}, "", ""},
		{"of several groups the highest role counts", alice(RoleMember),
			`{"entries":[{"external_id":"alice","groups":["Interns","Ops","Platform"]}]}`,
			[]string{"role alice: member → owner (node 1)"}, []string{"member.put 7/1 owner @0"}, "", ""},
		{"groups are told apart by case", alice(RoleMember),
			`{"entries":[{"external_id":"alice","groups":["platform"]}]}`,
			none, none, "0/0/1/0/0", "0 unchanged [1] member→member"},
		{"a mapping may lower a role", alice(RoleOwner),
			`{"entries":[{"external_id":"alice","groups":["Interns"]}]}`,
			[]string{"role alice: owner → member (node 1)"}, []string{"member.put 7/1 member @0"}, "", ""},
		{"a role that a member has already is no change", alice(RoleAdmin),
			`{"entries":[{"external_id":"alice","role":"admin"}]}`,
			none, none, "0/0/1/0/0", "0 unchanged [1] admin→admin"},

		// Assignments.
		{"unmapped with a role: an assignment is put", corp(),
			`{"entries":[{"external_id":"Bob","groups":["Platform"]}]}`,
			[]string{"assign Bob: admin"}, []string{"assignment.put 7/Bob admin"}, "0/0/0/1/0", ""},
		{"unmapped with another role: the assignment is changed", corp(assignmentRow("bob", RoleMember)),
			`{"entries":[{"external_id":"bob","role":"owner"}]}`,
			[]string{"assign bob: owner"}, []string{"assignment.put 7/bob owner"}, "", ""},
		{"unmapped with the role that waits: no change", corp(assignmentRow("bob", RoleMember)),
			`{"entries":[{"external_id":"bob","role":"member"}]}`,
			none, none, "0/0/0/1/0", ""},
		{"mapped with a role: an assignment left over is deleted", alice(RoleAdmin, assignmentRow("Alice", RoleOwner)),
			`{"entries":[{"external_id":"alice","role":"admin"}]}`,
			[]string{"unassign alice"}, []string{"assignment.delete 7/Alice"}, "0/0/1/0/0", "0 unassigned [1] admin→admin"},
		{"an update weighs more than the assignment left over", alice(RoleMember, assignmentRow("alice", RoleOwner)),
			`{"entries":[{"external_id":"alice","role":"admin"}]}`,
			[]string{"role alice: member → admin (node 1)", "unassign alice"}, []string{"assignment.delete 7/alice", "member.put 7/1 admin @0"}, "1/0/1/0/0", "0 updated [1] member→admin"},
		{"without a role an assignment left over stays", alice(RoleAdmin, assignmentRow("alice", RoleOwner)),
			`{"entries":[{"external_id":"alice"}]}`,
			none, none, "", "0 unchanged [1] admin→admin"},
		{"unmapped without a role: unchanged while a role waits", corp(assignmentRow("bob", RoleOwner)),
			`{"entries":[{"external_id":"bob"}]}`,
			none, none, "0/0/0/1/0", ""},
		{"unmapped without a role and without an assignment", corp(),
			`{"entries":[{"external_id":"bob"}]}`,
			none, none, "0/0/0/1/0", "0 unmapped [] →"},

		// What a mapping gave.
		{"without a role and groups a member stays as it is", alice(RoleAdmin, userRow("alice", RoleAdmin)),
			`{"entries":[{"external_id":"alice","display_name":"Alice"}]}`,
			none, none, "0/0/1/0/0", ""},
		{"groups that map to nothing take back what a mapping gave", alice(RoleAdmin, userRow("alice", RoleAdmin)),
			`{"entries":[{"external_id":"alice","groups":["Sales"]}]}`,
			[]string{"role alice: admin → member (node 1)"}, []string{"member.put 7/1 member @0"}, "1/0/1/0/0", "0 updated [1] admin→member"},
		{"no groups at all do so too", alice(RoleOwner, userRow("alice", RoleOwner)),
			`{"entries":[{"external_id":"alice","groups":[]}]}`,
			[]string{"role alice: owner → member (node 1)"}, []string{"member.put 7/1 member @0"}, "", ""},
		{"an assignment that a mapping gave is deleted", corp(assignmentRow("bob", RoleAdmin), userRow("bob", RoleAdmin)),
			`{"entries":[{"external_id":"bob","groups":[]}]}`,
			[]string{"unassign bob"}, []string{"assignment.delete 7/bob"}, "0/0/0/1/0", ""},
		{"a role that no mapping gave is not taken", alice(RoleAdmin, userRow("alice", NoRole)),
			`{"entries":[{"external_id":"alice","groups":[]}]}`,
			none, none, "0/0/1/0/0", "0 unchanged [1] admin→admin"},
		{"a role other than the one that a mapping gave is not taken", alice(RoleOwner, userRow("alice", RoleAdmin), assignmentRow("alice", RoleOwner)),
			`{"entries":[{"external_id":"alice","groups":[]}]}`,
			none, none, "", "0 unchanged [1] owner→owner"},
		{"of several nodes those fall that have the mapped role", corp(nodeRow(1, "alice"), nodeRow(2, "alice"), memberRow(1, RoleAdmin), memberRow(2, RoleOwner), userRow("alice", RoleAdmin)),
			`{"entries":[{"external_id":"alice","groups":[]}]}`,
			[]string{"role alice: admin → member (node 1)"}, []string{"member.put 7/1 member @0"}, "", "0 updated [1 2] owner→owner"},
		{"the roles of an item are the highest, whichever node has it", corp(nodeRow(1, "alice"), nodeRow(2, "alice"), memberRow(1, RoleOwner), memberRow(2, RoleAdmin), userRow("alice", RoleAdmin)),
			`{"entries":[{"external_id":"alice","groups":[]}]}`,
			[]string{"role alice: admin → member (node 2)"}, []string{"member.put 7/2 member @0"}, "", "0 updated [1 2] owner→owner"},
		{"a role that an earlier entry left on record does not act", alice(RoleMember, &User{NetworkID: 7, ExternalID: "alice", Role: RoleAdmin}),
			`{"entries":[{"external_id":"alice","display_name":"Alice"}]}`,
			none, none, "", ""},
		{"groups that an earlier entry left on record do not act", alice(RoleMember, &User{NetworkID: 7, ExternalID: "alice", Groups: []string{"Ops"}}),
			`{"entries":[{"external_id":"alice","display_name":"Alice"}]}`,
			none, none, "", ""},

		// Disabled.
		{"who is disabled leaves the network with every node", corp(nodeRow(1, "alice"), nodeRow(2, "Alice"), memberRow(1, RoleAdmin), memberRow(2, RoleOwner)),
			`{"entries":[{"external_id":"alice","disabled":true}]}`,
			[]string{"remove alice: disabled (node 1)", "remove alice: disabled (node 2)"}, []string{"member.delete 7/1", "member.delete 7/2"},
			"0/2/1/0/0", "0 removed [1 2] owner→"},
		{"who is disabled gets no role", alice(RoleMember),
			`{"entries":[{"external_id":"alice","disabled":true,"role":"admin","groups":["Ops"]}]}`,
			[]string{"remove alice: disabled (node 1)"}, []string{"member.delete 7/1"}, "0/1/1/0/0", ""},
		{"who is disabled waits for nothing", corp(assignmentRow("bob", RoleOwner)),
			`{"entries":[{"external_id":"bob","disabled":true,"role":"owner"}]}`,
			[]string{"unassign bob"}, []string{"assignment.delete 7/bob"}, "0/0/0/1/0", ""},
		{"a removal weighs more than the assignment", alice(RoleMember, assignmentRow("alice", RoleOwner)),
			`{"entries":[{"external_id":"alice","disabled":true}]}`,
			[]string{"remove alice: disabled (node 1)", "unassign alice"}, []string{"assignment.delete 7/alice", "member.delete 7/1"}, "0/1/1/0/0", "0 removed [1] member→"},

		// Unlisted.
		{"without remove_unlisted nobody else is touched", alice(RoleMember, nodeRow(2, "bob"), memberRow(2, RoleMember), assignmentRow("carol", RoleAdmin)),
			`{"entries":[{"external_id":"alice"}]}`,
			none, none, "0/0/1/0/0", ""},
		{"remove_unlisted removes members that no entry names", alice(RoleMember, nodeRow(2, "Bob"), nodeRow(3, "bob"), memberRow(2, RoleMember), memberRow(3, RoleAdmin)),
			`{"entries":[{"external_id":"ALICE"}],"remove_unlisted":true}`,
			[]string{"remove Bob: unlisted (node 2)", "remove bob: unlisted (node 3)"}, []string{"member.delete 7/2", "member.delete 7/3"},
			"0/2/1/0/1", "0 unchanged [1] member→member"},
		{"remove_unlisted deletes unlisted assignments", alice(RoleMember, assignmentRow("Bob", RoleAdmin), assignmentRow("carol", RoleAdmin)),
			`{"entries":[{"external_id":"alice"},{"external_id":"CAROL"}],"remove_unlisted":true}`,
			[]string{"unassign Bob"}, []string{"assignment.delete 7/Bob"}, "", ""},
		{"members without an external_id are never touched, and counted", alice(RoleMember, nodeRow(2, ""), memberRow(2, RoleAdmin)),
			`{"entries":[{"external_id":"alice"}],"remove_unlisted":true}`,
			none, none, "0/0/1/0/2", ""},
		{"members without an external_id are not counted otherwise", alice(RoleMember, nodeRow(2, ""), memberRow(2, RoleAdmin)),
			`{"entries":[{"external_id":"alice"}]}`,
			none, none, "0/0/1/0/0", ""},
		{"disabled and unlisted members count together", alice(RoleMember, nodeRow(2, "bob"), memberRow(2, RoleMember)),
			`{"entries":[{"external_id":"alice","disabled":true}],"remove_unlisted":true}`,
			[]string{"remove alice: disabled (node 1)", "remove bob: unlisted (node 2)"}, []string{"member.delete 7/1", "member.delete 7/2"}, "0/2/1/0/1", ""},

		// The last owner.
		{"an owner may go when another comes in the same sync", corp(&Key{Kind: KindMember, NetworkID: 7, NodeID: 9}, nodeRow(1, "alice"), memberRow(1, RoleOwner), nodeRow(2, "bob"), memberRow(2, RoleMember)),
			`{"entries":[{"external_id":"alice","disabled":true},{"external_id":"bob","role":"owner"}]}`,
			[]string{"remove alice: disabled (node 1)", "role bob: member → owner (node 2)"}, []string{"member.delete 7/1", "member.put 7/2 owner @0"}, "", ""},
		{"a network without an owner needs none", corp(&Key{Kind: KindMember, NetworkID: 7, NodeID: 9}, nodeRow(1, "alice"), memberRow(1, RoleAdmin)),
			`{"entries":[{"external_id":"alice","disabled":true}]}`,
			[]string{"remove alice: disabled (node 1)"}, []string{"member.delete 7/1"}, "", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := directoryOf(test.given)
			entries, got, err := decideSync(s, parseRequest(t, test.request))
			if err != nil {
				t.Fatalf("refused: %v", err)
			}
			if actions := slices.Sorted(slices.Values(got.Actions)); !slices.Equal(actions, test.actions) {
				t.Errorf("want actions %q\n got         %q", test.actions, actions)
			}
			var about []string
			for _, l := range slices.Sorted(slices.Values(lines(entries))) {
				if strings.HasPrefix(l, "member.") || strings.HasPrefix(l, "assignment.") {
					about = append(about, l)
				}
			}
			if !slices.Equal(about, test.entries) {
				t.Errorf("want entries %q\n got         %q", test.entries, about)
			}
			counts := fmt.Sprintf("%d/%d/%d/%d/%d", got.Updated, got.Disabled, got.Mapped, got.Unmapped, got.SkippedNoExternalID)
			if test.counts != "" && counts != test.counts {
				t.Errorf("want updated/disabled/mapped/unmapped/skipped %s, got %s", test.counts, counts)
			}
			var items []string
			for _, i := range got.Items {
				items = append(items, fmt.Sprintf("%d %s %v %v→%v", i.Index, i.Outcome, i.NodeIDs, i.RoleFrom, i.RoleTo))
			}
			if joined := strings.Join(items, ", "); test.items != "" && joined != test.items {
				t.Errorf("want items %s\n got       %s", test.items, joined)
			}
		})
	}
}

// directoryOf puts the rows, and deletes what a key among them names.
func directoryOf(rows []Record) *State {
	s := NewState()
	for _, r := range rows {
		e := putOf(1, r)
		_, e.Type.Delete = r.(*Key)
		s.Apply([]DeltaEntry{e})
	}
	return s
}
