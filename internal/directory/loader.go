package directory

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// ErrBadRows says that rows are no snapshot of a state: one is out of order,
// there twice, or belongs to something that is not there.
var ErrBadRows = errors.New("the rows are no snapshot of a state")

// Loader builds a state from all of its rows, as EncodedRows yields them. The
// state is in every respect the one that putting them would give. But a Loader
// takes less time, and it refuses what no state consists of, where Apply
// refuses nothing. Whether rows are missing it cannot tell: compare RowCount
// and Digest.
//
// A Loader is used by one goroutine, for one state.
type Loader struct {
	state *State
	err   error // what Add failed with

	kind Kind   // of the row before
	last rowKey // of the row before, zero before the first of a kind

	counts Counts // of the network last.network, as far as its members came

	// What the indexes will hold, in the order of the rows.
	owners      []owner
	memberships []nodeKey
}

// rowKey orders the rows of a kind. What a kind does not have in its key is
// zero.
type rowKey struct {
	network uint16
	node    uint32
	text    string
}

func rowKeyOf(r Record) rowKey {
	key := rowKey{network: r.network(), node: r.node()}
	switch r := r.(type) {
	case *Assignment:
		key.text = NormalizeExternalID(r.ExternalID)
	case *User:
		key.text = NormalizeExternalID(r.ExternalID)
	case *Token:
		key.text = r.TokenID
	case *Receipt:
		key.text = r.ReceiptID
	}
	return key
}

func (k rowKey) compare(o rowKey) int {
	if k.network != o.network {
		return cmp.Compare(k.network, o.network)
	}
	if k.node != o.node {
		return cmp.Compare(k.node, o.node)
	}
	return cmp.Compare(k.text, o.text)
}

// NewLoader returns a loader that has seen no row.
func NewLoader() *Loader { return &Loader{state: NewState()} }

// Add takes the next row, which belongs to the state from then on. Rows come
// kind after kind, each sorted by key. Any other row is refused with
// ErrBadRows, and so is all that follows it.
func (l *Loader) Add(r Record) error {
	if l.err == nil {
		l.err = l.add(r)
	}
	return l.err
}

// State returns the state that has exactly the rows added, at commit seqNo, and
// ends the loader. It panics when a row was refused: there is no such state.
func (l *Loader) State(seqNo uint64) *State {
	if l.err != nil {
		panic("directory: no state can be had: " + l.err.Error())
	}
	l.endNetwork()
	s := l.state
	l.state, l.err = nil, errors.New("the loader has ended")
	s.seqNo = seqNo
	slices.SortFunc(l.owners, owner.compare)
	for _, o := range l.owners {
		s.nodesByID.Load(o)
	}
	slices.Sort(l.memberships)
	for _, key := range l.memberships {
		s.networksOf.Load(key, struct{}{})
	}
	return s
}

func (l *Loader) add(r Record) error {
	s, kind, key := l.state, r.kind(), rowKeyOf(r)
	if kind != l.kind || key.network != l.last.network {
		l.endNetwork()
		if err := l.begin(kind, key.network); err != nil {
			return err
		}
	}
	if key.compare(l.last) <= 0 {
		return fmt.Errorf("%w: %v %v does not come after %v", ErrBadRows, kind, key, l.last)
	}
	l.last = key
	switch r := r.(type) {
	case *Network:
		s.networks.Load(r.NetworkID, r)
	case *Node:
		s.nodes.Load(r.NodeID, r)
		if r.ExternalID != "" {
			l.owners = append(l.owners, owner{NormalizeExternalID(r.ExternalID), r.NodeID})
		}
	case *Member:
		node := s.Node(r.NodeID)
		if node == nil {
			return fmt.Errorf("%w: member %v has no node", ErrBadRows, key)
		}
		s.members.Load(keyOfMember(r.NetworkID, r.NodeID), membership{role: r.Role, joinedAt: r.JoinedAt})
		l.memberships = append(l.memberships, keyOfNode(r.NodeID, r.NetworkID))
		l.counts = l.counts.plus(weigh(node, r.Role), 1)
	case *Assignment:
		s.assignments.rows.Load(person[*Assignment]{key.network, key.text, r})
	case *User:
		s.users.rows.Load(person[*User]{key.network, key.text, r})
	case *Sync:
		s.syncs.Load(r.NetworkID, r)
	case *Token:
		s.tokens.Load(r.TokenID, r)
	case *Receipt:
		s.receipts.put(r)
		if s.receipts.byAge.Len() < s.receipts.byID.Len() {
			return fmt.Errorf("%w: two receipts of commit %d", ErrBadRows, r.SeqNo)
		}
	default:
		return fmt.Errorf("%w: a %T is no row", ErrBadRows, r)
	}
	s.digest ^= hashOf(r)
	s.newest = max(s.newest, writtenAt(r))
	return nil
}

// writtenAt returns when a row was last written, as far as it says so.
func writtenAt(r Record) Time {
	switch r := r.(type) {
	case *Network:
		return r.CreatedAt
	case *Node:
		return r.CreatedAt
	case *Member:
		return r.JoinedAt
	case *User:
		return r.UpdatedAt
	case *Sync:
		return r.At
	case *Token:
		return r.CreatedAt
	case *Receipt:
		return r.At
	}
	return 0
}

// begin takes note that rows of a kind, or of a network, follow.
func (l *Loader) begin(kind Kind, network uint16) error {
	if kind < l.kind {
		return fmt.Errorf("%w: a %v after a %v", ErrBadRows, kind, l.kind)
	}
	if kind > l.kind {
		l.kind, l.last = kind, rowKey{}
	}
	switch kind {
	case KindNetwork, KindNode, KindToken, KindReceipt:
	default: // belongs to a network
		if l.state.Network(network) == nil {
			return fmt.Errorf("%w: a %v of network %d, which is not there", ErrBadRows, kind, network)
		}
	}
	return nil
}

// endNetwork stores the counts of the network whose members were added last.
func (l *Loader) endNetwork() {
	if l.counts != (Counts{}) {
		l.state.counts.Set(l.last.network, l.counts)
		l.counts = Counts{}
	}
}
