package directory

import (
	"errors"
	"fmt"
	"slices"
	"testing"
)

// Each case is a sync that is refused, in the order in which refusals come.
func TestSyncRefusals(t *testing.T) {
	strict := Threshold{Count: 1, Percent: 50}
	last := &Sync{NetworkID: 7, SnapshotAt: minute(5)}
	onlyOwner := []Record{corp()[0], nodeRow(1, "alice"), memberRow(1, RoleOwner)}
	// Two of three identified members go: more than one, and more than half.
	three := corp(nodeRow(1, "a"), nodeRow(2, "b"), nodeRow(3, "c"), memberRow(1, RoleMember), memberRow(2, RoleMember), memberRow(3, RoleMember))
	const two = `{"external_id":"a","disabled":true},{"external_id":"b","disabled":true}`
	tests := []struct {
		name      string
		given     []Record
		request   string
		threshold Threshold
		want      error // nil when the sync is carried out
	}{
		{"no such network", nil,
			`{"entries":[{"external_id":"a"}]}`, strict, ErrNetworkNotFound},
		{"the network takes no syncs", []Record{&Network{NetworkID: 7}},
			`{"entries":[{"external_id":"a"}]}`, strict, ErrNetworkNotEnterprise},
		{"two entries of one person differ", corp(),
			`{"entries":[{"external_id":"a"},{"external_id":"A","disabled":true}]}`, strict, ErrConflictingEntries},
		{"a picture older than the last", corp(last),
			`{"entries":[{"external_id":"a"}],"snapshot_at":"2026-01-01T00:04:59.999Z"}`, strict, ErrStaleSnapshot},
		{"a picture as old as the last", corp(last),
			`{"entries":[{"external_id":"a"}],"snapshot_at":"2026-01-01T00:05:00Z"}`, strict, nil},
		{"a picture of no age", corp(last),
			`{"entries":[{"external_id":"a"}]}`, strict, nil},
		{"a picture of long ago, after one of no age", corp(&Sync{NetworkID: 7, At: minute(5)}),
			`{"entries":[{"external_id":"a"}],"snapshot_at":"0001-01-01T00:00:00Z"}`, strict, nil},
		{"a picture older than one of long ago", corp(&Sync{NetworkID: 7, SnapshotAt: -1}),
			`{"entries":[{"external_id":"a"}],"snapshot_at":"0001-01-01T00:00:00Z"}`, strict, ErrStaleSnapshot},
		{"the last owner disabled", onlyOwner,
			`{"entries":[{"external_id":"alice","disabled":true}]}`, strict, ErrLastOwner},
		{"the last owner unlisted", onlyOwner,
			`{"entries":[{"external_id":"bob"}],"remove_unlisted":true}`, strict, ErrLastOwner},
		{"the last owner given less", onlyOwner,
			`{"entries":[{"external_id":"alice","role":"admin"}]}`, strict, ErrLastOwner},
		{"the last owner by a mapping that ends", append(onlyOwner, userRow("alice", RoleOwner)),
			`{"entries":[{"external_id":"alice","groups":[]}]}`, strict, ErrLastOwner},
		{"the last owner, in a dry run", onlyOwner,
			`{"entries":[{"external_id":"alice","disabled":true}],"dry_run":true}`, strict, ErrLastOwner},
		{"removals over both limits", three,
			`{"entries":[` + two + `]}`, strict, ErrRemovalThreshold},
		{"unlisted members count as removals", three,
			`{"entries":[{"external_id":"c"}],"remove_unlisted":true}`, strict, ErrRemovalThreshold},
		{"removals over both limits, in a dry run", three,
			`{"entries":[` + two + `],"dry_run":true}`, strict, ErrRemovalThreshold},
		{"removals up to the count", three,
			`{"entries":[` + two + `]}`, Threshold{Count: 2, Percent: 50}, nil},
		{"removals up to the percentage", alice(RoleMember, nodeRow(2, "bob"), memberRow(2, RoleMember)),
			`{"entries":[{"external_id":"alice","disabled":true}]}`, Threshold{Percent: 50}, nil},
		{"removals just over the percentage", alice(RoleMember, nodeRow(2, "bob"), memberRow(2, RoleMember)),
			`{"entries":[{"external_id":"alice","disabled":true}]}`, Threshold{Percent: 49}, ErrRemovalThreshold},
		{"members without an external_id make no percentage", alice(RoleMember, nodeRow(2, ""), memberRow(2, RoleMember)),
			`{"entries":[{"external_id":"alice","disabled":true}]}`, Threshold{Percent: 50}, ErrRemovalThreshold},
		{"the threshold is off", three,
			`{"entries":[` + two + `,{"external_id":"c","disabled":true}]}`, Threshold{}, nil},
		{"another plan confirmed", corp(),
			`{"entries":[{"external_id":"a"}],"confirm_plan":"another"}`, strict, ErrPlanChanged},
		{"the threshold is judged before the plan", three,
			`{"entries":[` + two + `],"confirm_plan":"another"}`, strict, ErrRemovalThreshold},
		{"the last owner is judged before the threshold", append(onlyOwner, nodeRow(2, "b"), memberRow(2, RoleMember)),
			`{"entries":[{"external_id":"alice","disabled":true},{"external_id":"b","disabled":true}],"confirm_plan":"another"}`, strict, ErrLastOwner},
		{"the age of the picture is judged before the last owner", append(onlyOwner, last),
			`{"entries":[{"external_id":"alice","disabled":true}],"snapshot_at":"2026-01-01T00:01:00Z"}`, strict, ErrStaleSnapshot},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := directoryOf(test.given)
			c, err := syncOf(parseRequest(t, test.request))
			c.Threshold = test.threshold
			var entries []DeltaEntry
			if err == nil {
				entries, _, err = Decide(s, c, tester, minute(10))
			}
			if refusalOf(err) != test.want {
				t.Fatalf("want the refusal %v, got %v", test.want, err)
			}
			if err != nil && len(entries) > 0 {
				t.Errorf("refused, with entries %q", lines(entries))
			}
		})
	}
}

