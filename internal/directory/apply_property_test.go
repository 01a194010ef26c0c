package directory

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

// The digest depends on the rows and nothing else: not on the way to them, nor
// on the order in which they are put.
func TestDigestIsThatOfTheRows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		for _, c := range drawHistory(t, 12) {
			rows := rowsOf(c.after)
			if len(rows) > 1 {
				rows = rapid.Permutation(rows).Draw(t, "order")
			}
			if again := stateOf(1, rows...); again.Digest() != c.after.Digest() {
				t.Fatalf("after commit %d the digest is %x, of the same rows alone %x", c.commit.SeqNo, c.after.Digest(), again.Digest())
			}
		}
	})
}

// The log alone leads to the same state: reading what was written and applying
// it anew gives the same rows, indexes, digest and footprint.
func TestReplayGivesTheSameState(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		replayed := NewState()
		for _, c := range drawHistory(t, 12) {
			read, err := DecodeCommit(c.record)
			if err != nil {
				t.Fatalf("commit %d cannot be read: %v\n%s", c.commit.SeqNo, err, c.record)
			}
			if read.SeqNo != c.commit.SeqNo || !slices.EqualFunc(read.Encoded, c.commit.Encoded, slices.Equal[[]byte]) {
				t.Fatalf("commit %d is read as %d, %q", c.commit.SeqNo, read.SeqNo, read.Encoded)
			}
			footprint := replayed.Apply(read.Entries)
			if diff := differ(everythingOf(c.after), everythingOf(replayed)); diff != "" {
				t.Fatalf("after commit %d:%s", c.commit.SeqNo, diff)
			}
			if want, got := footprintLine(c.footprint), footprintLine(footprint); want != got {
				t.Fatalf("the footprint of commit %d is %s, replayed %s", c.commit.SeqNo, want, got)
			}
		}
	})
}

// Without the footprint, and without the encoded entries, it is the same.
func TestReplayWithoutFootprintGivesTheSameState(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		replayed := NewState()
		for _, c := range drawHistory(t, 12) {
			entries, err := DecodeEntries(c.record)
			if err != nil {
				t.Fatalf("commit %d cannot be read: %v\n%s", c.commit.SeqNo, err, c.record)
			}
			replayed.Replay(entries)
			if diff := differ(everythingOf(c.after), everythingOf(replayed)); diff != "" {
				t.Fatalf("after commit %d:%s", c.commit.SeqNo, diff)
			}
		}
	})
}

// A footprint names each membership once, however often and in which order the
// commit comes back to a node, and as it was before the commit.
func TestFootprintNamesEachMembershipOnce(t *testing.T) {
	s := given(t, putNetwork(7), putNetwork(8), putNode(1, "a"), putNode(2, "b"), putNode(3, "c"),
		putMember(7, 1, RoleMember), putMember(8, 1, RoleMember), putMember(8, 2, RoleMember), putMember(7, 3, RoleMember))
	entries, _, err := Decide(s, Batch{[]Op{putNode(2, "x"), putNode(1, "x"), putMember(7, 2, RoleMember), OpOf(DeleteMember{7, 1}), putNode(2, "y"), putMember(7, 1, RoleAdmin)}}, tester, minute(1))
	if err != nil {
		t.Fatal(err)
	}
	f := s.Apply(entries)
	if want := []nodeKey{keyOfNode(1, 7), keyOfNode(1, 8), keyOfNode(2, 8)}; !slices.Equal(f.before, want) {
		t.Errorf("the memberships before are %x, want %x", f.before, want)
	}
	if len(f.joins) != 2 || f.joins[0].node.NodeID != 2 || f.joins[0].node.ExternalID != "x" || f.joins[1].node.NodeID != 1 {
		t.Errorf("the joins are %s", footprintLine(f))
	}
}

