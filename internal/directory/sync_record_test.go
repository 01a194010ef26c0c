package directory

import (
	"fmt"
	"slices"
	"testing"
)

// Each case is about what stays on record of a person.
func TestSyncRecordsPeople(t *testing.T) {
	full := &User{NetworkID: 7, ExternalID: "alice", DisplayName: "Alice", Email: "a@corp.example",
		Groups: []string{"Ops"}, Role: RoleAdmin, UpdatedAt: minute(0)}
	tests := []struct {
		name    string
		given   []Record
		request string
		want    []string
	}{
		{"a person is recorded as given", corp(),
			`{"entries":[{"external_id":"Alice","display_name":"A","email":"a@x","groups":["Sales"],"role":"admin"}]}`,
			[]string{`7/Alice "A" <a@x> [Sales] role=admin @10`}},
		{"groups are a set", corp(),
			`{"entries":[{"external_id":"alice","groups":["b","a","b"]}]}`,
			[]string{`7/alice "" <> [a b] @10`}},
		{"what an entry leaves out stays", corp(full),
			`{"entries":[{"external_id":"alice","email":"b@corp.example"}]}`,
			[]string{`7/alice "Alice" <b@corp.example> [Ops] role=admin @10`}},
		{"what an entry empties is empty", corp(full),
			`{"entries":[{"external_id":"alice","display_name":"","groups":[]}]}`,
			[]string{`7/alice "" <a@corp.example> [] role=admin @10`}},
		{"the newest spelling is kept", corp(full),
			`{"entries":[{"external_id":"ALICE"}]}`,
			[]string{`7/ALICE "Alice" <a@corp.example> [Ops] role=admin @10`}},
		{"what says nothing new writes nothing", corp(full),
			`{"entries":[{"external_id":"alice","display_name":"Alice","groups":["Ops","Ops"],"role":"admin"}]}`,
			[]string{`7/alice "Alice" <a@corp.example> [Ops] role=admin @0`}},
		{"a mapping that decides is remembered", corp(),
			`{"entries":[{"external_id":"alice","groups":["Platform","Interns"]}]}`,
			[]string{`7/alice "" <> [Interns Platform] mapped=admin @10`}},
		{"a mapping that decides otherwise is remembered instead", corp(userRow("alice", RoleAdmin)),
			`{"entries":[{"external_id":"alice","groups":["Ops"]}]}`,
			[]string{`7/alice "" <> [Ops] mapped=owner @10`}},
		{"a mapping that decides on groups already on record is remembered", corp(&User{NetworkID: 7, ExternalID: "alice", Groups: []string{"Platform"}}),
			`{"entries":[{"external_id":"alice","groups":["Platform"]}]}`,
			[]string{`7/alice "" <> [Platform] mapped=admin @10`}},
		{"a role clears it", corp(userRow("alice", RoleAdmin)),
			`{"entries":[{"external_id":"alice","role":"admin"}]}`,
			[]string{`7/alice "" <> [] role=admin @10`}},
		{"a role beside groups clears it", corp(userRow("alice", RoleAdmin)),
			`{"entries":[{"external_id":"alice","role":"admin","groups":["Platform"]}]}`,
			[]string{`7/alice "" <> [Platform] role=admin @10`}},
		{"groups that map to nothing clear it", corp(userRow("alice", RoleAdmin)),
			`{"entries":[{"external_id":"alice","groups":["Sales"]}]}`,
			[]string{`7/alice "" <> [Sales] @10`}},
		{"disabled clears it", corp(userRow("alice", RoleAdmin)),
			`{"entries":[{"external_id":"alice","groups":["Platform"],"disabled":true}]}`,
			[]string{`7/alice "" <> [Platform] disabled @10`}},
		{"an entry without role and groups keeps it", corp(userRow("alice", RoleAdmin)),
			`{"entries":[{"external_id":"alice","display_name":"A"}]}`,
			[]string{`7/alice "A" <> [] mapped=admin @10`}},
		{"an entry that is not disabled enables", corp(&User{NetworkID: 7, ExternalID: "alice", Disabled: true}),
			`{"entries":[{"external_id":"alice"}]}`,
			[]string{`7/alice "" <> [] @10`}},
		{"unlisted users are marked disabled", corp(full, userRow("bob", NoRole), userRow("carol", NoRole)),
			`{"entries":[{"external_id":"Bob"}],"remove_unlisted":true}`,
			[]string{`7/alice "Alice" <a@corp.example> [Ops] role=admin disabled @10`, `7/Bob "" <> [] @10`, `7/carol "" <> [] disabled @10`}},
		{"users that are disabled already are not written again", corp(userRow("alice", NoRole), &User{NetworkID: 7, ExternalID: "bob", Disabled: true, UpdatedAt: minute(0)}),
			`{"entries":[{"external_id":"alice"}],"remove_unlisted":true}`,
			[]string{`7/alice "" <> [] @0`, `7/bob "" <> [] disabled @0`}},
		{"without remove_unlisted they stay", corp(userRow("alice", NoRole), userRow("bob", NoRole)),
			`{"entries":[{"external_id":"alice"}]}`,
			[]string{`7/alice "" <> [] @0`, `7/bob "" <> [] @0`}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := directoryOf(test.given)
			if !runSync(t, s, parseRequest(t, test.request)) {
				t.Fatal("refused")
			}
			var got []string
			for u := range s.Users(7) {
				got = append(got, line(u))
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("want users %q\n got       %q", test.want, got)
			}
		})
	}
}

