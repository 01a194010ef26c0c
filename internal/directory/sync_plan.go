package directory

import (
	"cmp"
	"crypto/sha256"
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
	if last != nil && req.SnapshotAt != nil && *req.SnapshotAt < last.SnapshotAt {
		return DirectorySyncResult{}, fmt.Errorf("%w: %v, that was %v", ErrStaleSnapshot, *req.SnapshotAt, last.SnapshotAt)
	}
	p := planner{draft: d, state: s, network: network, digest: sha256.New(),
		result: DirectorySyncResult{Actions: []string{}, Items: []DirectorySyncItem{}, Warnings: c.Warnings, DryRun: req.DryRun}}
	if p.result.Warnings == nil {
		p.result.Warnings = []string{}
	}
	for i := range c.People {
		p.person(&c.People[i])
	}
	if req.RemoveUnlisted {
		p.removeUnlisted(c.People)
	}
	slices.SortFunc(p.result.Items, func(a, b DirectorySyncItem) int { return cmp.Compare(a.Index, b.Index) })
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
	digest  hash.Hash // of the changes, without times and numbers
	result  DirectorySyncResult
	owners  int // owners gained, less owners lost
}

// person plans what one entry asks for.
func (p *planner) person(e *Person) {
	id := p.network.NetworkID
	user, waiting := p.state.User(id, e.Normalized), p.state.Assignment(id, e.Normalized)
	members := p.membersOf(e.Normalized)
	item := DirectorySyncItem{Index: e.Index, ExternalID: e.ExternalID, NodeIDs: []uint32{}}
	for _, m := range members {
		item.NodeIDs = append(item.NodeIDs, m.NodeID)
		item.RoleFrom = max(item.RoleFrom, m.Role)
	}
	if len(members) > 0 {
		p.result.Mapped++
	} else {
		p.result.Unmapped++
		if waiting != nil {
			item.RoleFrom = waiting.Role
		}
	}

	role, mapped := e.Role, NoRole
	if role == NoRole && e.Groups != nil {
		mapped = p.network.roleOf(e.Groups)
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
	p.result.Items = append(p.result.Items, item)
	p.remember(user, e, mapped)
}

// disable takes the person out of the network.
func (p *planner) disable(id string, members []*Member, waiting *Assignment) Outcome {
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
func (p *planner) grant(id string, role Role, members []*Member, waiting *Assignment) Outcome {
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
func (p *planner) takeBack(id string, given Role, members []*Member, waiting *Assignment) (Outcome, Role) {
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

func idle(members []*Member, waiting *Assignment) Outcome {
	if len(members) == 0 && waiting == nil {
		return OutcomeUnmapped
	}
	return OutcomeUnchanged
}

// removeUnlisted plans the end of everybody whom people, sorted by normalized
// id, does not name. Members without an external id are never touched.
func (p *planner) removeUnlisted(people []Person) {
	id := p.network.NetworkID
	listed := func(externalID string) bool {
		_, found := slices.BinarySearchFunc(people, NormalizeExternalID(externalID),
			func(e Person, normalized string) int { return cmp.Compare(e.Normalized, normalized) })
		return found
	}
	type goner struct {
		normalized, externalID string
		member                 *Member
	}
	var goners []goner
	for m := range p.state.Members(id, 0) {
		externalID := p.state.Node(m.NodeID).ExternalID
		switch {
		case externalID == "":
			p.result.SkippedNoExternalID++
		case !listed(externalID):
			goners = append(goners, goner{NormalizeExternalID(externalID), externalID, m})
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
			next.Disabled, next.MappedRole, next.UpdatedAt = true, NoRole, p.now
			p.putUser(&next)
		}
	}
}

func (p *planner) membersOf(normalized string) (members []*Member) {
	for node := range p.state.NodesByExternalID(normalized) {
		if m := p.state.Member(p.network.NetworkID, node.NodeID); m != nil {
			members = append(members, m)
		}
	}
	return members
}

func (p *planner) setRole(id string, m *Member, role Role) {
	p.result.Updated++
	p.owners += ownersIn(role) - ownersIn(m.Role)
	next := *m
	next.Role = role
	p.put(&next)
	p.action("role %s: %v → %v (node %d)", id, m.Role, role, m.NodeID)
}

func (p *planner) remove(id, why string, m *Member) {
	p.result.Disabled++
	p.owners -= ownersIn(m.Role)
	p.drop(Key{Kind: KindMember, NetworkID: m.NetworkID, NodeID: m.NodeID})
	p.action("remove %s: %s (node %d)", id, why, m.NodeID)
}

func (p *planner) assign(id string, role Role) {
	p.put(&Assignment{NetworkID: p.network.NetworkID, ExternalID: id, Role: role})
	p.action("assign %s: %v", id, role)
}

func (p *planner) unassign(id string, a *Assignment) {
	p.drop(Key{Kind: KindAssignment, NetworkID: a.NetworkID, ExternalID: a.ExternalID})
	p.action("unassign %s", id)
}

// action adds a line to the answer, and to the digest of the plan.
func (p *planner) action(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	p.result.Actions = append(p.result.Actions, line)
	fmt.Fprintf(p.digest, "%q\n", line)
}

// remember records what the entry said of the person.
func (p *planner) remember(user *User, e *Person, mapped Role) {
	next := User{NetworkID: p.network.NetworkID, Groups: []string{}}
	if user != nil {
		next = *user
	}
	next.ExternalID, next.MappedRole, next.Disabled, next.UpdatedAt = e.ExternalID, mapped, e.Disabled, p.now
	if e.DisplayName != nil {
		next.DisplayName = *e.DisplayName
	}
	if e.Email != nil {
		next.Email = *e.Email
	}
	if e.Groups != nil {
		next.Groups = e.Groups
	}
	if e.Role != NoRole && !e.Disabled {
		next.Role = e.Role
	}
	if user == nil || !user.equal(&next) {
		p.putUser(&next)
	}
}

func (p *planner) putUser(u *User) {
	p.put(u)
	fmt.Fprintf(p.digest, "user %q %q %q %q %v %v %v\n", u.ExternalID, u.DisplayName, u.Email, u.Groups, u.Role, u.MappedRole, u.Disabled)
}

// record puts the network's sync record when the sync changed something, or
// brought a newer picture.
func (p *planner) record(last *Sync, snapshotAt *Time) {
	next := Sync{NetworkID: p.network.NetworkID}
	if last != nil {
		next = *last
	}
	changed := len(p.entries) > 0
	if changed || last == nil {
		next.At, next.Actor, next.SeqNo = p.now, p.actor, p.seqNo()
		next.Updated, next.Disabled = p.result.Updated, p.result.Disabled
		next.Mapped, next.Unmapped = p.result.Mapped, p.result.Unmapped
	}
	if snapshotAt != nil && *snapshotAt > next.SnapshotAt {
		next.SnapshotAt, changed = *snapshotAt, true
	}
	if changed {
		p.put(&next)
	}
}

func ownersIn(r Role) int {
	if r == RoleOwner {
		return 1
	}
	return 0
}
