package directory

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"slices"
)

// Threshold is how many members one sync may remove without a confirmation. A
// sync that exceeds both is refused; 0 and 0 turn it off.
type Threshold struct {
	Count   int
	Percent int // of the members with an external id
}

// SyncDirectory brings a network in line with what its directory says. The
// request is validated and People are its entries, parsed.
type SyncDirectory struct {
	Request   *DirectorySyncRequest
	People    []Person
	Warnings  []string
	Threshold Threshold
}

// decide plans the sync. People have one row each and touch each member at
// most once, so it never reads what it wrote and needs no clone of the state.
func (c SyncDirectory) decide(d *draft) (DirectorySyncResult, error) {
	s, req := d.state(), c.Request
	network, err := networkOf(s, req.NetworkID)
	if err != nil {
		return DirectorySyncResult{}, err
	}
	if !network.Enterprise {
		return DirectorySyncResult{}, fmt.Errorf("%w: network %d", ErrNetworkNotEnterprise, network.NetworkID)
	}
	last := s.Sync(network.NetworkID)
	if last != nil && last.SnapshotAt != 0 && req.SnapshotAt != nil && *req.SnapshotAt < last.SnapshotAt {
		return DirectorySyncResult{}, fmt.Errorf("%w: %v, that was %v", ErrStaleSnapshot, *req.SnapshotAt, last.SnapshotAt)
	}
	p := planner{draft: d, state: s, network: network, roles: network.rolesByGroup(), digest: sha256.New(), nodeIDs: []uint32{}, hasher: codec{direction: hashing},
		result: DirectorySyncResult{Actions: []string{}, Items: []DirectorySyncItem{}, Warnings: c.Warnings, DryRun: req.DryRun}}
	if p.result.Warnings == nil {
		p.result.Warnings = []string{}
	}
	p.users.start(s.users.rows, person[*User].less)
	p.assignments.start(s.assignments.rows, person[*Assignment].less)
	p.nodes.start(s.nodesByID, owner.less)
	p.people(c.People)
	if req.RemoveUnlisted {
		p.removeUnlisted(c.People)
	}
	p.result.PlanDigest = hex.EncodeToString(p.digest.Sum(nil)[:16])

	counts := s.Counts(network.NetworkID)
	p.result.Removed, p.result.Identified = p.result.Disabled, counts.Identified
	if counts.Owners > 0 && counts.Owners+p.owners == 0 {
		return p.result, fmt.Errorf("%w: network %d", ErrLastOwner, network.NetworkID)
	}
	if c.Threshold.exceeded(p.result.Removed, counts.Identified) && req.ConfirmPlan != p.result.PlanDigest {
		return p.result, &PlanError{Plan: p.result, Err: fmt.Errorf("%w: %d of %d, allowed are %d or %d percent", ErrRemovalThreshold,
			p.result.Removed, counts.Identified, c.Threshold.Count, c.Threshold.Percent)}
	}
	if req.ConfirmPlan != "" && req.ConfirmPlan != p.result.PlanDigest {
		return p.result, &PlanError{Plan: p.result, Err: ErrPlanChanged}
	}
	if req.DryRun {
		d.entries = nil
		return p.result, nil
	}
	p.record(last, req.SnapshotAt)
	return p.result, nil
}

func (t Threshold) exceeded(removed, identified int) bool {
	return t != Threshold{} && removed > t.Count && removed*100 > t.Percent*identified
}

// planner gathers the changes of one directory sync.
type planner struct {
	*draft
	state   *State
	network *Network
	roles   map[string]Role // what the mappings give to a group
	digest  hash.Hash       // of the changes, without times and numbers
	result  DirectorySyncResult
	owners  int // owners gained, less owners lost

	// People come in the order in which the state has them too, so each is
	// found close behind the one before.
	users       cursor[person[*User]]
	assignments cursor[person[*Assignment]]
	nodes       cursor[owner]

	members []Member // of the person being planned
	nodeIDs []uint32 // those of all items, one behind the other
	buf     []byte   // of the action being worded
	hasher  codec    // of users, for the digest
	size    [binary.MaxVarintLen64]byte
}

// people plans what all entries ask for, and puts the items in the order of the
// request. Entries that said the same as another have none.
func (p *planner) people(people []Person) {
	entries := 0
	for i := range people {
		entries = max(entries, people[i].Index+1)
	}
	items := make([]DirectorySyncItem, entries)
	for i := range people {
		p.entries = roomFor(p.entries, i, len(people))
		p.result.Actions = roomFor(p.result.Actions, i, len(people))
		p.nodeIDs = roomFor(p.nodeIDs, i, len(people))
		items[people[i].Index] = p.person(&people[i])
	}
	p.result.Items = slices.DeleteFunc(items, func(i DirectorySyncItem) bool { return i.Outcome == "" })
}