// The memory of a footprint grows with what it notes, and nothing takes none.
func TestFootprintSize(t *testing.T) {
	s := given(t, putNetwork(7), putNetwork(8), putNode(1, "a"), putNode(2, "b"))
	apply := func(ops ...Op) int {
		t.Helper()
		entries, _, err := Decide(s, Batch{ops}, tester, minute(1))
		if err != nil {
			t.Fatal(err)
		}
		return s.Apply(entries).Bytes()
	}
	if n := apply(putNetwork(9)); n != 0 {
		t.Errorf("a commit about no node takes %d bytes", n)
	}
	if n := apply(putMember(7, 1, RoleMember)); n < 16 {
		t.Errorf("a join takes %d bytes", n)
	}
	if n := apply(putMember(8, 1, RoleMember)); n < 16+8 {
		t.Errorf("a second join takes %d bytes", n)
	}
	if n := apply(OpOf(DeleteNode{1})); n < 2*8 {
		t.Errorf("the end of a node in two networks takes %d bytes", n)
	}
}

// Each commit has the number after the last, and its entries carry it.
func TestCommitsHaveNoHoles(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		for i, c := range drawHistory(t, 12) {
			if c.commit.SeqNo != uint64(i+1) || c.after.SeqNo() != c.commit.SeqNo {
				t.Fatalf("commit %d has the number %d, its state %d", i+1, c.commit.SeqNo, c.after.SeqNo())
			}
		}
	})
}

// An entry says something new: there is no put of a row as it is, and no delete
// of one that is not there.
func TestWhatChangesNothingMakesNoEntry(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		for _, c := range drawHistory(t, 12) {
			s := c.before.Clone()
			for _, e := range c.commit.Entries {
				digest := s.Digest()
				s.Apply([]DeltaEntry{e})
				if s.Digest() == digest {
					t.Fatalf("%s changes nothing in %q", lines([]DeltaEntry{e}), lines(c.commit.Entries))
				}
			}
		}
	})
}

// Indexes and counts are what a count of the rows gives.
func TestIndexesEqualARecount(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		for _, c := range drawHistory(t, 12) {
			if diff := differ(recount(c.after), indexesOf(c.after)); diff != "" {
				t.Fatalf("after commit %d, %q:%s", c.commit.SeqNo, lines(c.commit.Entries), diff)
			}
		}
	})
}

// No row is left behind whose network or node is gone.
func TestNoRowDangles(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		for _, c := range drawHistory(t, 12) {
			// A view yields members by way of their networks, so the indexes
			// are asked too.
			for network := range uint16(5) {
				if n := c.after.Counts(network); c.after.Network(network) == nil && n != (Counts{}) {
					t.Fatalf("network %d is gone and counts %+v", network, n)
				}
				for m := range c.after.Members(network, 0) {
					if c.after.Network(network) == nil || c.after.Node(m.NodeID) == nil {
						t.Fatalf("member %s dangles", line(m))
					}
				}
				for u := range c.after.Users(network) {
					if c.after.Network(network) == nil {
						t.Fatalf("user %s dangles", line(u))
					}
				}
				for a := range c.after.Assignments(network) {
					if c.after.Network(network) == nil {
						t.Fatalf("assignment %s dangles", line(a))
					}
				}
				if c.after.Sync(network) != nil && c.after.Network(network) == nil {
					t.Fatalf("the sync record of network %d dangles", network)
				}
			}
		}
	})
}

// A state that was cloned shows for ever what it showed then.
func TestClonesAreIsolated(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		// Two branches grow out of every state of a history.
		history := drawHistory(t, 8)
		shown := make([][]string, len(history))
		for i, c := range history {
			shown[i] = everythingOf(c.after)
		}
		for i, c := range history {
			branch := c.after.Clone()
			for step := range 3 {
				branch.Apply(drawBatch(t, branch, minute(100+step)))
			}
			if diff := differ(shown[i], everythingOf(c.after)); diff != "" {
				t.Fatalf("the state of commit %d changed with a clone of it:%s", c.commit.SeqNo, diff)
			}
		}
		for i, c := range history {
			if diff := differ(shown[i], everythingOf(c.after)); diff != "" {
				t.Fatalf("the state of commit %d changed later:%s", c.commit.SeqNo, diff)
			}
		}
	})
}

