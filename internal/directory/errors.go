package directory

import (
	"errors"
	"fmt"
)

// Refusals. Decide wraps them with the facts.
var (
	ErrNetworkNotFound      = errors.New("no such network")
	ErrNodeNotFound         = errors.New("no such node")
	ErrMemberNotFound       = errors.New("the node is no member of the network")
	ErrNotFound             = errors.New("not found")
	ErrNetworkNotEnterprise = errors.New("the network takes no directory syncs, enterprise is false")
	ErrConflictingEntries   = errors.New("one external id stands twice with differing content")
	ErrStaleSnapshot        = errors.New("snapshot_at is older than that of the last sync")
	ErrLastOwner            = errors.New("the network would lose its last owner")
	ErrRemovalThreshold     = errors.New("the sync would remove more members than the safety threshold allows")
	ErrPlanChanged          = errors.New("confirm_plan names another plan than the one now in force")
)

// OpError is the refusal of one op of a batch, and with it of the batch.
type OpError struct {
	Index int
	Err   error
}

func (e *OpError) Error() string { return fmt.Sprintf("op %d: %v", e.Index, e.Err) }
func (e *OpError) Unwrap() error { return e.Err }

// PlanError is the refusal of a directory sync whose plan the sender should
// look at before it says yes.
type PlanError struct {
	Plan DirectorySyncResult // what would have been done
	Err  error
}

func (e *PlanError) Error() string { return e.Err.Error() }
func (e *PlanError) Unwrap() error { return e.Err }

// ConflictError says which entries of a directory sync contradict each other.
type ConflictError struct {
	Indexes []int // of the entries that differ from an earlier one of the same id
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("%v (%d entries)", ErrConflictingEntries, len(e.Indexes))
}
func (e *ConflictError) Unwrap() error { return ErrConflictingEntries }
