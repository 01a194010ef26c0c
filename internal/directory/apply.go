package directory

// Apply carries out the entries of one commit, in order. It refuses nothing:
// they were decided on this very state, here or on another gateway.
func (s *State) Apply(entries []DeltaEntry) Footprint {
	f := Footprint{before: s.membershipsBefore(entries)}
	for i := range entries {
		if joined := s.apply(&entries[i]); joined {
			f.joins = append(f.joins, join{entry: i, node: s.Node(entries[i].NodeID)})
		}
	}
	return f
}

// Replay is Apply for a commit that no reader will be sent any more. It saves
// the footprint.
func (s *State) Replay(entries []DeltaEntry) {
	for i := range entries {
		s.apply(&entries[i])
	}
}

// apply carries out one entry and moves the state to its commit. It reports
// whether the entry made a node a member that was none.
func (s *State) apply(e *DeltaEntry) (joined bool) {
	s.seqNo, s.newest = e.SeqNo, max(s.newest, e.At)
	if e.Type.Delete {
		s.drop(e.Data.(*Key))
		return false
	}
	return s.put(e.Data)
}

// put reports whether the record made a node a member that was none.
func (s *State) put(record Record) (joined bool) {
	switch r := record.(type) {
	case *Network:
		old, _ := s.networks.Set(r.NetworkID, r)
		s.digest ^= hashOf(old) ^ hashOf(r)
	case *Node:
		s.putNode(r)
	case *Member:
		return s.putMember(r)
	case *Assignment:
		norm := NormalizeExternalID(r.ExternalID)
		old, _ := s.assignments.rows.Set(person[*Assignment]{r.NetworkID, norm, r})
		s.digest ^= hashOf(old.row) ^ hashOf(r)
	case *User:
		norm := NormalizeExternalID(r.ExternalID)
		old, _ := s.users.rows.Set(person[*User]{r.NetworkID, norm, r})
		s.digest ^= hashOf(old.row) ^ hashOf(r)
	case *Sync:
		old, _ := s.syncs.Set(r.NetworkID, r)
		s.digest ^= hashOf(old) ^ hashOf(r)
	case *Token:
		old, _ := s.tokens.Set(r.TokenID, r)
		s.digest ^= hashOf(old) ^ hashOf(r)
	case *Receipt:
		s.digest ^= hashOf(s.receipts.put(r)) ^ hashOf(r)
	}
	return false
}

func (s *State) drop(k *Key) {
	switch k.Kind {
	case KindNetwork:
		old, _ := s.networks.Delete(k.NetworkID)
		s.counts.Delete(k.NetworkID)
		s.digest ^= hashOf(old)
	case KindNode:
		s.dropNode(k.NodeID)
	case KindMember:
		s.dropMember(k.NetworkID, k.NodeID)
	case KindAssignment:
		old, _ := s.assignments.rows.Delete(person[*Assignment]{network: k.NetworkID, normalized: NormalizeExternalID(k.ExternalID)})
		s.digest ^= hashOf(old.row)
	case KindUser:
		old, _ := s.users.rows.Delete(person[*User]{network: k.NetworkID, normalized: NormalizeExternalID(k.ExternalID)})
		s.digest ^= hashOf(old.row)
	case KindSync:
		old, _ := s.syncs.Delete(k.NetworkID)
		s.digest ^= hashOf(old)
	case KindToken:
		old, _ := s.tokens.Delete(k.TokenID)
		s.digest ^= hashOf(old)
	case KindReceipt:
		s.digest ^= hashOf(s.receipts.drop(k.ReceiptID))
	}
}

func (s *State) putNode(n *Node) {
	old, had := s.nodes.Set(n.NodeID, n)
	s.digest ^= hashOf(old) ^ hashOf(n)
	if had {
		if old.ExternalID == n.ExternalID {
			return
		}
		s.unindexNode(old)
	}
	if n.ExternalID != "" {
		s.nodesByID.Set(owner{NormalizeExternalID(n.ExternalID), n.NodeID})
	}
	if had && (old.ExternalID == "") != (n.ExternalID == "") {
		step := 1
		if n.ExternalID == "" {
			step = -1
		}
		for network := range s.NetworksOf(n.NodeID) {
			s.count(network, Counts{Identified: 1}, step)
		}
	}
}

func (s *State) dropNode(id uint32) {
	old, had := s.nodes.Delete(id)
	if had {
		s.digest ^= hashOf(old)
		s.unindexNode(old)
	}
}

func (s *State) unindexNode(n *Node) {
	if n.ExternalID != "" {
		s.nodesByID.Delete(owner{NormalizeExternalID(n.ExternalID), n.NodeID})
	}
}

// putMember reports whether the node was no member before.
func (s *State) putMember(m *Member) (joined bool) {
	old, had := s.members.Set(keyOfMember(m.NetworkID, m.NodeID), membership{role: m.Role, joinedAt: m.JoinedAt})
	s.digest ^= hashOf(m)
	node := s.Node(m.NodeID)
	change := weigh(node, m.Role)
	if had {
		s.digest ^= hashOf(old.of(m.NetworkID, m.NodeID))
		change = change.plus(weigh(node, old.role), -1)
	} else {
		s.networksOf.Set(keyOfNode(m.NodeID, m.NetworkID), struct{}{})
	}
	s.count(m.NetworkID, change, 1)
	return !had
}

func (s *State) dropMember(network uint16, node uint32) {
	old, had := s.members.Delete(keyOfMember(network, node))
	if !had {
		return
	}
	s.networksOf.Delete(keyOfNode(node, network))
	s.digest ^= hashOf(old.of(network, node))
	s.count(network, weigh(s.Node(node), old.role), -1)
}

// weigh returns what a member adds to the counts of its network.
func weigh(node *Node, role Role) Counts {
	c := Counts{Members: 1}
	if node != nil && node.ExternalID != "" {
		c.Identified = 1
	}
	if role == RoleOwner {
		c.Owners = 1
	}
	return c
}

// count adds c to the counts of the network, or takes it away with sign -1.
func (s *State) count(network uint16, c Counts, sign int) {
	if c != (Counts{}) {
		old, _ := s.counts.Get(network)
		s.counts.Set(network, old.plus(c, sign))
	}
}
