package wal

import (
	"errors"
	"fmt"
	"syscall"
)

var (
	// ErrDamaged says that what is stored is not what was written. See DamageError.
	ErrDamaged = errors.New("damaged")
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
	// ErrEpoch refuses an epoch: its name, its place, or one too many.
	ErrEpoch = errors.New("unusable epoch")
	// ErrCut says that records were asked for that have been cut off.
	ErrCut = errors.New("log was cut")
	// ErrReplaced ends the reading of a log that was replaced meanwhile.
	ErrReplaced = errors.New("log was replaced")
	// ErrNoSnapshot says that no snapshot of that seq_no is stored.
	ErrNoSnapshot = errors.New("no such snapshot")
	// ErrNotEmpty refuses to restore into a folder that holds something.
	ErrNotEmpty = errors.New("folder is not empty")
	// ErrUnfinished says that a restore into the folder did not come to its end. It can be run again.
	ErrUnfinished = errors.New("restore was not finished")
	// ErrReplacing says that a log takes the place of another, and that a crash came in between. Open ends it.
	ErrReplacing = errors.New("replacing the log was not finished; the next start of the gateway does that")
	// ErrNoLog says that a folder holds nothing of a log.
	ErrNoLog = errors.New("folder holds no log")
)

// lost tells whether an error of the file system says that what is stored cannot be had: a bad sector, a checksum of
// the file system's own, a folder or a link to itself where a file was.
func lost(err error) bool {
	return errors.Is(err, syscall.EIO) || errors.Is(err, syscall.EBADMSG) || errors.Is(err, syscall.EISDIR) || errors.Is(err, syscall.ELOOP)
}

// DamageError says where something stored stopped being what was written, or cannot be read. errors.Is(err, ErrDamaged)
// holds for it.
type DamageError struct {
	File   string // path of the file, "" for a snapshot that was read from elsewhere
	Offset int64  // where in the file the fault lies, in bytes
	SeqNo  uint64 // the seq_no that is expected there, that of a snapshot, 0 where none can be told
	Reason string // what is wrong, for an operator to read
}

func (e *DamageError) Error() string {
	file := e.File
	if file == "" {
		file = "snapshot"
	}
	return fmt.Sprintf("%s: %v at offset %d, seq_no %d: %s", file, ErrDamaged, e.Offset, e.SeqNo, e.Reason)
}

// Unwrap makes errors.Is(err, ErrDamaged) true.
func (e *DamageError) Unwrap() error { return ErrDamaged }
