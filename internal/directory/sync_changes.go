package directory

import (
	"encoding/binary"
	"strconv"
)

// The changes that a plan is made of. Each is an entry of the commit and part
// of the digest of the plan; what is done to memberships and assignments has a
// line in the answer too.

func (p *planner) setRole(id string, m Member, role Role) {
	p.result.Updated++
	p.owners += ownersIn(role) - ownersIn(m.Role)
	p.action(m.NodeID, "role ", id, ": ", m.Role.String(), " → ", role.String())
	m.Role = role
	p.put(&m)
}

func (p *planner) remove(id, why string, m Member) {
	p.result.Disabled++
	p.owners -= ownersIn(m.Role)
	p.drop(Key{Kind: KindMember, NetworkID: m.NetworkID, NodeID: m.NodeID})
	p.action(m.NodeID, "remove ", id, ": ", why)
}

func (p *planner) assign(id string, role Role) {
	p.put(&Assignment{NetworkID: p.network.NetworkID, ExternalID: id, Role: role})
	p.action(0, "assign ", id, ": ", role.String())
}

func (p *planner) unassign(id string, a *Assignment) {
	p.drop(Key{Kind: KindAssignment, NetworkID: a.NetworkID, ExternalID: a.ExternalID})
	p.action(0, "unassign ", id)
}

// action adds a line to the answer, and to the digest of the plan. It ends with
// the node that it is about, 0 for none.
func (p *planner) action(node uint32, words ...string) {
	p.buf = p.buf[:0]
	for _, w := range words {
		p.buf = append(p.buf, w...)
	}
	if node != 0 {
		p.buf = append(p.buf, " (node "...)
		p.buf = strconv.AppendUint(p.buf, uint64(node), 10)
		p.buf = append(p.buf, ')')
	}
	p.result.Actions = append(p.result.Actions, string(p.buf))
	p.addToDigest(p.buf)
}

// addToDigest adds b to the digest of the plan, in a form that cannot run into
// the next.
func (p *planner) addToDigest(b []byte) {
	p.digest.Write(binary.AppendUvarint(p.size[:0], uint64(len(b))))
	p.digest.Write(b)
}

// remember records what the entry said of the person.
func (p *planner) remember(user *User, e *Person, mapped Role) {
	next := User{NetworkID: p.network.NetworkID, Groups: noGroups}
	if user != nil {
		next = *user
	}
	next.ExternalID, next.MappedRole, next.Disabled = e.ExternalID, mapped, e.Disabled
	if e.DisplayName != nil {
		next.DisplayName = *e.DisplayName
	}
	if e.Email != nil {
		next.Email = *e.Email
	}
	if e.Groups != nil {
		next.Groups = *e.Groups
	}
	if role := e.role(); role != NoRole && !e.Disabled {
		next.Role = role
	}
	if user == nil || !user.equal(&next) {
		p.putUser(new(next))
	}
}

// noGroups are the groups of a person of whom none were said.
var noGroups = []string{}

// putUser puts the row of a person, which is p's from now on. The digest of the
// plan has it without its time.
func (p *planner) putUser(u *User) {
	u.UpdatedAt = 0
	p.hasher.buf = p.hasher.buf[:0]
	p.hasher.record(u)
	p.addToDigest(p.hasher.buf)
	u.UpdatedAt = p.now
	p.put(u)
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
	if known := next.SnapshotAt; snapshotAt != nil && *snapshotAt != known && (known == 0 || *snapshotAt > known) {
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
