package gateway

import (
	"errors"

	"github.com/replication-gateway/gateway/internal/wal"
)

// What Do, Await and Open may return beside the refusals of package directory.
var (
	// ErrStorageFailed means that the log failed. Whether a command that was
	// under way then was made shows after the restart.
	ErrStorageFailed = errors.New("storage failed")
	// ErrTooLarge refuses a commit over MaxCommit bytes.
	ErrTooLarge = errors.New("the commit is too large")
	// ErrClosed means that the gateway is closing.
	ErrClosed = errors.New("the gateway is closing")
	// ErrPositionNotReached means that a position was waited for in vain.
	ErrPositionNotReached = errors.New("position not reached")
	// ErrStandby means that the gateway decides nothing: its primary does.
	ErrStandby = errors.New("this gateway is a standby")
	// ErrNoState means that a standby never held a full state.
	ErrNoState = errors.New("this standby has not been given a full state yet")
	// ErrCannotFollow means that a standby is refused where it wants to follow.
	ErrCannotFollow = errors.New("this standby cannot follow its primary")
	// ErrNotReplicated means that a command was carried out and is durable here,
	// and that not enough standbys had it on disk in time.
	ErrNotReplicated = errors.New("not enough standbys have acknowledged the change in time")
	// ErrStandbysBehind refuses a command while what waits to be acknowledged
	// fills the window.
	ErrStandbysBehind = errors.New("the standbys are too far behind")
	// ErrBadHistory means that what a primary sent does not follow on what is here.
	ErrBadHistory = errors.New("what the primary sent does not follow on what is here")
)

// ErrCut means that the log begins later than what was asked for.
var ErrCut = wal.ErrCut

// MaxCommit is the size in bytes that the entries of one commit may have.
const MaxCommit = 256 << 20
