package directory

import (
	"fmt"
	"slices"
)

// lines writes the network as networkLines does.
func (m *syncModel) lines() []string {
	var rows []Record
	for node, role := range m.members {
		rows = append(rows, &Member{NetworkID: m.network, NodeID: node, Role: role})
	}
	for _, a := range m.assignments {
		rows = append(rows, &a)
	}
	for _, u := range m.users {
		rows = append(rows, &u)
	}
	if m.last != nil {
		rows = append(rows, m.last)
	}
	return linesOf(rows)
}

// networkLines writes what a sync may change of the synced network.
func networkLines(s *State) []string {
	var rows []Record
	for _, r := range rowsOf(s) {
		if syncMayChange(r) {
			rows = append(rows, r)
		}
	}
	return linesOf(rows)
}

// foreignLines writes all other rows.
func foreignLines(s *State) []string {
	var rows []Record
	for _, r := range rowsOf(s) {
		if !syncMayChange(r) {
			rows = append(rows, r)
		}
	}
	return linesOf(rows)
}

func syncMayChange(r Record) bool { return r.network() == syncedNetwork && r.kind() != KindNetwork }

func linesOf(rows []Record) []string {
	var out []string
	for _, r := range rows {
		if m, ok := r.(*Member); ok {
			r = &Member{NetworkID: m.NetworkID, NodeID: m.NodeID, Role: m.Role, JoinedAt: minute(0)}
		}
		out = append(out, r.kind().String()+" "+line(r))
	}
	slices.Sort(out)
	return out
}

// resultsDiffer compares two results of one plan, or says nothing. Actions are
// compared as a set, warnings by their number.
func resultsDiffer(want, got DirectorySyncResult) string {
	return differ(resultLines(want), resultLines(got))
}

func resultLines(r DirectorySyncResult) []string {
	out := []string{fmt.Sprintf("updated %d, disabled %d, mapped %d, unmapped %d, skipped %d",
		r.Updated, r.Disabled, r.Mapped, r.Unmapped, r.SkippedNoExternalID)}
	for _, i := range r.Items {
		if len(i.NodeIDs) == 0 { // the roles of an item are those of its nodes
			i.RoleFrom, i.RoleTo = NoRole, NoRole
		}
		out = append(out, fmt.Sprintf("item %d %s %s %v %v→%v", i.Index, i.ExternalID, i.Outcome, i.NodeIDs, i.RoleFrom, i.RoleTo))
	}
	return append(out, slices.Sorted(slices.Values(r.Actions))...)
}
