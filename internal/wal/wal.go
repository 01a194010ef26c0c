// Package wal keeps the gateway's history: numbered records, durable and in order.
//
// What it promises:
//
//   - Ordering. Records are numbered 1, 2, 3 … without holes. [Log.Append] takes only the next numbers, and [Log.Read]
//     yields them in that order, each once.
//   - Durability. When Append returns nil its records survive kill -9 and a power cut, all of them. When it does not,
//     a later open finds all of its records or none.
//   - Honesty. What was acknowledged is never dropped or altered in silence: a log that does not hold what it must is
//     refused with a [DamageError] that names the file, the offset and the seq_no. Only a write that was under way
//     when the power went may be cut off, and [Recovery] says so.
//   - After a failure nothing more is written. A failed write or sync leaves the page cache and the disk in doubt, so
//     every later Append fails with [ErrFailed] until the log is opened again.
//   - Blocking. Append returns after the disk has synced; it is meant for one writer that gathers records into groups.
//     [Log.MarkCommitted] does not wait for an Append under way, nor does a reader.
//   - Ownership of bytes. Append keeps none of the slices it is given. A record that Read yields is valid during that
//     call only.
package wal

// Log is a durable sequence of records and the history that it belongs to. All methods may be called at the same
// time; calls of Append wait for each other.
//
// Snapshots and the cutting of the log behind them belong to this interface too.
type Log interface {
	// Append writes records as one group, numbered first, first+1, …; first must be Last()+1. committed is the newest
	// seq_no that may be shown once the group is durable: at most the last of the group; one that is lower than what
	// is known counts for nothing. A record holds at least one byte and no zero byte, as JSON never does.
	//
	// The group is durable when Append returns nil. ErrOrder, ErrRecord and ErrTooLarge refuse the call: nothing was
	// written, and the next call may succeed. After any other error every Append fails with ErrFailed.
	Append(first uint64, records [][]byte, committed uint64) error

	// MarkCommitted remembers that commits up to seqNo may be shown; it is to be called before they are. It never
	// steps back: a lower seqNo changes nothing. One beyond Last is refused with ErrOrder. It does not sync: kill -9
	// loses nothing of it, a power cut may lose the newest marks.
	MarkCommitted(seqNo uint64) error

	// Read yields the records after a seq_no, in order, up to the newest that is durable when it is called. It may
	// run while writing goes on. It ends at the first error that yield returns, and returns that error. The record
	// is valid during the call of yield only.
	Read(after uint64, yield func(seqNo uint64, record []byte) error) error

	// Last is the newest durable seq_no, 0 when the log is empty.
	Last() uint64

	// Committed is the newest seq_no that may be shown, as found at open or marked since.
	Committed() uint64

	// Lineage lists the epochs of this history, oldest first; the last one is in force. The slice is the caller's.
	Lineage() []Epoch

	// Close waits for an Append under way and gives the log free. Closing twice is harmless.
	Close() error
}

// Epoch is one stretch of a history.
type Epoch struct {
	Name  string // letters, digits and '-', 1 to 64 bytes
	SeqNo uint64 // the last commit before this epoch
}