// person plans what one entry asks for.
func (p *planner) person(e *Person) DirectorySyncItem {
	id := p.network.NetworkID
	user := rowOf(&p.users, id, e.Normalized)
	waiting := rowOf(&p.assignments, id, e.Normalized)
	members := p.membersOf(e.Normalized)
	item := DirectorySyncItem{Index: e.Index, ExternalID: e.ExternalID}
	before := len(p.nodeIDs)
	for _, m := range members {
		p.nodeIDs = append(p.nodeIDs, m.NodeID)
		item.RoleFrom = max(item.RoleFrom, m.Role)
	}
	item.NodeIDs = slices.Clip(p.nodeIDs[before:])
	if len(members) > 0 {
		p.result.Mapped++
	} else {
		p.result.Unmapped++
		if waiting != nil {
			item.RoleFrom = waiting.Role
		}
	}

	role, mapped := e.role(), NoRole
	if role == NoRole && e.Groups != nil {
		mapped = p.roleOf(*e.Groups)
		role = mapped
	}
	switch {
	case e.Disabled:
		item.Outcome = p.disable(e.ExternalID, members, waiting)
		mapped = NoRole
	case role != NoRole:
		item.Outcome, item.RoleTo = p.grant(e.ExternalID, role, members, waiting), role
	case e.Groups != nil && user != nil && user.MappedRole != NoRole:
		item.Outcome, item.RoleTo = p.takeBack(e.ExternalID, user.MappedRole, members, waiting)
	default:
		item.Outcome, item.RoleTo = idle(members, waiting), item.RoleFrom
		if user != nil && e.Groups == nil {
			mapped = user.MappedRole
		}
	}
	p.remember(user, e, mapped)
	return item
}

// roleOf returns the highest role that the mappings give to any of groups.
func (p *planner) roleOf(groups []string) (role Role) {
	for _, g := range groups {
		role = max(role, p.roles[g])
	}
	return role
}

// disable takes the person out of the network.
func (p *planner) disable(id string, members []Member, waiting *Assignment) Outcome {
	outcome := idle(members, nil)
	if waiting != nil {
		p.unassign(id, waiting)
		outcome = OutcomeUnassigned
	}
	for _, m := range members {
		p.remove(id, "disabled", m)
		outcome = OutcomeRemoved
	}
	return outcome
}

// grant gives the role to every node of the person, or lets it wait for one.
func (p *planner) grant(id string, role Role, members []Member, waiting *Assignment) Outcome {
	if len(members) == 0 {
		if waiting != nil && waiting.Role == role {
			return OutcomeUnchanged
		}
		p.assign(id, role)
		return OutcomeAssigned
	}
	outcome := OutcomeUnchanged
	if waiting != nil {
		p.unassign(id, waiting)
		outcome = OutcomeUnassigned
	}
	for _, m := range members {
		if m.Role != role {
			p.setRole(id, m, role)
			outcome = OutcomeUpdated
		}
	}
	return outcome
}

// takeBack undoes what a mapping gave, where it is still in force.
func (p *planner) takeBack(id string, given Role, members []Member, waiting *Assignment) (Outcome, Role) {
	outcome, left := idle(members, waiting), NoRole
	if waiting != nil && waiting.Role == given {
		p.unassign(id, waiting)
		outcome = OutcomeUnassigned
	} else if waiting != nil && len(members) == 0 {
		left = waiting.Role
	}
	for _, m := range members {
		role := m.Role
		if role == given && role != RoleMember {
			role = RoleMember
			p.setRole(id, m, role)
			outcome = OutcomeUpdated
		}
		left = max(left, role)
	}
	return outcome, left
}

func idle(members []Member, waiting *Assignment) Outcome {
	if len(members) == 0 && waiting == nil {
		return OutcomeUnmapped
	}
	return OutcomeUnchanged
}

// removeUnlisted plans the end of everybody whom people, sorted by normalized
// id, does not name. Members without an external id are never touched.
func (p *planner) removeUnlisted(people []Person) {
	id := p.network.NetworkID
	named := make(map[string]struct{}, len(people))
	for i := range people {
		named[people[i].Normalized] = struct{}{}
	}
	listed := func(externalID string) bool {
		_, found := named[NormalizeExternalID(externalID)]
		return found
	}
	type goner struct {
		normalized, externalID string
		member                 Member
	}
	var goners []goner
	for m := range p.state.Members(id, 0) {
		externalID := p.state.Node(m.NodeID).ExternalID
		switch {
		case externalID == "":
			p.result.SkippedNoExternalID++
		case !listed(externalID):
			goners = append(goners, goner{NormalizeExternalID(externalID), externalID, *m})
		}
	}
	slices.SortStableFunc(goners, func(a, b goner) int { return cmp.Compare(a.normalized, b.normalized) })
	for _, g := range goners {
		p.remove(g.externalID, "unlisted", g.member)
	}
	for a := range p.state.Assignments(id) {
		if !listed(a.ExternalID) {
			p.unassign(a.ExternalID, a)
		}
	}
	for u := range p.state.Users(id) {
		if !u.Disabled && !listed(u.ExternalID) {
			next := *u
			next.Disabled, next.MappedRole = true, NoRole
			p.putUser(&next)
		}
	}
}

// membersOf returns the person's members of the network, by ascending node. They
// are good until the next person's.
func (p *planner) membersOf(normalized string) []Member {
	p.members = p.members[:0]
	for found := p.nodes.seek(owner{normalized: normalized}); found && p.nodes.item().normalized == normalized; found = p.nodes.next() {
		node := p.nodes.item().node
		if m, ok := p.state.members.Get(keyOfMember(p.network.NetworkID, node)); ok {
			p.members = append(p.members, *m.of(p.network.NetworkID, node))
		}
	}
	return p.members
}

// rowOf returns the row of a person, who is not before the last one, or nil.
func rowOf[R any](rows *cursor[person[*R]], network uint16, normalized string) *R {
	key := person[*R]{network: network, normalized: normalized}
	if rows.seek(key) && !key.less(rows.item()) {
		return rows.item().row
	}
	return nil
}

// roomFor returns list with room for what is to come when done of all is in it,
// if the rest is like that: a list that grows bit by bit leaves behind several
// times what it takes.
func roomFor[T any](list []T, done, all int) []T {
	const few, sample = 16, 64
	if cap(list)-len(list) >= few || done < sample {
		return list
	}
	return slices.Grow(list, len(list)*(all-done)/done+few*few)
}
