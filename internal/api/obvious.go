package api

import "github.com/replication-gateway/gateway/internal/directory"

// Bounds in bytes, where the tags count characters, of which there are no more.
const (
	obviousText   = 1024
	obviousGroups = 256
)

// obviousEntry reports whether an entry of a directory sync is valid at first sight,
// as nearly all are. It spares a hundred thousand of them the validator, which has
// the last word on all that is not obvious: what is said here is never more than
// what the tags of the type say.
func obviousEntry(e *directory.DirectoryEntry) bool {
	if directory.CheckExternalID(e.ExternalID) != nil {
		return false
	}
	if e.DisplayName != nil && len(*e.DisplayName) > obviousText {
		return false
	}
	if e.Email != nil && (len(*e.Email) > maxAddress || !isDotAtomAddress(*e.Email)) {
		return false
	}
	if e.Role != nil && *e.Role != "owner" && *e.Role != "admin" && *e.Role != "member" {
		return false
	}
	if e.Groups == nil {
		return true
	}
	if len(*e.Groups) > obviousGroups {
		return false
	}
	for _, group := range *e.Groups {
		if group == "" || len(group) > obviousText {
			return false
		}
	}
	return true
}
