package hub

import "iter"

// Class names a kind of reader, in the words of whoever pushes. The hub only
// compares classes. All subscribers of a class are shown the same entries.
type Class string

// State is a frozen state that a subscriber can start from.
type State struct {
	// SeqNo is the newest commit that the state contains, 0 for none.
	SeqNo uint64
	// Digest is a digest of the whole state.
	Digest uint64
	// Parts yields the state as a class sees it: JSON objects, each the value
	// of a frame's "snapshot", each of at most max bytes unless one row alone is
	// larger. The bytes are good until the next step, so that a state is not held
	// twice while it is encoded. Parts is called from any goroutine and without a
	// lock held. nil stands for an empty state.
	Parts func(c Class, max int) iter.Seq[[]byte]
}

// Commit is one committed change.
type Commit struct {
	// SeqNo is one more than that of the commit before.
	SeqNo uint64
	// Digest is the digest of the whole state after the commit.
	Digest uint64
	// Bytes is what the commit counts for in the window.
	Bytes int
	// Entries returns the encoded entries that a class sees, in order, none if
	// the commit is invisible to it. It is called from any goroutine and without
	// a lock held, possibly more than once.
	Entries func(c Class) [][]byte
}