// Readers of a frozen state and a writer to a clone of it share no memory that
// either writes; the race detector is the judge.
func TestFrozenStateIsReadWhileClonesChange(t *testing.T) {
	defer goleak.VerifyNone(t)
	s := given(t, putNetwork(7))
	for id := range uint32(300) {
		must(t, s, Batch{[]Op{putNode(id+1, fmt.Sprint("p", id%50)), putMember(7, id+1, RoleAdmin), putAssignment(7, fmt.Sprint("q", id), RoleOwner)}}, minute(1))
	}
	frozen := s
	writer := frozen.Clone()
	want := everythingOf(frozen)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for range 3 {
				if diff := differ(want, everythingOf(frozen)); diff != "" {
					t.Errorf("the frozen state changed:%s", diff)
				}
			}
		})
	}
	for id := range uint32(300) {
		must(t, writer, Batch{[]Op{OpOf(DeleteNode{id + 1}), putNode(id+1000, "p1"), putMember(7, id+1000, RoleOwner)}}, minute(2))
		writer = writer.Clone()
	}
	wg.Wait()
}

// everythingOf writes all that a state shows: rows, indexes, digest, number.
func everythingOf(s *State) []string {
	out := stateLines(s)
	out = append(out, indexesOf(s)...)
	return append(out, fmt.Sprintf("seq_no %d, digest %x", s.SeqNo(), s.Digest()))
}

// indexesOf writes what the state answers from its indexes.
func indexesOf(s *State) []string {
	var out []string
	for network := range uint16(10) {
		if c := s.Counts(network); c != (Counts{}) {
			out = append(out, fmt.Sprintf("counts of %d: %+v", network, c))
		}
	}
	for n := range s.Nodes(0) {
		if in := slices.Collect(s.NetworksOf(n.NodeID)); len(in) > 0 {
			out = append(out, fmt.Sprintf("node %d is in %v", n.NodeID, in))
		}
	}
	for _, person := range setOf(somePeople) {
		var ids []uint32
		for n := range s.NodesByExternalID(person) {
			ids = append(ids, n.NodeID)
		}
		if len(ids) > 0 {
			out = append(out, fmt.Sprintf("nodes of %s: %v", person, ids))
		}
	}
	return out
}

// recount writes the same from the rows alone.
func recount(s *State) []string {
	nodes := map[uint32]*Node{}
	counts, in, of := map[uint16]Counts{}, map[uint32][]uint16{}, map[string][]uint32{}
	for _, row := range rowsOf(s) { // nodes come before members, both sorted
		switch r := row.(type) {
		case *Node:
			nodes[r.NodeID] = r
			of[NormalizeExternalID(r.ExternalID)] = append(of[NormalizeExternalID(r.ExternalID)], r.NodeID)
		case *Member:
			c := counts[r.NetworkID]
			c.Members++
			if nodes[r.NodeID].ExternalID != "" {
				c.Identified++
			}
			if r.Role == RoleOwner {
				c.Owners++
			}
			counts[r.NetworkID] = c
			in[r.NodeID] = append(in[r.NodeID], r.NetworkID)
		}
	}
	var out []string
	for network := range uint16(10) {
		if c := counts[network]; c != (Counts{}) {
			out = append(out, fmt.Sprintf("counts of %d: %+v", network, c))
		}
	}
	for n := range s.Nodes(0) {
		if len(in[n.NodeID]) > 0 {
			out = append(out, fmt.Sprintf("node %d is in %v", n.NodeID, in[n.NodeID]))
		}
	}
	for _, person := range setOf(somePeople) {
		if ids := of[NormalizeExternalID(person)]; len(ids) > 0 {
			out = append(out, fmt.Sprintf("nodes of %s: %v", person, ids))
		}
	}
	return out
}

func footprintLine(f Footprint) string {
	out := fmt.Sprint(f.before)
	for _, j := range f.joins {
		out += fmt.Sprintf(" %d: %s", j.entry, line(j.node))
	}
	return out
}
