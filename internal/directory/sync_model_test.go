package directory

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// syncModel is a network and its directory, kept in plain maps, with the rules
// of a directory sync written down once more: slowly, one sentence at a time,
// and without a look at how the package does it.
type syncModel struct {
	network     uint16
	enterprise  bool
	mappings    []RoleMapping
	externalIDs map[uint32]string // of all nodes
	members     map[uint32]Role
	assignments map[string]Assignment // by lower-cased external id
	users       map[string]User       // by lower-cased external id
	last        *Sync
}

// modelOf reads the network out of a state.
func modelOf(s *State, network uint16) *syncModel {
	m := &syncModel{network: network, externalIDs: map[uint32]string{}, members: map[uint32]Role{},
		assignments: map[string]Assignment{}, users: map[string]User{}}
	for _, row := range rowsOf(s) {
		if row.network() != network && row.kind() != KindNode {
			continue
		}
		switch r := row.(type) {
		case *Network:
			m.enterprise, m.mappings = r.Enterprise, r.RoleMappings
		case *Node:
			m.externalIDs[r.NodeID] = r.ExternalID
		case *Member:
			m.members[r.NodeID] = r.Role
		case *Assignment:
			m.assignments[NormalizeExternalID(r.ExternalID)] = *r
		case *User:
			m.users[NormalizeExternalID(r.ExternalID)] = *r
		case *Sync:
			m.last = r
		}
	}
	return m
}

func (m *syncModel) clone() *syncModel {
	c := *m
	c.members, c.assignments, c.users = maps.Clone(m.members), maps.Clone(m.assignments), maps.Clone(m.users)
	return &c
}

// nodesOf returns the members that belong to the person, by id.
func (m *syncModel) nodesOf(normalized string) []uint32 {
	var ids []uint32
	for node := range m.members {
		if external := m.externalIDs[node]; external != "" && NormalizeExternalID(external) == normalized {
			ids = append(ids, node)
		}
	}
	slices.Sort(ids)
	return ids
}

func (m *syncModel) highest(nodes []uint32) Role {
	var role Role
	for _, node := range nodes {
		role = max(role, m.members[node])
	}
	return role
}

func (m *syncModel) owners() (n int) {
	for _, role := range m.members {
		if role == RoleOwner {
			n++
		}
	}
	return n
}

func (m *syncModel) mapped(groups []string) Role {
	var role Role
	for _, mapping := range m.mappings {
		if slices.Contains(groups, mapping.Group) {
			role = max(role, mapping.Role)
		}
	}
	return role
}

// modelSync is a sync in the words of a request.
type modelSync struct {
	request   *DirectorySyncRequest
	threshold Threshold
	confirmed bool // confirm_plan names the plan now in force
	seqNo     uint64
	now       Time
}

// run answers a sync with the network as it is afterwards, the result without
// its digest, and whether there is a commit. After a refusal the result is the
// plan.
func (m *syncModel) run(c modelSync) (*syncModel, DirectorySyncResult, bool, error) {
	var result DirectorySyncResult
	if !m.enterprise {
		return nil, result, false, ErrNetworkNotEnterprise
	}
	entries, err := collapse(c.request.Entries)
	if err != nil {
		return nil, result, false, err
	}
	var snapshotAt Time
	if c.request.SnapshotAt != nil {
		snapshotAt = *c.request.SnapshotAt
		if m.last != nil && snapshotAt < m.last.SnapshotAt {
			return nil, result, false, ErrStaleSnapshot
		}
	}

	next := m.clone()
	for _, e := range entries {
		item := next.entry(e.DirectoryEntry, &result, c.now)
		item.Index, item.ExternalID = e.index, e.ExternalID
		result.Items = append(result.Items, item)
	}
	if c.request.RemoveUnlisted {
		next.unlisted(entries, &result, c.now)
	}

	identified := 0
	for node := range m.members {
		if m.externalIDs[node] != "" {
			identified++
		}
	}
	removed := len(m.members) - len(next.members)
	tooMany := removed > c.threshold.Count && removed*100 > c.threshold.Percent*identified
	switch {
	case m.owners() > 0 && next.owners() == 0:
		return nil, result, false, ErrLastOwner
	case tooMany && c.threshold != (Threshold{}) && !c.confirmed:
		return nil, result, false, ErrRemovalThreshold
	case c.request.ConfirmPlan != "" && !c.confirmed:
		return nil, result, false, ErrPlanChanged
	}

	remembered := Time(0)
	if m.last != nil {
		remembered = m.last.SnapshotAt
	}
	changed := !maps.Equal(m.members, next.members) || !maps.Equal(m.assignments, next.assignments) ||
		!maps.EqualFunc(m.users, next.users, func(a, b User) bool { return line(&a) == line(&b) })
	newer := snapshotAt > remembered
	switch {
	case c.request.DryRun:
		return m, result, false, nil
	case changed || newer && m.last == nil:
		next.last = &Sync{NetworkID: m.network, At: c.now, Actor: tester, SeqNo: c.seqNo,
			SnapshotAt: max(snapshotAt, remembered), Updated: result.Updated, Disabled: result.Disabled,
			Mapped: result.Mapped, Unmapped: result.Unmapped}
	case newer:
		kept := *m.last
		kept.SnapshotAt = snapshotAt
		next.last = &kept
	}
	return next, result, changed || newer, nil
}

