package client

import "github.com/replication-gateway/gateway/internal/directory"

// The records, as docs/protocol.md names their fields. Those that come from this
// package are shared between readers: nobody may change them.
type (
	Network     = directory.Network
	RoleMapping = directory.RoleMapping
	Node        = directory.Node
	Member      = directory.Member
	Assignment  = directory.Assignment
	User        = directory.User
	Sync        = directory.Sync
	Token       = directory.Token
	Receipt     = directory.Receipt

	// Record is a pointer to one of the records, or a *Key in the place of one
	// that was deleted.
	Record = directory.Record
	Key    = directory.Key
	Kind   = directory.Kind

	// DeltaEntry is one change, decoded: Data is the whole new record of a put,
	// or the *Key of a delete.
	DeltaEntry = directory.DeltaEntry
	EntryType  = directory.EntryType

	Role       = directory.Role       // of a member
	AccessRole = directory.AccessRole // of a token
	Time       = directory.Time       // in milliseconds

	// Position is where a reader stands: a commit of a named history.
	Position = directory.Position
	// Lineage lists the epochs of a history, oldest first, each with the last
	// commit before it.
	Lineage = directory.Lineage
	Epoch   = directory.Epoch
)

// The kinds of records.
const (
	KindNetwork    = directory.KindNetwork
	KindNode       = directory.KindNode
	KindMember     = directory.KindMember
	KindAssignment = directory.KindAssignment
	KindUser       = directory.KindUser
	KindSync       = directory.KindSync
	KindToken      = directory.KindToken
	KindReceipt    = directory.KindReceipt
)

// The roles of members, lowest first.
const (
	NoRole     = directory.NoRole
	RoleMember = directory.RoleMember
	RoleAdmin  = directory.RoleAdmin
	RoleOwner  = directory.RoleOwner
)

// ParsePosition reads EPOCH:SEQ_NO, as Position.String and the header
// Gateway-Position write it.
func ParsePosition(s string) (Position, error) { return directory.ParsePosition(s) }
