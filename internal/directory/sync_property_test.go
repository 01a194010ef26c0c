package directory

import (
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// A chain of syncs on a random directory does what the model of the rules says:
// the same rows, the same result, the same refusals.
func TestSyncDoesWhatTheModelSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawDirectory(t)
		model := modelOf(s, syncedNetwork)
		others := foreignLines(s)
		for step := range rapid.IntRange(1, 6).Draw(t, "syncs") {
			contradictions := rapid.IntRange(0, 5).Draw(t, "contradictions") == 0
			c := modelSync{request: drawRequest(t, contradictions), seqNo: s.SeqNo() + 1, now: minute(10 + step)}
			if rapid.Bool().Draw(t, "threshold on") {
				c.threshold = Threshold{Count: rapid.IntRange(0, 2).Draw(t, "count"), Percent: rapid.IntRange(0, 60).Draw(t, "percent")}
			}
			command, err := syncOf(c.request)
			command.Threshold = c.threshold
			if err == nil {
				c.confirmed = confirm(t, s, command, c.now)
			}
			next, want, changed, refusal := model.run(c)

			var entries []DeltaEntry
			var got DirectorySyncResult
			if err == nil {
				entries, got, err = Decide(s, command, tester, c.now)
			}
			if refusalOf(err) != refusal {
				t.Fatalf("want the refusal %v, got %v", refusal, err)
			}
			if err != nil {
				continue
			}
			if diff := resultsDiffer(want, got); diff != "" {
				t.Fatalf("result:%s", diff)
			}
			if changed != (len(entries) > 0) {
				t.Fatalf("want a commit: %v, got entries %q", changed, lines(entries))
			}
			s, model = s.Clone(), next
			s.Apply(entries)
			if diff := differ(model.lines(), networkLines(s)); diff != "" {
				t.Fatalf("rows after the sync:%s", diff)
			}
			if diff := differ(others, foreignLines(s)); diff != "" {
				t.Fatalf("rows of no concern to the sync:%s", diff)
			}
		}
	})
}

// The order in which entries stand in a request decides nothing.
func TestOrderOfEntriesDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, r := drawDirectory(t), drawRequest(t, true)
		shuffled := *r
		shuffled.Entries = rapid.Permutation(r.Entries).Draw(t, "another order")
		entries, result, err := decideSync(s, r)
		entries2, result2, err2 := decideSync(s, &shuffled)
		if refusalOf(err) != refusalOf(err2) {
			t.Fatalf("refused with %v, in another order with %v", err, err2)
		}
		if diff := differ(lines(entries), lines(entries2)); diff != "" {
			t.Errorf("entries:%s", diff)
		}
		if diff := differ(result.Actions, result2.Actions); diff != "" {
			t.Errorf("actions:%s", diff)
		}
		if result.PlanDigest != result2.PlanDigest {
			t.Errorf("plan %s, in another order %s", result.PlanDigest, result2.PlanDigest)
		}
		if !slices.Equal(result.Warnings, result2.Warnings) {
			t.Errorf("warnings %q, in another order %q", result.Warnings, result2.Warnings)
		}
	})
}

// The same sync again, later, makes no commit.
func TestSecondRunOfASyncChangesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, r := drawDirectory(t), drawRequest(t, false)
		if !runSync(t, s, r) {
			return
		}
		entries, result, err := decideSync(s, r)
		if err != nil || len(entries) > 0 || len(result.Actions) > 0 {
			t.Fatalf("the second run: %v, actions %q, entries %q", err, result.Actions, lines(entries))
		}
	})
}

// A network that has an owner keeps one, whatever syncs come.
func TestOwnersNeverVanishThroughASync(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawDirectory(t)
		owned := s.Counts(syncedNetwork).Owners > 0
		for range rapid.IntRange(1, 5).Draw(t, "syncs") {
			runSync(t, s, drawRequest(t, false))
			owners := modelOf(s, syncedNetwork).owners()
			if owned && owners == 0 {
				t.Fatalf("no owner left:\n%q", networkLines(s))
			}
			owned = owners > 0
		}
	})
}

