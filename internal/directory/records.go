package directory

import "slices"

// Kind is a kind of record.
type Kind uint8

// The kinds, in the order in which snapshots list them.
const (
	KindNetwork Kind = iota
	KindNode
	KindMember
	KindAssignment
	KindUser
	KindSync
	KindToken
	KindReceipt
	numKinds
)

var kindNames = [numKinds]string{"network", "node", "member", "assignment", "user", "sync", "token", "receipt"}

// String returns the word of the kind as entry types have it: network, node …
func (k Kind) String() string { return kindNames[k] }

// parseKind reads the word of a kind.
func parseKind(word string) (Kind, bool) {
	k := slices.Index(kindNames[:], word)
	return Kind(max(k, 0)), k >= 0
}

// Plural returns the word under which snapshots list rows of the kind.
func (k Kind) Plural() string { return kindNames[k] + "s" }

// Record is a row of the state, or what is left to say of one that was
// deleted: its Key. Records in a State are shared and never written to.
type Record interface {
	kind() Kind
	network() uint16 // 0 for kinds that belong to no network
	node() uint32    // 0 for kinds that are about no node
}

// Network is a network and the rules of its directory.
type Network struct {
	NetworkID    uint16        `json:"network_id"`
	Name         string        `json:"name"`
	Enterprise   bool          `json:"enterprise"` // takes directory syncs
	RoleMappings []RoleMapping `json:"role_mappings"`
	IdentifyBy   string        `json:"identify_by"`
	CreatedAt    Time          `json:"created_at"`
}

// RoleMapping gives a role to everybody in a group of the identity provider.
type RoleMapping struct {
	Group string `json:"group"`
	Role  Role   `json:"role"`
}

// What a connector of the identity provider sends as the external id of a person. No
// rule of a directory sync rests on it.
const (
	IdentifyByID    = "id"
	IdentifyByEmail = "email"
)

// Node is a machine.
type Node struct {
	NodeID     uint32   `json:"node_id"`
	Hostname   string   `json:"hostname"`
	ExternalID string   `json:"external_id"` // of the person it belongs to, or empty
	Tags       []string `json:"tags"`
	CreatedAt  Time     `json:"created_at"`
}

// Member is a node's place in a network.
type Member struct {
	NetworkID uint16 `json:"network_id"`
	NodeID    uint32 `json:"node_id"`
	Role      Role   `json:"role"`
	JoinedAt  Time   `json:"joined_at"`
}

// Assignment is a role that waits for a person's node to join.
type Assignment struct {
	NetworkID  uint16 `json:"network_id"`
	ExternalID string `json:"external_id"`
	Role       Role   `json:"role"`
}

// User is what the directory last said of a person.
type User struct {
	NetworkID   uint16   `json:"network_id"`
	ExternalID  string   `json:"external_id"`
	DisplayName string   `json:"display_name"`
	Email       string   `json:"email"`
	Groups      []string `json:"groups"`
	Role        Role     `json:"role,omitzero"`        // as last given, not as in force
	MappedRole  Role     `json:"mapped_role,omitzero"` // what a mapping decided, and may take back
	Disabled    bool     `json:"disabled"`
	UpdatedAt   Time     `json:"updated_at"`
}

// Sync is the last directory sync of a network that changed something.
type Sync struct {
	NetworkID  uint16 `json:"network_id"`
	At         Time   `json:"at"`
	Actor      string `json:"actor"`
	SeqNo      uint64 `json:"seq_no"`
	SnapshotAt Time   `json:"snapshot_at,omitzero"` // newest picture seen of the directory
	Updated    int    `json:"updated"`
	Disabled   int    `json:"disabled"`
	Mapped     int    `json:"mapped"`
	Unmapped   int    `json:"unmapped"`
}

// Token is a credential. The token itself is nowhere, Hash is its SHA-256 in
// hexadecimal.
type Token struct {
	TokenID   string     `json:"token_id"`
	Name      string     `json:"name"`
	Role      AccessRole `json:"role"`
	Networks  []uint16   `json:"networks"` // sorted; empty reaches all
	Hash      string     `json:"hash"`
	ExpiresAt Time       `json:"expires_at,omitzero"`
	CreatedAt Time       `json:"created_at"`
}

// Expired reports whether the token is no longer good at now.
func (t *Token) Expired(now Time) bool { return t.ExpiresAt != 0 && now >= t.ExpiresAt }

// Key names a record that was deleted. Of its fields those are set that make
// up the key of the kind.
type Key struct {
	Kind       Kind   `json:"-"`
	NetworkID  uint16 `json:"network_id,omitzero"`
	NodeID     uint32 `json:"node_id,omitzero"`
	ExternalID string `json:"external_id,omitzero"`
	TokenID    string `json:"token_id,omitzero"`
	ReceiptID  string `json:"receipt_id,omitzero"`
}

func (*Network) kind() Kind    { return KindNetwork }
func (*Node) kind() Kind       { return KindNode }
func (*Member) kind() Kind     { return KindMember }
func (*Assignment) kind() Kind { return KindAssignment }
func (*User) kind() Kind       { return KindUser }
func (*Sync) kind() Kind       { return KindSync }
func (*Token) kind() Kind      { return KindToken }
func (k *Key) kind() Kind      { return k.Kind }

func (n *Network) network() uint16    { return n.NetworkID }
func (*Node) network() uint16         { return 0 }
func (m *Member) network() uint16     { return m.NetworkID }
func (a *Assignment) network() uint16 { return a.NetworkID }
func (u *User) network() uint16       { return u.NetworkID }
func (s *Sync) network() uint16       { return s.NetworkID }
func (*Token) network() uint16        { return 0 }
func (k *Key) network() uint16        { return k.NetworkID }

func (*Network) node() uint32    { return 0 }
func (n *Node) node() uint32     { return n.NodeID }
func (m *Member) node() uint32   { return m.NodeID }
func (*Assignment) node() uint32 { return 0 }
func (*User) node() uint32       { return 0 }
func (*Sync) node() uint32       { return 0 }
func (*Token) node() uint32      { return 0 }
func (k *Key) node() uint32      { return k.NodeID }

// equal reports whether n says the same as m, times of creation apart.
func (n *Network) equal(m *Network) bool {
	return n.Name == m.Name && n.Enterprise == m.Enterprise && n.IdentifyBy == m.IdentifyBy &&
		slices.Equal(n.RoleMappings, m.RoleMappings)
}

func (n *Node) equal(m *Node) bool {
	return n.Hostname == m.Hostname && n.ExternalID == m.ExternalID && slices.Equal(n.Tags, m.Tags)
}

// equal reports whether u says the same as v, the time of writing apart.
func (u *User) equal(v *User) bool {
	return u.ExternalID == v.ExternalID && u.DisplayName == v.DisplayName && u.Email == v.Email &&
		slices.Equal(u.Groups, v.Groups) && u.Role == v.Role && u.MappedRole == v.MappedRole &&
		u.Disabled == v.Disabled
}

// rolesByGroup returns the highest role that the mappings give to each group.
func (n *Network) rolesByGroup() map[string]Role {
	roles := make(map[string]Role, len(n.RoleMappings))
	for _, m := range n.RoleMappings {
		roles[m.Group] = max(roles[m.Group], m.Role)
	}
	return roles
}
