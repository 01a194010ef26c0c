package gateway

import (
	"errors"

	"github.com/replication-gateway/gateway/internal/wal"
)

// What the methods of a Gateway may return. [Do] and what a command is carried out
// with return the refusals of package directory as well, Open those of package wal.
var (
	// ErrStarting means that the gateway has not read its data yet: Ready.
	ErrStarting = errors.New("the gateway is starting")
	// ErrStorageFailed means that the log failed: all that writes, and Ready.
	// Whether a command that was under way then was made shows after the restart.
	ErrStorageFailed = errors.New("storage failed")
	// ErrTooLarge refuses a commit over MaxCommit bytes: Do.
	ErrTooLarge = errors.New("the commit is too large")
	// ErrClosed means that the gateway is closing: Do and Ready.
	ErrClosed = errors.New("the gateway is closing")
	// ErrTokenEnded refuses a command whose token was revoked or has expired before
	// its turn came: Do.
	ErrTokenEnded = errors.New("the token has been revoked or has expired")
	// ErrPositionNotReached means that a position was waited for in vain: Await.
	ErrPositionNotReached = errors.New("position not reached")
	// ErrNotReplicated means that a command was carried out and is durable here,
	// and that not enough standbys had it on disk in time: Do.
	ErrNotReplicated = errors.New("not enough standbys have acknowledged the change in time")
	// ErrStandbysBehind refuses a command while what waits to be acknowledged
	// fills the window: Do.
	ErrStandbysBehind = errors.New("the standbys are too far behind")
	// ErrBadAck refuses an acknowledgement of another epoch, or of a commit that
	// the stream was never sent: Follower.Ack.
	ErrBadAck = errors.New("acknowledges what was not sent")

	// ErrStandby means that the gateway decides nothing, its primary does: Do.
	ErrStandby = errors.New("this gateway is a standby")
	// ErrNotStandby refuses what only a standby does: Replicate, Commit,
	// EnterEpoch and Adopt.
	ErrNotStandby = errors.New("this gateway is primary")
	// ErrBadHistory means that what a primary sent does not follow on what is
	// here: Replicate.
	ErrBadHistory = errors.New("what the primary sent does not follow on what is here")
	// ErrNoState means that a standby never held a full state: Ready and Promote.
	ErrNoState = errors.New("this standby has not been given a full state yet")
	// ErrCannotFollow means that a standby is refused where it wants to follow: Ready.
	ErrCannotFollow = errors.New("this standby cannot follow its primary")
)

// ErrCut means that the log begins later than what was asked for.
var ErrCut = wal.ErrCut

// MaxCommit is the size in bytes that the entries of one commit may have.
const MaxCommit = 256 << 20