// A role that a mapping gave lasts as long as the group and no longer: who left
// the last mapped group is a plain member, and nothing waits any more.
func TestWhatAMappingGaveIsTakenBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawDirectory(t)
		must(t, s, PutMember{syncedNetwork, keeperOf(t, s), RoleOwner}, minute(1)) // so that no last owner is in the way
		person := drawPerson(t)
		with := rapid.SampledFrom([]string{"Platform", "Ops", "Interns"}).Draw(t, "group")
		without := rapid.SampledFrom([][]string{{}, {"Sales"}}).Draw(t, "left with")
		sync := func(groups []string) {
			r := &DirectorySyncRequest{NetworkID: syncedNetwork, Entries: []DirectoryEntry{{ExternalID: person, Groups: &groups}}}
			if !runSync(t, s, r) {
				t.Fatalf("the sync of %s to %q was refused", person, groups)
			}
		}
		sync([]string{with, "Sales"})
		given := s.Network(syncedNetwork).rolesByGroup()[with]
		nodes := modelOf(s, syncedNetwork).nodesOf(NormalizeExternalID(person))
		for _, node := range nodes {
			if role := s.Member(syncedNetwork, node).Role; role != given {
				t.Fatalf("node %d of %s in %s is %v, want %v", node, person, with, role, given)
			}
		}
		if a := s.Assignment(syncedNetwork, person); len(nodes) == 0 && (a == nil || a.Role != given) {
			t.Fatalf("%s in %s waits for %v, want %v", person, with, a, given)
		}
		sync(without)
		for _, node := range nodes {
			if role := s.Member(syncedNetwork, node).Role; role != RoleMember {
				t.Fatalf("node %d of %s without a group is %v, want member", node, person, role)
			}
		}
		if a := s.Assignment(syncedNetwork, person); a != nil {
			t.Fatalf("%s without a group still waits for %v", person, a.Role)
		}
		if u := s.User(syncedNetwork, person); u.MappedRole != NoRole {
			t.Fatalf("%s still has the mapped role %v", person, u.MappedRole)
		}
	})
}

// A dry run answers or refuses as the real one does.
func TestDryRunAnswersAsTheRealOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, r := drawDirectory(t), drawRequest(t, false)
		dry := *r
		dry.DryRun = true
		_, want, refusal := decideSync(s, r)
		_, got, err := decideSync(s, &dry)
		if refusalOf(err) != refusalOf(refusal) {
			t.Fatalf("refused with %v, the dry run with %v", refusal, err)
		}
		if err != nil {
			return
		}
		if !got.DryRun || want.DryRun {
			t.Errorf("dry_run is %v in the answer to a dry run and %v in the other", got.DryRun, want.DryRun)
		}
		if diff := resultsDiffer(want, got); diff != "" {
			t.Errorf("answers:%s", diff)
		}
		if want.PlanDigest != got.PlanDigest {
			t.Errorf("plan %s, in the dry run %s", want.PlanDigest, got.PlanDigest)
		}
	})
}

// A dry run changes nothing: it has no entry to carry out.
func TestDryRunMakesNoEntry(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, r := drawDirectory(t), drawRequest(t, false)
		r.DryRun = true
		if entries, _, _ := decideSync(s, r); len(entries) > 0 {
			t.Fatalf("the dry run has the entries %q", lines(entries))
		}
	})
}

// confirm draws whether the command names the plan now in force, another one,
// or none, and reports whether it is the one in force.
func confirm(t *rapid.T, s *State, c SyncDirectory, now Time) bool {
	switch rapid.SampledFrom([]string{"none", "none", "this", "another"}).Draw(t, "confirm_plan") {
	case "this":
		c.Threshold = Threshold{}
		_, plan, _ := Decide(s, c, tester, now)
		c.Request.ConfirmPlan = plan.PlanDigest
		return plan.PlanDigest != ""
	case "another":
		c.Request.ConfirmPlan = "another"
	}
	return false
}

// refusalOf returns the sentinel behind a refusal of a sync, or nil for none.
func refusalOf(err error) error {
	for _, sentinel := range []error{ErrNetworkNotFound, ErrNetworkNotEnterprise, ErrConflictingEntries, ErrStaleSnapshot,
		ErrLastOwner, ErrRemovalThreshold, ErrPlanChanged} {
		if errors.Is(err, sentinel) {
			return sentinel
		}
	}
	return err
}

func decideSync(s *State, r *DirectorySyncRequest) ([]DeltaEntry, DirectorySyncResult, error) {
	c, err := syncOf(r)
	if err != nil {
		return nil, DirectorySyncResult{}, err
	}
	return Decide(s, c, tester, minute(10))
}

// runSync carries a sync out, unless it is refused.
func runSync(t rapid.TB, s *State, r *DirectorySyncRequest) bool {
	t.Helper()
	entries, _, err := decideSync(s, r)
	if err != nil {
		return false
	}
	s.Apply(entries)
	return true
}

// keeperOf returns a node that belongs to nobody, in no network yet.
func keeperOf(t rapid.TB, s *State) uint32 {
	t.Helper()
	const id = 1000
	must(t, s, PutNode{Node{NodeID: id, Hostname: "keeper", Tags: []string{}}}, minute(1))
	return id
}
