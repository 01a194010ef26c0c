package directory

import "fmt"

// Role is what a member may do in its network. Roles are ordered: a higher
// one outranks a lower one, and NoRole is below all.
type Role uint8

// The roles, lowest first.
const (
	NoRole Role = iota
	RoleMember
	RoleAdmin
	RoleOwner
)

var roleNames = [...]string{"", "member", "admin", "owner"}

// ParseRole accepts exactly the names owner, admin and member, and the empty
// string for NoRole.
func ParseRole(s string) (Role, error) {
	if r, known := parseRole(s); known {
		return r, nil
	}
	return NoRole, fmt.Errorf("unknown role %q: want owner, admin or member", s)
}

func parseRole[S string | []byte](s S) (r Role, known bool) {
	for i, name := range roleNames {
		if string(s) == name {
			return Role(i), true
		}
	}
	return NoRole, false
}

func (r Role) String() string { return roleNames[r] }

// MarshalText implements encoding.TextMarshaler.
func (r Role) MarshalText() ([]byte, error) { return []byte(roleNames[r]), nil }

// UnmarshalText implements encoding.TextUnmarshaler by way of ParseRole.
func (r *Role) UnmarshalText(b []byte) (err error) {
	*r, err = ParseRole(string(b))
	return err
}

// AccessRole is what the bearer of a token may do at the gateway.
type AccessRole string

// The access roles.
const (
	AccessAdmin   AccessRole = "admin"   // everything
	AccessSync    AccessRole = "sync"    // directory syncs, and how they stand
	AccessViewer  AccessRole = "viewer"  // reads and streams, nothing of people
	AccessReplica AccessRole = "replica" // streams with every record
)
