package directory

// Footprint notes, while a commit is applied, what readers who do not see
// every node need to follow it: where the nodes it touches were before, and
// the rows of the nodes that join. It is immutable once made.
type Footprint struct {
	before []touchedNode
	joins  []join
}

// touchedNode says which networks a node was in before the commit.
type touchedNode struct {
	node     uint32
	networks []uint16
}

// join says that entry number entry made node a member, and how its row stood
// then.
type join struct {
	entry int
	node  *Node
}

// Apply carries out the entries of one commit, in order. It refuses nothing:
// they were decided on this very state, here or on another gateway.
func (s *State) Apply(entries []DeltaEntry) Footprint {
	var f Footprint
	touched := make(map[uint32]struct{})
	for i := range entries {
		e := &entries[i]
		if node := e.NodeID; node != 0 {
			if _, seen := touched[node]; !seen {
				touched[node] = struct{}{}
				t := touchedNode{node: node}
				for network := range s.NetworksOf(node) {
					t.networks = append(t.networks, network)
				}
				f.before = append(f.before, t)
			}
			if e.Type.Kind == KindMember && !e.Type.Delete && s.Member(e.NetworkID, node) == nil {
				f.joins = append(f.joins, join{entry: i, node: s.Node(node)})
			}
		}
		s.apply(e)
	}
	return f
}

// apply carries out one entry and moves the state to its commit.
func (s *State) apply(e *DeltaEntry) {
	s.seqNo = e.SeqNo
	if e.Type.Delete {
		s.drop(e.Data.(*Key))
		return
	}
	s.put(e.Data)
}

func (s *State) put(record Record) {
	switch r := record.(type) {
	case *Network:
		old, _ := s.networks.Set(r.NetworkID, r)
		s.digest ^= hashOf(old) ^ hashOf(r)
	case *Node:
		s.putNode(r)
	case *Member:
		s.putMember(r)
	case *Assignment:
		norm := NormalizeExternalID(r.ExternalID)
		old, _ := s.assignments.rows.Set(person[*Assignment]{network: r.NetworkID, normalized: norm, row: r})
		s.digest ^= hashOf(old.row) ^ hashOf(r)
	case *User:
		norm := NormalizeExternalID(r.ExternalID)
		old, _ := s.users.rows.Set(person[*User]{network: r.NetworkID, normalized: norm, row: r})
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
		s.nodesByID.rows.Set(person[uint32]{normalized: NormalizeExternalID(n.ExternalID), node: n.NodeID, row: n.NodeID})
	}
	if had && (old.ExternalID == "") != (n.ExternalID == "") {
		step := 1
		if n.ExternalID == "" {
			step = -1
		}
		for network := range s.NetworksOf(n.NodeID) {
			s.count(network, Counts{Identified: step})
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
		s.nodesByID.rows.Delete(person[uint32]{normalized: NormalizeExternalID(n.ExternalID), node: n.NodeID})
	}
}

func (s *State) putMember(m *Member) {
	s.dropMember(m.NetworkID, m.NodeID)
	s.members.Set(keyOfMember(m.NetworkID, m.NodeID), membership{role: m.Role, joinedAt: m.JoinedAt})
	s.networksOf.Set(keyOfNode(m.NodeID, m.NetworkID), m.NetworkID)
	s.digest ^= hashOf(m)
	s.count(m.NetworkID, s.weigh(m.NodeID, m.Role, 1))
}

func (s *State) dropMember(network uint16, node uint32) {
	old := s.Member(network, node)
	if old == nil {
		return
	}
	s.members.Delete(keyOfMember(network, node))
	s.networksOf.Delete(keyOfNode(node, network))
	s.digest ^= hashOf(old)
	s.count(network, s.weigh(node, old.Role, -1))
}

// weigh returns what a member adds to the counts of its network, times sign.
func (s *State) weigh(node uint32, role Role, sign int) Counts {
	c := Counts{Members: sign}
	if n := s.Node(node); n != nil && n.ExternalID != "" {
		c.Identified = sign
	}
	if role == RoleOwner {
		c.Owners = sign
	}
	return c
}

func (s *State) count(network uint16, d Counts) {
	c, _ := s.counts.Get(network)
	s.counts.Set(network, Counts{c.Members + d.Members, c.Identified + d.Identified, c.Owners + d.Owners})
}
