package directory

import (
	"slices"
	"unsafe"
)

// Footprint notes, while a commit is applied, what readers who do not see
// every node need to follow it: where the nodes it touches were before, and
// the rows of the nodes that join. It is immutable once made.
type Footprint struct {
	before []nodeKey // the memberships of the touched nodes, sorted
	joins  []join    // in the order of the entries
}

// join says that entry number entry made node a member, and how its row stood
// then.
type join struct {
	entry int
	node  *Node
}

// Bytes estimates the memory that the footprint takes. The rows of the nodes
// that join are not counted, the state has them too.
func (f Footprint) Bytes() int {
	return cap(f.before)*int(unsafe.Sizeof(nodeKey(0))) + cap(f.joins)*int(unsafe.Sizeof(join{}))
}

// membershipsBefore returns where the nodes that the entries touch are now,
// sorted by node.
func (s *State) membershipsBefore(entries []DeltaEntry) (before []nodeKey) {
	var room [8]uint32
	touched := room[:0]
	for i := range entries {
		if node := entries[i].NodeID; node != 0 {
			touched = append(touched, node)
		}
	}
	slices.Sort(touched)
	for _, node := range slices.Compact(touched) {
		for network := range s.NetworksOf(node) {
			before = append(before, keyOfNode(node, network))
		}
	}
	return before
}
