package directory

import (
	"fmt"
	"slices"
)

// PutNetwork creates or replaces a network. CreatedAt is the gateway's.
type PutNetwork struct{ Network Network }

// DeleteNetwork deletes a network and all that belongs to it.
type DeleteNetwork struct{ NetworkID uint16 }

// PutNode creates or replaces a node. CreatedAt is the gateway's.
type PutNode struct{ Node Node }

// DeleteNode deletes a node and its memberships.
type DeleteNode struct{ NodeID uint32 }

// PutMember makes a node a member or changes its role. Without a role a member
// keeps the one it has, and a node that joins takes the role assigned to its
// person, else member.
type PutMember struct {
	NetworkID uint16
	NodeID    uint32
	Role      Role
}

// DeleteMember takes a node out of a network.
type DeleteMember struct {
	NetworkID uint16
	NodeID    uint32
}

// PutAssignment puts the role that a person's node takes when it joins.
type PutAssignment struct{ Assignment Assignment }

// DeleteAssignment takes such a role back.
type DeleteAssignment struct {
	NetworkID  uint16
	ExternalID string
}

// CreateToken stores a token that the caller made; its id must be new.
type CreateToken struct{ Token Token }

// RevokeToken deletes a token.
type RevokeToken struct{ TokenID string }

func (c PutNetwork) decide(d *draft) (*Network, error) {
	next, old := c.Network, d.state().Network(c.Network.NetworkID)
	next.CreatedAt = d.now
	if old != nil {
		if old.equal(&next) {
			return old, nil
		}
		next.CreatedAt = old.CreatedAt
	}
	d.put(&next)
	return &next, nil
}

func (c DeleteNetwork) decide(d *draft) (*Network, error) {
	s, id := d.state(), c.NetworkID
	old, err := networkOf(s, id)
	if err != nil {
		return nil, err
	}
	for m := range s.Members(id, 0) {
		d.drop(Key{Kind: KindMember, NetworkID: id, NodeID: m.NodeID})
	}
	for a := range s.Assignments(id) {
		d.drop(Key{Kind: KindAssignment, NetworkID: id, ExternalID: a.ExternalID})
	}
	for u := range s.Users(id) {
		d.drop(Key{Kind: KindUser, NetworkID: id, ExternalID: u.ExternalID})
	}
	if s.Sync(id) != nil {
		d.drop(Key{Kind: KindSync, NetworkID: id})
	}
	d.drop(Key{Kind: KindNetwork, NetworkID: id})
	return old, nil
}

func (c PutNode) decide(d *draft) (*Node, error) {
	next, old := c.Node, d.state().Node(c.Node.NodeID)
	next.CreatedAt = d.now
	if old != nil {
		if old.equal(&next) {
			return old, nil
		}
		next.CreatedAt = old.CreatedAt
	}
	d.put(&next)
	return &next, nil
}

func (c DeleteNode) decide(d *draft) (*Node, error) {
	s := d.state()
	old, err := nodeOf(s, c.NodeID)
	if err != nil {
		return nil, err
	}
	for network := range s.NetworksOf(c.NodeID) {
		d.drop(Key{Kind: KindMember, NetworkID: network, NodeID: c.NodeID})
	}
	d.drop(Key{Kind: KindNode, NodeID: c.NodeID})
	return old, nil
}

func (c PutMember) decide(d *draft) (*Member, error) {
	s := d.state()
	if _, err := networkOf(s, c.NetworkID); err != nil {
		return nil, err
	}
	node, err := nodeOf(s, c.NodeID)
	if err != nil {
		return nil, err
	}
	next := &Member{NetworkID: c.NetworkID, NodeID: c.NodeID, Role: c.Role, JoinedAt: d.now}
	if old := s.Member(c.NetworkID, c.NodeID); old != nil {
		if c.Role == NoRole || c.Role == old.Role {
			return old, nil
		}
		next.JoinedAt = old.JoinedAt
		d.put(next)
		return next, nil
	}
	if a := s.Assignment(c.NetworkID, node.ExternalID); a != nil {
		d.drop(Key{Kind: KindAssignment, NetworkID: a.NetworkID, ExternalID: a.ExternalID})
		if next.Role == NoRole {
			next.Role = a.Role
		}
	}
	if next.Role == NoRole {
		next.Role = RoleMember
	}
	d.put(next)
	return next, nil
}

func (c DeleteMember) decide(d *draft) (*Member, error) {
	s := d.state()
	if _, err := networkOf(s, c.NetworkID); err != nil {
		return nil, err
	}
	old := s.Member(c.NetworkID, c.NodeID)
	if old == nil {
		return nil, fmt.Errorf("%w: node %d, network %d", ErrMemberNotFound, c.NodeID, c.NetworkID)
	}
	d.drop(Key{Kind: KindMember, NetworkID: c.NetworkID, NodeID: c.NodeID})
	return old, nil
}

func (c PutAssignment) decide(d *draft) (*Assignment, error) {
	s, next := d.state(), c.Assignment
	if _, err := networkOf(s, next.NetworkID); err != nil {
		return nil, err
	}
	if old := s.Assignment(next.NetworkID, next.ExternalID); old != nil && *old == next {
		return old, nil
	}
	d.put(&next)
	return &next, nil
}

func (c DeleteAssignment) decide(d *draft) (*Assignment, error) {
	s := d.state()
	if _, err := networkOf(s, c.NetworkID); err != nil {
		return nil, err
	}
	old := s.Assignment(c.NetworkID, c.ExternalID)
	if old == nil {
		return nil, fmt.Errorf("%w: assignment of %q in network %d", ErrNotFound, c.ExternalID, c.NetworkID)
	}
	d.drop(Key{Kind: KindAssignment, NetworkID: old.NetworkID, ExternalID: old.ExternalID})
	return old, nil
}

func (c CreateToken) decide(d *draft) (*Token, error) {
	next := c.Token
	next.CreatedAt = d.now
	next.Networks = slices.Compact(slices.Sorted(slices.Values(next.Networks)))
	d.put(&next)
	return &next, nil
}

func (c RevokeToken) decide(d *draft) (*Token, error) {
	old := d.state().Token(c.TokenID)
	if old == nil {
		return nil, fmt.Errorf("%w: token %q", ErrNotFound, c.TokenID)
	}
	d.drop(Key{Kind: KindToken, TokenID: c.TokenID})
	return old, nil
}

// Op is a command as part of a batch.
type Op struct{ run func(*draft) error }

// OpOf makes any command an op.
func OpOf[R any](c Command[R]) Op {
	return Op{func(d *draft) error {
		_, err := c.decide(d)
		return err
	}}
}

// Batch carries out its ops in order, all or none, each on what the ones
// before it left. It answers with the number of entries. Its refusal is an
// *OpError.
type Batch struct{ Ops []Op }

func (c Batch) decide(d *draft) (int, error) {
	for i, op := range c.Ops {
		if err := op.run(d); err != nil {
			return 0, &OpError{Index: i, Err: err}
		}
	}
	return len(d.entries), nil
}

func networkOf(s *State, id uint16) (*Network, error) {
	if n := s.Network(id); n != nil {
		return n, nil
	}
	return nil, fmt.Errorf("%w: %d", ErrNetworkNotFound, id)
}

func nodeOf(s *State, id uint32) (*Node, error) {
	if n := s.Node(id); n != nil {
		return n, nil
	}
	return nil, fmt.Errorf("%w: %d", ErrNodeNotFound, id)
}
