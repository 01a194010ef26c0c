package directory

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// View is what one kind of reader may see: which kinds of records, and of
// which networks. Views with equal String see alike. The zero View sees
// nothing.
//
// A reader limited to networks sees those networks, what belongs to them, and
// the nodes that are members of one of them; nothing else.
type View struct {
	role     AccessRole
	limited  bool
	networks []uint16 // sorted, each once; only when limited
}

var kindsOf = map[AccessRole][]Kind{
	AccessViewer:  {KindNetwork, KindNode, KindMember, KindAssignment, KindSync},
	AccessAdmin:   {KindNetwork, KindNode, KindMember, KindAssignment, KindUser, KindSync},
	AccessReplica: {KindNetwork, KindNode, KindMember, KindAssignment, KindUser, KindSync, KindToken, KindReceipt},
}

// NewView returns the view of a role; no networks means no limit.
func NewView(role AccessRole, networks ...uint16) View {
	v := View{role: role, limited: len(networks) > 0}
	if v.limited {
		v.networks = slices.Compact(slices.Sorted(slices.Values(networks)))
	}
	return v
}

// String names the view: the role, and the networks after a colon. ParseView
// reads it.
func (v View) String() string {
	b := append([]byte(v.role), ':')
	for i, n := range v.networks {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendUint(b, uint64(n), 10)
	}
	return string(b)
}

// ParseView reads what String wrote, and nothing else.
func ParseView(s string) (View, error) {
	role, list, _ := strings.Cut(s, ":")
	var networks []uint16
	if list != "" {
		for part := range strings.SplitSeq(list, ",") {
			n, err := strconv.ParseUint(part, 10, 16)
			if err != nil {
				return View{}, fmt.Errorf("not a view: %q", s)
			}
			networks = append(networks, uint16(n))
		}
	}
	v := NewView(AccessRole(role), networks...)
	if v.String() != s {
		return View{}, fmt.Errorf("not a view: %q", s)
	}
	return v, nil
}

// SeesKind reports whether any record of the kind may be seen.
func (v View) SeesKind(k Kind) bool {
	if v.limited && (k == KindToken || k == KindReceipt) {
		return false
	}
	return slices.Contains(kindsOf[v.role], k)
}

// SeesNetwork reports whether the network is within the limits.
func (v View) SeesNetwork(id uint16) bool {
	if !v.limited {
		return true
	}
	_, found := slices.BinarySearch(v.networks, id)
	return found
}

// SeesNode reports whether the node, as s has it, is in sight.
func (v View) SeesNode(s *State, id uint32) bool {
	if !v.limited {
		return s.Node(id) != nil
	}
	for network := range s.NetworksOf(id) {
		if v.SeesNetwork(network) {
			return true
		}
	}
	return false
}

// Role returns the role whose view it is.
func (v View) Role() AccessRole { return v.role }

// Networks returns the networks that the view is limited to, nil for none.
// The caller must not change them.
func (v View) Networks() []uint16 { return v.networks }

// Entries returns the encoded entries of a commit that the view sees, in order.
// f is the footprint of c. A node that comes into sight is brought in by a
// node.put before its member.put, one that goes out of sight is taken away by
// a node.delete after its last member.delete.
func (v View) Entries(c *Commit, f Footprint) [][]byte {
	if !v.limited {
		return v.unlimitedEntries(c)
	}
	inSight := make(map[uint32]int, len(f.before)) // how many networks of the view the node is in
	for _, membership := range f.before {
		if v.SeesNetwork(membership.network()) {
			inSight[membership.node()]++
		}
	}
	joins := f.joins
	var out [][]byte
	for i := range c.Entries {
		e := &c.Entries[i]
		joined := len(joins) > 0 && joins[0].entry == i
		switch {
		case e.Type.Kind == KindNode:
			if v.SeesKind(KindNode) && inSight[e.NodeID] > 0 {
				out = append(out, c.Encoded[i])
			}
		case !v.SeesKind(e.Type.Kind) || !v.SeesNetwork(e.NetworkID):
		case joined:
			if inSight[e.NodeID] == 0 {
				out = append(out, encodeAs(e, joins[0].node))
			}
			inSight[e.NodeID]++
			out = append(out, c.Encoded[i])
		case e.Type.Kind == KindMember && e.Type.Delete:
			out = append(out, c.Encoded[i])
			if inSight[e.NodeID]--; inSight[e.NodeID] == 0 {
				out = append(out, encodeAs(e, &Key{Kind: KindNode, NodeID: e.NodeID}))
			}
		default:
			out = append(out, c.Encoded[i])
		}
		if joined {
			joins = joins[1:]
		}
	}
	return out
}

func (v View) unlimitedEntries(c *Commit) [][]byte {
	hidden := func(e DeltaEntry) bool { return !v.SeesKind(e.Type.Kind) }
	if !slices.ContainsFunc(c.Entries, hidden) {
		return c.Encoded
	}
	var out [][]byte
	for i, e := range c.Entries {
		if !hidden(e) {
			out = append(out, c.Encoded[i])
		}
	}
	return out
}

// encodeAs encodes an entry about a node that shares its commit with e.
func encodeAs(e *DeltaEntry, data Record) []byte {
	_, isKey := data.(*Key)
	return appendEntry(nil, &DeltaEntry{SeqNo: e.SeqNo, Type: EntryType{Kind: KindNode, Delete: isKey},
		NodeID: e.NodeID, At: e.At, Actor: e.Actor, Data: data})
}
