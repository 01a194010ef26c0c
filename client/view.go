package client

import (
	"iter"

	"github.com/replication-gateway/gateway/internal/directory"
)

// View is what a State held at one commit. It never changes, may be kept, and
// read by any number of goroutines. Nobody may change the records that it
// returns.
type View struct {
	state    *directory.State
	position Position
}

// Position returns where in history the view stands. Its epoch is empty before
// the first snapshot; the view holds nothing then.
func (v *View) Position() Position { return v.position }

// Digest returns a number that depends on the records held and nothing else. For
// an unfiltered replica stream it equals that of heartbeats at the same position,
// as long as the gateway has no records of kinds unknown here.
func (v *View) Digest() uint64 { return v.state.Digest() }

// Network returns the network, or nil.
func (v *View) Network(id uint16) *Network { return v.state.Network(id) }

// Node returns the node, or nil.
func (v *View) Node(id uint32) *Node { return v.state.Node(id) }

// Member returns the node's membership of the network, or nil.
func (v *View) Member(network uint16, node uint32) *Member { return v.state.Member(network, node) }

// Assignment returns the role that waits for the person, or nil. External ids
// are compared in lower case.
func (v *View) Assignment(network uint16, externalID string) *Assignment {
	return v.state.Assignment(network, externalID)
}

// User returns what the directory last said of the person, or nil.
func (v *View) User(network uint16, externalID string) *User {
	return v.state.User(network, externalID)
}

// Sync returns the last directory sync of the network, or nil.
func (v *View) Sync(network uint16) *Sync { return v.state.Sync(network) }

// Networks yields the networks by ascending id.
func (v *View) Networks() iter.Seq[*Network] { return v.state.Networks(0) }

// Nodes yields the nodes by ascending id.
func (v *View) Nodes() iter.Seq[*Node] { return v.state.Nodes(0) }

// NodesOf yields the nodes of the person by ascending id.
func (v *View) NodesOf(externalID string) iter.Seq[*Node] {
	return v.state.NodesByExternalID(externalID)
}

// Members yields the members of the network by ascending node id.
func (v *View) Members(network uint16) iter.Seq[*Member] { return v.state.Members(network, 0) }

// NetworksOf yields the ids of the networks that the node is a member of, in
// order.
func (v *View) NetworksOf(node uint32) iter.Seq[uint16] { return v.state.NetworksOf(node) }

// Assignments yields the assignments of the network in the order of their
// external ids.
func (v *View) Assignments(network uint16) iter.Seq[*Assignment] {
	return v.state.Assignments(network)
}

// Users yields the users of the network in the order of their external ids.
func (v *View) Users(network uint16) iter.Seq[*User] { return v.state.Users(network) }

// Rows yields every record, kind after kind, each sorted by key. Rows of a network
// that is not held are left out.
func (v *View) Rows() iter.Seq2[Kind, Record] {
	return directory.NewView(directory.AccessReplica).Rows(v.state)
}
