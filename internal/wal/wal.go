// Package wal keeps the gateway's history: numbered records, durable and in order, and snapshots of the state that
// they lead to, behind which the records may go.
//
// What it promises:
//
//   - Ordering. Records are numbered 1, 2, 3 … without holes. [Log.Append] takes only the next numbers, and [Log.Read]
//     yields them in that order, each once.
//   - Durability. When Append returns nil its records survive kill -9 and a power cut, all of them. When it does not,
//     a later open finds all of its records or none. A snapshot, the beginning of an epoch and a restored folder are
//     likewise there whole or not at all, and [Log.Replace] leaves all of one log or all of the other.
//   - Honesty. What was acknowledged is never dropped or altered in silence: a log that does not hold what it must is
//     refused with a [DamageError] that names the file, the offset and the seq_no. Only a write that was under way
//     when the power went may be cut off, and [Recovery] says so.
//   - After a failure nothing more is written. A failed write or sync leaves the page cache and the disk in doubt, so
//     every later Append fails with [ErrFailed] until the log is opened again. Snapshots are beside the log: one that
//     could not be saved, and a cut that could not be finished, cost nothing but themselves.
//   - No gap. [Log.Cut] removes records only when a stored snapshot holds what they led to, and in an order that leaves
//     a whole log after every accident.
//   - Blocking. Append returns after the disk has synced; it is meant for one writer that gathers records into groups.
//     [Log.MarkCommitted] does not wait for an Append under way, nor does a reader. Saving a snapshot and cutting wait
//     for each other, and neither for an Append nor an Append for them. Replacing makes all writing wait.
//   - Ownership of bytes. Append keeps none of the slices it is given. A record that Read yields is valid during that
//     call only. What is in a record and in the rows of a snapshot is not looked at.
package wal

import "io"

// Record is the bytes of a record as Append takes them: in pieces that stand one behind the other. A long record need
// not be made in one piece of memory.
type Record [][]byte

// Len is the length of the record in bytes.
func (r Record) Len() int {
	n := 0
	for _, piece := range r {
		n += len(piece)
	}
	return n
}

// Records returns records that are in one piece each.
func Records(whole ...[]byte) []Record {
	records := make([]Record, len(whole))
	for i := range whole {
		records[i] = whole[i : i+1 : i+1]
	}
	return records
}

