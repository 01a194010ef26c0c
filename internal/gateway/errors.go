package gateway

import "errors"

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
)

// MaxCommit is the size in bytes that the entries of one commit may have.
const MaxCommit = 256 << 20