// A refused removal shows the plan; the plan's digest, sent back, lets it pass
// as long as it is still the plan.
func TestConfirmedPlan(t *testing.T) {
	s := directoryOf(corp(nodeRow(1, "a"), nodeRow(2, "b"), memberRow(1, RoleMember), memberRow(2, RoleMember)))
	c, err := syncOf(parseRequest(t, `{"entries":[{"external_id":"a","disabled":true},{"external_id":"b","disabled":true}]}`))
	if err != nil {
		t.Fatal(err)
	}
	c.Threshold = Threshold{Count: 1, Percent: 20}
	_, _, err = Decide(s, c, tester, minute(10))
	refusal, ok := errors.AsType[*PlanError](err)
	if !ok {
		t.Fatalf("want a refusal with a plan, got %v", err)
	}
	want := []string{"remove a: disabled (node 1)", "remove b: disabled (node 2)"}
	if p := refusal.Plan; !slices.Equal(p.Actions, want) || p.Removed != 2 || p.Identified != 2 || p.PlanDigest == "" {
		t.Errorf("the plan says %q, %d of %d removed, digest %q", p.Actions, p.Removed, p.Identified, p.PlanDigest)
	}

	c.Request.ConfirmPlan = refusal.Plan.PlanDigest
	later := s.Clone()
	if got := must(t, later, c, minute(99)); got.Disabled != 2 {
		t.Errorf("confirmed, %d members were removed, want 2", got.Disabled)
	}

	changed := s.Clone()
	must(t, changed, PutNode{Node{NodeID: 3, ExternalID: "A"}}, minute(11))
	must(t, changed, PutMember{7, 3, RoleMember}, minute(11))
	c.Threshold = Threshold{}
	_, _, err = Decide(changed, c, tester, minute(12))
	refusal, ok = errors.AsType[*PlanError](err)
	if !ok || !errors.Is(err, ErrPlanChanged) || len(refusal.Plan.Actions) != 3 {
		t.Errorf("after a third node joined: want %v with the new plan, got %v", ErrPlanChanged, err)
	}
}

// Plans are one when they change the same, and two when they do not.
func TestPlanDigest(t *testing.T) {
	digest := func(s *State, request string) string {
		t.Helper()
		_, result, err := decideSync(s, parseRequest(t, request))
		if err != nil {
			t.Fatalf("%s: %v", request, err)
		}
		return result.PlanDigest
	}
	s := directoryOf(alice(RoleMember))
	later := directoryOf(alice(RoleMember))
	for range 3 {
		must(t, later, PutNode{Node{NodeID: 50, Hostname: fmt.Sprint(later.SeqNo())}}, minute(20))
	}
	const request = `{"entries":[{"external_id":"alice","role":"admin"}]}`
	if a, b := digest(s, request), digest(later, request); a != b {
		t.Errorf("the same changes have the digests %s and %s in two commits", a, b)
	}
	seen := map[string]string{}
	for _, request := range []string{
		request,
		`{"entries":[{"external_id":"alice","role":"owner"}]}`,
		`{"entries":[{"external_id":"alice","disabled":true}]}`,
		`{"entries":[{"external_id":"alice"}]}`,
		`{"entries":[{"external_id":"alice","display_name":"A"}]}`,
		`{"entries":[{"external_id":"alice","email":"A"}]}`,
		`{"entries":[{"external_id":"alice","groups":["A"]}]}`,
		`{"entries":[{"external_id":"alice","groups":["A","B"]}]}`,
		`{"entries":[{"external_id":"alice","groups":["A B"]}]}`,
		`{"entries":[{"external_id":"bob","role":"admin"}]}`,
		`{"entries":[{"external_id":"bob"}],"remove_unlisted":true}`,
	} {
		d := digest(s, request)
		if other, twice := seen[d]; twice {
			t.Errorf("one digest for two plans:\n%s\n%s", request, other)
		}
		seen[d] = request
	}
}
