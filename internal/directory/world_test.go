package directory

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"
)

const tester = "token:test"

// minute is the time n minutes into the tests.
func minute(n int) Time {
	return TimeOf(time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(n) * time.Minute))
}

// given returns the state in which the ops have been carried out at minute 0,
// all in one commit.
func given(t rapid.TB, ops ...Op) *State {
	t.Helper()
	s := NewState()
	if len(ops) > 0 {
		must(t, s, Batch{ops}, minute(0))
	}
	return s
}

// must has a command decided and its entries applied to s.
func must[R any](t rapid.TB, s *State, c Command[R], now Time) R {
	t.Helper()
	entries, answer, err := Decide(s, c, tester, now)
	if err != nil {
		t.Fatalf("%T was refused: %v", c, err)
	}
	s.Apply(entries)
	return answer
}

// stateOf returns a state that holds exactly the rows, put in their order.
func stateOf(seqNo uint64, rows ...Record) *State {
	s := NewState()
	for _, r := range rows {
		s.Apply([]DeltaEntry{putOf(seqNo, r)})
	}
	return s
}

func putOf(seqNo uint64, r Record) DeltaEntry {
	return DeltaEntry{SeqNo: seqNo, Type: EntryType{Kind: r.kind()}, NetworkID: r.network(), NodeID: r.node(),
		At: minute(0), Actor: tester, Data: r}
}

// rowsOf returns every row of the state, in the order of a snapshot.
func rowsOf(s *State) []Record {
	var rows []Record
	for _, r := range NewView(AccessReplica).Rows(s) {
		rows = append(rows, r)
	}
	return rows
}

// lines writes each entry as one line: its type, the key, and of a put the
// rest of the record, with times as minutes after an @.
func lines(entries []DeltaEntry) []string {
	out := make([]string, 0, len(entries))
	for _, e := range entries {
		out = append(out, e.Type.String()+" "+line(e.Data))
	}
	return out
}

func line(r Record) string {
	var b strings.Builder
	switch r := r.(type) {
	case *Key:
		return keyLine(r)
	case *Network:
		fmt.Fprintf(&b, "%d %q by %s", r.NetworkID, r.Name, r.IdentifyBy)
		words(&b, r.Enterprise, "enterprise")
		for _, m := range r.RoleMappings {
			fmt.Fprintf(&b, " %s=%v", m.Group, m.Role)
		}
		fmt.Fprintf(&b, " @%d", minutes(r.CreatedAt))
	case *Node:
		fmt.Fprintf(&b, "%d %s %q %v @%d", r.NodeID, r.Hostname, r.ExternalID, r.Tags, minutes(r.CreatedAt))
	case *Member:
		fmt.Fprintf(&b, "%d/%d %v @%d", r.NetworkID, r.NodeID, r.Role, minutes(r.JoinedAt))
	case *Assignment:
		fmt.Fprintf(&b, "%d/%s %v", r.NetworkID, r.ExternalID, r.Role)
	case *User:
		fmt.Fprintf(&b, "%d/%s %q <%s> %v", r.NetworkID, r.ExternalID, r.DisplayName, r.Email, r.Groups)
		words(&b, r.Role != NoRole, "role="+r.Role.String())
		words(&b, r.MappedRole != NoRole, "mapped="+r.MappedRole.String())
		words(&b, r.Disabled, "disabled")
		fmt.Fprintf(&b, " @%d", minutes(r.UpdatedAt))
	case *Sync:
		fmt.Fprintf(&b, "%d updated=%d disabled=%d mapped=%d unmapped=%d seq_no=%d", r.NetworkID, r.Updated,
			r.Disabled, r.Mapped, r.Unmapped, r.SeqNo)
		words(&b, r.SnapshotAt != 0, fmt.Sprintf("snapshot@%d", minutes(r.SnapshotAt)))
		fmt.Fprintf(&b, " %s @%d", r.Actor, minutes(r.At))
	case *Token:
		fmt.Fprintf(&b, "%s %s %s %v @%d", r.TokenID, r.Name, r.Role, r.Networks, minutes(r.CreatedAt))
	case *Receipt:
		fmt.Fprintf(&b, "%s %s %s seq_no=%d @%d", r.ReceiptID, r.BodyHash, r.Answer, r.SeqNo, minutes(r.At))
	default:
		panic(fmt.Sprintf("no line for %T", r))
	}
	return b.String()
}

func words(b *strings.Builder, when bool, s string) {
	if when {
		b.WriteString(" " + s)
	}
}

func minutes(t Time) int { return int(t.Std().Sub(minute(0).Std()) / time.Minute) }

func keyLine(k *Key) string {
	switch k.Kind {
	case KindNetwork, KindSync:
		return fmt.Sprint(k.NetworkID)
	case KindNode:
		return fmt.Sprint(k.NodeID)
	case KindMember:
		return fmt.Sprintf("%d/%d", k.NetworkID, k.NodeID)
	case KindToken:
		return k.TokenID
	case KindReceipt:
		return k.ReceiptID
	default:
		return fmt.Sprintf("%d/%s", k.NetworkID, k.ExternalID)
	}
}

// stateLines writes each row of the state as a line, sorted.
func stateLines(s *State) []string {
	var out []string
	for _, r := range rowsOf(s) {
		out = append(out, r.kind().String()+" "+line(r))
	}
	slices.Sort(out)
	return out
}

// differ says in which lines two sorted lists differ, or nothing.
func differ(want, got []string) string {
	var b strings.Builder
	for _, w := range want {
		if !slices.Contains(got, w) {
			b.WriteString("\n  missing: " + w)
		}
	}
	for _, g := range got {
		if !slices.Contains(want, g) {
			b.WriteString("\n  not wanted: " + g)
		}
	}
	if b.Len() == 0 && !slices.Equal(want, got) {
		fmt.Fprintf(&b, "\n  want %q\n  got  %q", want, got)
	}
	return b.String()
}