// Log is a durable sequence of records, the history that it belongs to, and snapshots of what it led to. All methods
// may be called at the same time; calls of Append and BeginEpoch wait for each other, and so do calls of SaveSnapshot
// and Cut. Replace waits for all of these, and they for it.
type Log interface {
	// Append writes records as one group, numbered first, first+1, …; first must be Last()+1. committed is the newest
	// seq_no that may be shown once the group is durable: at most the last of the group; one that is lower than what
	// is known counts for nothing. A record holds at least one byte and no zero byte, as JSON never does.
	//
	// The group is durable when Append returns nil. ErrOrder, ErrRecord and ErrTooLarge refuse the call: nothing was
	// written, and the next call may succeed. After any other error every Append fails with ErrFailed.
	Append(first uint64, records []Record, committed uint64) error

	// BeginEpoch lets a new epoch begin behind Last: what is appended from now on belongs to it. It is durable when
	// BeginEpoch returns nil. Several epochs may begin at the same seq_no. ErrEpoch refuses a name that cannot be
	// stored or that this history has had, and one epoch more than 1,024; nothing was changed then. After any other
	// error every Append fails with ErrFailed, and a later open finds the epoch begun or not.
	//
	// Who follows another log begins each of its epochs when Last is what the SeqNo of that epoch is there, in their
	// order: then the lineages are the same.
	BeginEpoch(name string) error

	// MarkCommitted remembers that commits up to seqNo may be shown; it is to be called before they are. It never
	// steps back: a lower seqNo changes nothing. One beyond Last is refused with ErrOrder. It does not sync: kill -9
	// loses nothing of it, a power cut may lose the newest marks. ErrReplaced says that the log has become another
	// meanwhile, of which nothing was marked.
	MarkCommitted(seqNo uint64) error

	// Read yields the records after a seq_no, in order, up to the newest that is durable when it is called. It may
	// run while writing goes on. It ends at the first error that yield returns, and returns that error. The record
	// is valid during the call of yield only.
	//
	// It fails with ErrCut when the log begins later than after+1, and may do so on its way when records that it has
	// not come to yet are cut. When the log is replaced meanwhile, it ends with ErrReplaced before it yields anything
	// more.
	Read(after uint64, yield func(seqNo uint64, record []byte) error) error

	// SaveSnapshot stores the state that the records up to s.SeqNo led to; rows writes it. The lineage is filled in,
	// that of s does not count. The snapshot is there whole and durable when SaveSnapshot returns nil, and not at all
	// when it does not. It runs beside Append and Read.
	//
	// ErrOrder refuses a snapshot that is not newer than all that are stored, or that lies beyond Last. The error of
	// rows is returned as it is; no error here ends writing to the log.
	SaveSnapshot(s Snapshot, rows func(io.Writer) error) error

	// Snapshots lists the seq_nos of the stored snapshots, newest first, those that are damaged too. The slice is the
	// caller's.
	Snapshots() []uint64

	// ReadSnapshot calls rows once with a stored snapshot, and reads to its end what rows leaves unread. What rows was
	// given counts only when ReadSnapshot returns nil. A DamageError says that something is wrong with the snapshot,
	// whatever rows made of the failing read; otherwise the error of rows is returned as it is. ErrNoSnapshot says
	// that none of that seq_no is stored, or not any more, ErrReplaced that the log was replaced meanwhile.
	ReadSnapshot(seqNo uint64, rows func(Snapshot, io.Reader) error) error

	// Cut removes what nobody needs any more. window is the seq_no from which readers may still resume, the state
	// before the first commit that is kept ready for them. The two newest snapshots stay, the newest one at or before
	// window, and the oldest one after it, which takes its place when the window has moved on. So do all records after
	// the oldest snapshot that stays, and where no snapshot is at or before window, all records. A snapshot known to
	// be damaged counts for nothing and goes, unless there is no other.
	//
	// An error means that something which could go is still there; the next Cut tries again.
	Cut(window uint64) error

	// Replace puts a snapshot, and the history that it belongs to, in the place of all that the log holds. Afterwards
	// it holds this snapshot, of whatever seq_no, and no record; its lineage is that of s, the last epoch in force;
	// Last and Committed are s.SeqNo, and the next record is the one after it. rows writes the snapshot's rows; it
	// may take its time and must not write to this log, for which all writing waits. Until it has returned nothing
	// is touched of what the log holds, and there must be room for both.
	//
	// The new log is durable when Replace returns nil. ErrEpoch refuses a lineage that cannot be that of a history up
	// to s.SeqNo. After that, after an error of rows, which is returned as it is, and after any other error but
	// ErrFailed the log is what it was, and goes on. After ErrFailed it takes nothing more, may not be readable
	// (ErrReplaced), and a later open finds the old log or the new one, whole, as it does after every accident.
	Replace(s Snapshot, rows func(io.Writer) error) error

	// First is the seq_no of the oldest record that the log holds, Last()+1 when it holds none.
	First() uint64

	// Last is the newest durable seq_no, 0 when the log is empty.
	Last() uint64

	// Committed is the newest seq_no that may be shown, as found at open or marked since.
	Committed() uint64

	// Lineage lists the epochs of this history, oldest first; the last one is in force. The slice is the caller's.
	Lineage() []Epoch

	// Close waits for an Append under way and gives the log free. A SaveSnapshot or a Replace under way ends with
	// ErrClosed, unless it is past the point from which it cannot go back. Closing twice is harmless.
	Close() error
}

// Epoch is one stretch of a history.
type Epoch struct {
	Name  string // letters, digits and '-', 1 to 64 bytes
	SeqNo uint64 // the last commit before this epoch
}

// Snapshot says what a stored state is a state of.
type Snapshot struct {
	SeqNo   uint64  // the newest commit in it, 0 for the state before the first
	Lineage []Epoch // the history up to there, oldest first
	Rows    uint64  // how many rows there are, as told by who wrote them
	Digest  uint64  // of the state, as told by who wrote it
}