// Each case is about the sync record, and with it about whether there is a
// commit at all.
func TestSyncRecordsItself(t *testing.T) {
	last := &Sync{NetworkID: 7, At: minute(2), Actor: "token:old", SeqNo: 1, SnapshotAt: minute(1), Updated: 4}
	known := userRow("alice", NoRole)
	const lastLine = "7 updated=4 disabled=0 mapped=0 unmapped=0 seq_no=1 snapshot@1 token:old @2"
	tests := []struct {
		name    string
		given   []Record
		request string
		want    string // the record afterwards
		commit  bool
	}{
		{"a sync that changes something is recorded", alice(RoleMember),
			`{"entries":[{"external_id":"alice","role":"admin"},{"external_id":"bob"}]}`,
			"7 updated=1 disabled=0 mapped=1 unmapped=1 seq_no=2 token:test @10", true},
		{"its snapshot_at too", alice(RoleMember),
			`{"entries":[{"external_id":"alice","role":"admin"}],"snapshot_at":"2026-01-01T00:03:00Z"}`,
			"7 updated=1 disabled=0 mapped=1 unmapped=0 seq_no=2 snapshot@3 token:test @10", true},
		{"a sync without one keeps it", alice(RoleMember, last),
			`{"entries":[{"external_id":"alice","role":"admin"}]}`,
			"7 updated=1 disabled=0 mapped=1 unmapped=0 seq_no=2 snapshot@1 token:test @10", true},
		{"a role that is given for the first time is a change", alice(RoleMember, known, last),
			`{"entries":[{"external_id":"alice","role":"member"}]}`,
			"7 updated=0 disabled=0 mapped=1 unmapped=0 seq_no=2 snapshot@1 token:test @10", true},
		{"a sync that changes nothing makes no commit", alice(RoleMember, known, last),
			`{"entries":[{"external_id":"alice"}]}`,
			lastLine, false},
		{"a newer snapshot_at is remembered even if nothing else changes", alice(RoleMember, known, last),
			`{"entries":[{"external_id":"alice"}],"snapshot_at":"2026-01-01T00:03:00Z"}`,
			"7 updated=4 disabled=0 mapped=0 unmapped=0 seq_no=1 snapshot@3 token:old @2", true},
		{"the same snapshot_at is nothing new", alice(RoleMember, known, last),
			`{"entries":[{"external_id":"alice"}],"snapshot_at":"2026-01-01T00:01:00Z"}`,
			lastLine, false},
		{"a sync that changes nothing is not recorded", alice(RoleMember, known),
			`{"entries":[{"external_id":"alice"}]}`,
			"", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := directoryOf(test.given)
			entries, _, err := decideSync(s, parseRequest(t, test.request))
			if err != nil {
				t.Fatalf("refused: %v", err)
			}
			if (len(entries) > 0) != test.commit {
				t.Errorf("want a commit: %v, got entries %q", test.commit, lines(entries))
			}
			s.Apply(entries)
			got := ""
			if r := s.Sync(7); r != nil {
				got = line(r)
			}
			if got != test.want {
				t.Errorf("want the record %q, got %q", test.want, got)
			}
		})
	}
}

// TestTheSameSyncTwiceFromASenderWithoutAClock, whose pictures have the time that a
// variable has which was never set.
func TestTheSameSyncTwiceFromASenderWithoutAClock(t *testing.T) {
	s := directoryOf(alice(RoleMember))
	for _, never := range []string{"0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z"} {
		request := fmt.Sprintf(`{"entries":[{"external_id":"alice"}],"snapshot_at":%q}`, never)
		for again := range 2 {
			entries, _, err := decideSync(s, parseRequest(t, request))
			if err != nil || again == 1 && len(entries) > 0 {
				t.Errorf("%s, sync %d: %v, entries %q", never, again+1, err, lines(entries))
			}
			s.Apply(entries)
		}
	}
}
