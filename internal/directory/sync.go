package directory

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// DirectoryEntry is what the identity provider says of one person. What is nil
// was not said and stays as it is recorded; Disabled is always said.
type DirectoryEntry struct {
	ExternalID  string    `json:"external_id" validate:"external_id"`
	DisplayName *string   `json:"display_name,omitzero" validate:"omitnil,max=1024"`
	Email       *string   `json:"email,omitzero" validate:"omitnil,address"`
	Groups      *[]string `json:"groups,omitzero" validate:"omitnil,max=256,dive,required,max=1024"`
	Role        *string   `json:"role,omitzero" validate:"omitnil,oneof=owner admin member"`
	Disabled    bool      `json:"disabled"`
}

// DirectorySyncRequest is one picture of a directory, or a part of one.
type DirectorySyncRequest struct {
	NetworkID      uint16           `json:"network_id" validate:"required"`
	Entries        []DirectoryEntry `json:"entries" validate:"required,min=1,dive"`
	RemoveUnlisted bool             `json:"remove_unlisted"`
	DryRun         bool             `json:"dry_run"`
	ConfirmPlan    string           `json:"confirm_plan,omitzero"`
	SnapshotAt     *Time            `json:"snapshot_at,omitzero"`
}

// Outcome is what a sync did to the memberships and assignments of a person.
type Outcome string

// The outcomes.
const (
	OutcomeUpdated    Outcome = "updated"    // a member's role changed
	OutcomeRemoved    Outcome = "removed"    // members were taken out
	OutcomeAssigned   Outcome = "assigned"   // an assignment was put or changed
	OutcomeUnassigned Outcome = "unassigned" // an assignment was deleted
	OutcomeUnmapped   Outcome = "unmapped"   // no member matches and no assignment waits
	OutcomeUnchanged  Outcome = "unchanged"
)

// DirectorySyncItem is what became of one entry.
type DirectorySyncItem struct {
	Index      int      `json:"index"` // in the request
	ExternalID string   `json:"external_id"`
	Outcome    Outcome  `json:"outcome"`
	NodeIDs    []uint32 `json:"node_ids"`
	RoleFrom   Role     `json:"role_from,omitzero"`
	RoleTo     Role     `json:"role_to,omitzero"`
}

// DirectorySyncResult is the answer to a directory sync.
type DirectorySyncResult struct {
	Updated             int                 `json:"updated"`
	Disabled            int                 `json:"disabled"`
	Mapped              int                 `json:"mapped"`
	Unmapped            int                 `json:"unmapped"`
	Actions             []string            `json:"actions,omitzero"` // nil in an answer that was kept in brief
	Items               []DirectorySyncItem `json:"items,omitzero"`   // likewise
	Warnings            []string            `json:"warnings"`
	SkippedNoExternalID int                 `json:"skipped_no_external_id"`
	PlanDigest          string              `json:"plan_digest"`
	DryRun              bool                `json:"dry_run"`

	// What a refusal by the removal threshold shows beside the plan.
	Removed    int `json:"-"` // members that would be removed
	Identified int `json:"-"` // members with an external id
}

// Person is a DirectoryEntry made ready for planning: its groups are sorted, each
// once.
type Person struct {
	*DirectoryEntry
	Index      int    // in the request
	Normalized string // its external id
}

// role returns the role that was given, or NoRole.
func (p *Person) role() Role {
	if p.Role == nil {
		return NoRole
	}
	role, _ := ParseRole(*p.Role) // validated
	return role
}

// ParseDirectoryEntries makes validated entries ready for planning: sorted by
// normalized external id, each once. Equal entries of one id collapse into the
// one with the bytewise first spelling, with a warning; differing ones are
// refused with a *ConflictError. It takes the entries over: their groups become
// sets, and the people share their memory, which must not change any more.
func ParseDirectoryEntries(entries []DirectoryEntry) (people []Person, warnings []string, err error) {
	all := make([]Person, len(entries))
	for i := range entries {
		e := &entries[i]
		if e.Groups != nil {
			*e.Groups = sortedSet(*e.Groups)
		}
		all[i] = Person{e, i, NormalizeExternalID(e.ExternalID)}
	}
	slices.SortFunc(all, Person.compare)
	people = all[:0]
	var conflict ConflictError
	for group := range chunkBy(all, func(a, b *Person) bool { return a.Normalized == b.Normalized }) {
		if len(group) > 1 {
			first, before := slices.MinFunc(group, func(a, b Person) int { return cmp.Compare(a.Index, b.Index) }), len(conflict.Indexes)
			for i := range group {
				if !group[i].says(&first) {
					conflict.Indexes = append(conflict.Indexes, group[i].Index)
				}
			}
			if len(conflict.Indexes) == before {
				warnings = append(warnings, fmt.Sprintf("%s stands %d times with equal content and counts once", group[0].ExternalID, len(group)))
			}
		}
		people = append(people, group[0]) // in the place of one that was looked at
	}
	if len(conflict.Indexes) > 0 {
		slices.Sort(conflict.Indexes)
		return nil, nil, &conflict
	}
	return people, warnings, nil
}

// compare orders people by normalized external id, then by how it is written, then
// as they came.
func (p Person) compare(q Person) int {
	if c := strings.Compare(p.Normalized, q.Normalized); c != 0 {
		return c
	}
	return cmp.Or(strings.Compare(p.ExternalID, q.ExternalID), cmp.Compare(p.Index, q.Index))
}

// sortedSet returns the items sorted, each once. They stay where they are unless
// some stood there twice: the state keeps the set, and is to keep nothing else.
func sortedSet(items []string) []string {
	if items == nil {
		return []string{}
	}
	slices.Sort(items)
	if set := slices.Compact(items); len(set) < len(items) {
		return slices.Clone(set)
	}
	return items
}

// says reports whether p and q say the same of a person.
func (p *Person) says(q *Person) bool {
	same := func(a, b *string) bool { return a == b || a != nil && b != nil && *a == *b }
	return same(p.DisplayName, q.DisplayName) && same(p.Email, q.Email) && p.role() == q.role() && p.Disabled == q.Disabled &&
		(p.Groups == nil) == (q.Groups == nil) && (p.Groups == nil || slices.Equal(*p.Groups, *q.Groups))
}

// chunkBy yields the longest runs of neighbours that are the same.
func chunkBy[T any](list []T, same func(a, b *T) bool) func(yield func([]T) bool) {
	return func(yield func([]T) bool) {
		for start := 0; start < len(list); {
			end := start + 1
			for end < len(list) && same(&list[start], &list[end]) {
				end++
			}
			if !yield(list[start:end]) {
				return
			}
			start = end
		}
	}
}
