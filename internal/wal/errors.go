package wal

import (
	"errors"
	"fmt"
)

var (
	// ErrDamaged says that the stored log does not hold what it must. See DamageError.
	ErrDamaged = errors.New("log is damaged")
	// ErrLocked says that another process has the folder open.
	ErrLocked = errors.New("folder is in use by another gateway")
	// ErrFailed says that storage failed; the log takes nothing until it is opened again.
	ErrFailed = errors.New("storage failed")
	// ErrClosed says that the log was closed.
	ErrClosed = errors.New("log is closed")
	// ErrOrder refuses a seq_no that is not the one that must come next, or that lies beyond the end.
	ErrOrder = errors.New("seq_no out of order")
	// ErrRecord refuses a record that is empty or holds a zero byte.
	ErrRecord = errors.New("record is empty or holds a zero byte")
	// ErrTooLarge refuses a group that is larger than a frame may be.
	ErrTooLarge = errors.New("group is too large")
	// ErrEpoch refuses the name of an epoch.
	ErrEpoch = errors.New("unusable name of an epoch")
)

// DamageError says where a stored log stopped being what was written. errors.Is(err, ErrDamaged) holds for it.
type DamageError struct {
	File   string // path of the file
	Offset int64  // where in the file the fault lies, in bytes
	SeqNo  uint64 // the seq_no that is expected there, 0 where none can be told
	Reason string // what is wrong, for an operator to read
}

func (e *DamageError) Error() string {
	return fmt.Sprintf("%s: %v at offset %d, seq_no %d: %s", e.File, ErrDamaged, e.Offset, e.SeqNo, e.Reason)
}

// Unwrap makes errors.Is(err, ErrDamaged) true.
func (e *DamageError) Unwrap() error { return ErrDamaged }
