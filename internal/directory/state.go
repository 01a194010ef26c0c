package directory

import (
	"cmp"
	"iter"
	"strings"

	"github.com/tidwall/btree"
)

// State is everything the gateway knows at one commit. The zero value is not
// usable, see [NewState].
//
// One goroutine at a time may call Clone and Apply. A State to which nobody
// applies any more may be read by any number of goroutines, also while clones
// of it change.
type State struct {
	seqNo  uint64
	digest uint64
	newest Time // see Newest

	networks    btree.Map[uint16, *Network]
	nodes       btree.Map[uint32, *Node]
	members     btree.Map[memberKey, membership]
	assignments people[*Assignment]
	users       people[*User]
	syncs       btree.Map[uint16, *Sync]
	tokens      btree.Map[string, *Token]
	receipts    receipts

	// Indexes, kept in step by put and drop.
	counts     btree.Map[uint16, Counts]
	nodesByID  *btree.BTreeG[owner]
	networksOf btree.Map[nodeKey, struct{}]
}

// memberKey orders members by network, then node.
type memberKey uint64

func keyOfMember(network uint16, node uint32) memberKey {
	return memberKey(network)<<32 | memberKey(node)
}

// nodeKey orders memberships by node, then network.
type nodeKey uint64

func keyOfNode(node uint32, network uint16) nodeKey { return nodeKey(node)<<16 | nodeKey(network) }

func (k nodeKey) node() uint32    { return uint32(k >> 16) }
func (k nodeKey) network() uint16 { return uint16(k) }

// membership is the value of a member; its key holds the rest.
type membership struct {
	role     Role
	joinedAt Time
}

// of returns the member whose value m is.
func (m membership) of(network uint16, node uint32) *Member {
	return &Member{NetworkID: network, NodeID: node, Role: m.role, JoinedAt: m.joinedAt}
}

// Counts are the sizes of a network that decisions rest on.
type Counts struct {
	Members    int
	Identified int // members whose node has an external id
	Owners     int
}

// plus returns c and d together, or c less d with sign -1.
func (c Counts) plus(d Counts, sign int) Counts {
	return Counts{c.Members + sign*d.Members, c.Identified + sign*d.Identified, c.Owners + sign*d.Owners}
}

// owner says that a node belongs to a person.
type owner struct {
	normalized string // the person's external id
	node       uint32
}

func (o owner) compare(p owner) int {
	if c := strings.Compare(o.normalized, p.normalized); c != 0 {
		return c
	}
	return cmp.Compare(o.node, p.node)
}

func (o owner) less(p owner) bool { return o.compare(p) < 0 }

// people is an ordered collection of rows, one for each person of a network.
type people[T any] struct {
	rows *btree.BTreeG[person[T]]
}

type person[T any] struct {
	network    uint16
	normalized string // the external id
	row        T
}

func (p person[T]) less(q person[T]) bool {
	if p.network != q.network {
		return p.network < q.network
	}
	return p.normalized < q.normalized
}

var unlocked = btree.Options{NoLocks: true}

func newPeople[T any]() people[T] {
	return people[T]{btree.NewBTreeGOptions(person[T].less, unlocked)}
}

func (p people[T]) clone() people[T] { return people[T]{p.rows.Copy()} }

func (p people[T]) get(network uint16, normalized string) T {
	found, _ := p.rows.Get(person[T]{network: network, normalized: normalized})
	return found.row
}

// of yields the rows of a network in the order of the normalized ids.
func (p people[T]) of(network uint16) iter.Seq[T] {
	return func(yield func(T) bool) {
		p.rows.Ascend(person[T]{network: network}, func(r person[T]) bool {
			return r.network == network && yield(r.row)
		})
	}
}

// NewState returns the empty state before the first commit.
func NewState() *State {
	return &State{
		assignments: newPeople[*Assignment](),
		users:       newPeople[*User](),
		nodesByID:   btree.NewBTreeGOptions(owner.less, unlocked),
	}
}

// Clone returns a copy that changes by itself, in constant time.
func (s *State) Clone() *State {
	return &State{
		seqNo:       s.seqNo,
		digest:      s.digest,
		newest:      s.newest,
		networks:    *s.networks.Copy(),
		nodes:       *s.nodes.Copy(),
		members:     *s.members.Copy(),
		assignments: s.assignments.clone(),
		users:       s.users.clone(),
		syncs:       *s.syncs.Copy(),
		tokens:      *s.tokens.Copy(),
		receipts:    s.receipts.clone(),
		counts:      *s.counts.Copy(),
		nodesByID:   s.nodesByID.Copy(),
		networksOf:  *s.networksOf.Copy(),
	}
}

// SeqNo returns the number of the newest commit applied, 0 for none.
func (s *State) SeqNo() uint64 { return s.seqNo }