// entry carries out what one entry says.
func (m *syncModel) entry(e DirectoryEntry, result *DirectorySyncResult, now Time) DirectorySyncItem {
	id := NormalizeExternalID(e.ExternalID)
	nodes := m.nodesOf(id)
	assignment, assigned := m.assignments[id]
	item := DirectorySyncItem{Outcome: OutcomeUnchanged, NodeIDs: nodes, RoleFrom: m.highest(nodes)}
	if len(nodes) > 0 {
		result.Mapped++
	} else {
		result.Unmapped++
		if !assigned {
			item.Outcome = OutcomeUnmapped
		}
	}
	act := func(format string, args ...any) {
		result.Actions = append(result.Actions, fmt.Sprintf(format, args...))
	}
	unassign := func() {
		delete(m.assignments, id)
		act("unassign %s", e.ExternalID)
		item.Outcome = OutcomeUnassigned
	}
	setRole := func(node uint32, role Role) {
		if m.members[node] == role {
			return
		}
		act("role %s: %v → %v (node %d)", e.ExternalID, m.members[node], role, node)
		m.members[node] = role
		result.Updated++
		item.Outcome = OutcomeUpdated
	}

	user, known := m.users[id]
	before := user
	decidedByMapping := false
	role := NoRole
	if e.Role != nil {
		role, _ = ParseRole(*e.Role)
	} else if e.Groups != nil {
		role = m.mapped(*e.Groups)
		decidedByMapping = role != NoRole
	}
	groupsMapToNothing := e.Groups != nil && role == NoRole

	switch {
	case e.Disabled:
		if assigned {
			unassign()
		}
		for _, node := range nodes {
			act("remove %s: disabled (node %d)", e.ExternalID, node)
			delete(m.members, node)
			result.Disabled++
			item.Outcome = OutcomeRemoved
		}
	case role != NoRole && len(nodes) > 0:
		if assigned {
			unassign()
		}
		for _, node := range nodes {
			setRole(node, role)
		}
	case role != NoRole:
		if !assigned || assignment.Role != role {
			m.assignments[id] = Assignment{NetworkID: m.network, ExternalID: e.ExternalID, Role: role}
			act("assign %s: %v", e.ExternalID, role)
			item.Outcome = OutcomeAssigned
		}
	case groupsMapToNothing && before.MappedRole != NoRole:
		if assigned && assignment.Role == before.MappedRole {
			unassign()
		}
		for _, node := range nodes {
			if m.members[node] == before.MappedRole {
				setRole(node, RoleMember)
			}
		}
	}
	item.RoleTo = m.highest(nodes)

	user.NetworkID, user.ExternalID, user.Disabled = m.network, e.ExternalID, e.Disabled
	if e.DisplayName != nil {
		user.DisplayName = *e.DisplayName
	}
	if e.Email != nil {
		user.Email = *e.Email
	}
	if e.Groups != nil {
		user.Groups = setOf(*e.Groups)
	}
	if e.Role != nil && !e.Disabled {
		user.Role, _ = ParseRole(*e.Role)
	}
	switch {
	case e.Disabled || e.Role != nil || groupsMapToNothing:
		user.MappedRole = NoRole
	case decidedByMapping:
		user.MappedRole = role
	}
	if !known || line(&user) != line(&before) {
		user.UpdatedAt = now
	}
	m.users[id] = user
	return item
}

// unlisted takes away what no entry names.
func (m *syncModel) unlisted(entries []indexedEntry, result *DirectorySyncResult, now Time) {
	named := map[string]bool{}
	for _, e := range entries {
		named[NormalizeExternalID(e.ExternalID)] = true
	}
	for node := range m.members {
		external := m.externalIDs[node]
		switch {
		case external == "":
			result.SkippedNoExternalID++
		case !named[NormalizeExternalID(external)]:
			delete(m.members, node)
			result.Disabled++
			result.Actions = append(result.Actions, fmt.Sprintf("remove %s: unlisted (node %d)", external, node))
		}
	}
	for id, a := range m.assignments {
		if !named[id] {
			delete(m.assignments, id)
			result.Actions = append(result.Actions, "unassign "+a.ExternalID)
		}
	}
	for id, u := range m.users {
		if !named[id] && !u.Disabled {
			u.Disabled, u.MappedRole, u.UpdatedAt = true, NoRole, now
			m.users[id] = u
		}
	}
}

// indexedEntry is an entry with its place in the request.
type indexedEntry struct {
	DirectoryEntry
	index int
}

// collapse makes equal entries of one person one, the bytewise first spelling.
func collapse(entries []DirectoryEntry) ([]indexedEntry, error) {
	first := map[string]indexedEntry{}
	for i, e := range entries {
		id := NormalizeExternalID(e.ExternalID)
		old, seen := first[id]
		if seen && !sameContent(old.DirectoryEntry, e) {
			return nil, ErrConflictingEntries
		}
		if !seen || e.ExternalID < old.ExternalID {
			first[id] = indexedEntry{e, i}
		}
	}
	return slices.SortedFunc(maps.Values(first), func(a, b indexedEntry) int { return cmp.Compare(a.index, b.index) }), nil
}

func sameContent(a, b DirectoryEntry) bool {
	groups := func(e DirectoryEntry) string {
		if e.Groups == nil {
			return "none given"
		}
		return fmt.Sprintf("%q", setOf(*e.Groups))
	}
	text := func(s *string) string {
		if s == nil {
			return "none given"
		}
		return fmt.Sprintf("%q", *s)
	}
	return text(a.DisplayName) == text(b.DisplayName) && text(a.Email) == text(b.Email) &&
		text(a.Role) == text(b.Role) && a.Disabled == b.Disabled && groups(a) == groups(b)
}

func setOf[T cmp.Ordered](list []T) []T { return slices.Compact(slices.Sorted(slices.Values(list))) }