// Newest returns a time that no commit applied so far is later than, and that
// is as early as what the state knows allows. Of commits that only a snapshot
// holds, the rows tell it. It is no part of the digest.
func (s *State) Newest() Time { return s.newest }

// Digest returns a number that depends on the records of the state and nothing
// else: the XOR of a hash of each.
func (s *State) Digest() uint64 { return s.digest }

// Network returns the network, or nil.
func (s *State) Network(id uint16) *Network {
	n, _ := s.networks.Get(id)
	return n
}

// Node returns the node, or nil.
func (s *State) Node(id uint32) *Node {
	n, _ := s.nodes.Get(id)
	return n
}

// Member returns the node's membership of the network, or nil.
func (s *State) Member(network uint16, node uint32) *Member {
	m, ok := s.members.Get(keyOfMember(network, node))
	if !ok {
		return nil
	}
	return m.of(network, node)
}

// Assignment returns the role that waits for the person, or nil.
func (s *State) Assignment(network uint16, externalID string) *Assignment {
	return s.assignments.get(network, NormalizeExternalID(externalID))
}

// User returns what the directory last said of the person, or nil.
func (s *State) User(network uint16, externalID string) *User {
	return s.users.get(network, NormalizeExternalID(externalID))
}

// Sync returns the last directory sync of the network, or nil.
func (s *State) Sync(network uint16) *Sync {
	v, _ := s.syncs.Get(network)
	return v
}

// Token returns the token, or nil.
func (s *State) Token(id string) *Token {
	t, _ := s.tokens.Get(id)
	return t
}

const tokenActor = "token:"

// AdminActor is the actor of what is done with the admin token, which is no record.
const AdminActor = tokenActor + "admin"

// TokenActor is the actor of what is done with a token.
func TokenActor(tokenID string) string { return tokenActor + tokenID }

// MayAct reports whether an actor of entries may act at a time: a token that it names,
// other than the admin's, must be there and not have expired.
func (s *State) MayAct(actor string, now Time) bool {
	id, is := strings.CutPrefix(actor, tokenActor)
	if !is || actor == AdminActor {
		return true
	}
	t := s.Token(id)
	return t != nil && !t.Expired(now)
}

// Counts returns the sizes of the network.
func (s *State) Counts(network uint16) Counts {
	c, _ := s.counts.Get(network)
	return c
}

// Networks yields the networks with an id greater than after, in order.
func (s *State) Networks(after uint16) iter.Seq[*Network] { return rowsAfter(&s.networks, after) }

// Nodes yields the nodes with an id greater than after, in order.
func (s *State) Nodes(after uint32) iter.Seq[*Node] { return rowsAfter(&s.nodes, after) }

// Syncs yields the sync records of networks with an id greater than after.
func (s *State) Syncs(after uint16) iter.Seq[*Sync] { return rowsAfter(&s.syncs, after) }

// Tokens yields the tokens with an id greater than after, in order.
func (s *State) Tokens(after string) iter.Seq[*Token] { return rowsAfter(&s.tokens, after) }

// NodesByExternalID yields the nodes of the person, by ascending id.
func (s *State) NodesByExternalID(externalID string) iter.Seq[*Node] {
	return func(yield func(*Node) bool) {
		normalized := NormalizeExternalID(externalID)
		if normalized == "" {
			return
		}
		s.nodesByID.Ascend(owner{normalized: normalized}, func(o owner) bool {
			return o.normalized == normalized && yield(s.Node(o.node))
		})
	}
}

// Members yields the members of the network with a node id greater than after,
// in order.
func (s *State) Members(network uint16, after uint32) iter.Seq[*Member] {
	return func(yield func(*Member) bool) {
		first := keyOfMember(network, after)
		s.members.Ascend(first, func(key memberKey, m membership) bool {
			if key == first && after != 0 {
				return true
			}
			if uint16(key>>32) != network {
				return false
			}
			return yield(m.of(network, uint32(key)))
		})
	}
}

// NetworksOf yields the networks that the node is a member of, in order.
func (s *State) NetworksOf(node uint32) iter.Seq[uint16] {
	return func(yield func(uint16) bool) {
		s.networksOf.Ascend(keyOfNode(node, 0), func(key nodeKey, _ struct{}) bool {
			return key.node() == node && yield(key.network())
		})
	}
}

// Assignments yields the network's assignments in the order of their
// normalized external ids.
func (s *State) Assignments(network uint16) iter.Seq[*Assignment] {
	return s.assignments.of(network)
}

// Users yields the network's users in the order of their normalized external
// ids.
func (s *State) Users(network uint16) iter.Seq[*User] { return s.users.of(network) }

func rowsAfter[K cmp.Ordered, V any](m *btree.Map[K, V], after K) iter.Seq[V] {
	return func(yield func(V) bool) {
		m.Ascend(after, func(k K, v V) bool { return k == after || yield(v) })
	}
}
