package hub

import (
	"slices"
	"time"
)

// held is a commit in the window.
type held struct {
	Commit
	pushed time.Time
	end    int // bytes of all commits up to this one, since the last reset
}

// window is the newest commits, without holes. It is not safe for concurrent use.
//
//	oldest        first            last
//	  | ... kept ... | ... window ... |
//
// What lies before first is kept for readers of a snapshot only; a new
// subscriber is never resumed from there.
type window struct {
	maxCommits, maxBytes int

	commits   []*held // oldest to last, from index head on
	head      int     // the slots before it are empty
	oldest    uint64  // seq_no of the first commit kept
	first     uint64  // seq_no of the first commit of the window
	keptBytes int     // of oldest to last
	bytes     int     // of first to last
	base      uint64  // digest of the state at oldest-1
	baseEnd   int     // end of the commit oldest-1
}

// reset empties the window; the next commit is the one after seq.
func (w *window) reset(seq, digest uint64) {
	*w = window{maxCommits: w.maxCommits, maxBytes: w.maxBytes, oldest: seq + 1, first: seq + 1, base: digest}
}

// last is the seq_no of the newest commit ever appended since the last reset.
func (w *window) last() uint64 { return w.oldest + uint64(w.len()) - 1 }

// len is the number of commits kept.
func (w *window) len() int { return len(w.commits) - w.head }

func (w *window) at(seq uint64) *held { return w.commits[w.head+int(seq-w.oldest)] }

// append takes the commit after last.
func (w *window) append(c *held) {
	c.end = w.end(w.last()) + c.Bytes
	w.commits = append(w.commits, c)
	w.keptBytes += c.Bytes
	w.bytes += c.Bytes
}

// between returns the commits after seq up to and including to, which must be
// kept. The slice is the caller's own.
func (w *window) between(seq, to uint64) []*held {
	from := w.head + int(seq+1-w.oldest)
	return slices.Clone(w.commits[from : from+int(to-seq)])
}

// end is that of the commit seq, for seq from oldest-1 to last.
func (w *window) end(seq uint64) int {
	if seq == w.oldest-1 {
		return w.baseEnd
	}
	return w.at(seq).end
}

// digest is that of the state at seq, for seq from oldest-1 to last.
func (w *window) digest(seq uint64) uint64 {
	if seq == w.oldest-1 {
		return w.base
	}
	return w.at(seq).Digest
}

// trim moves first up until the limits hold, but never beyond the newest commit
// nor beyond shown+1. Commits before first are dropped, except those after pin,
// which are kept while all that is kept stays within twice the limits.
func (w *window) trim(shown, pin uint64) {
	for w.last() > w.first && w.first <= shown && w.over(w.last()-w.first+1, w.bytes, 1) {
		w.bytes -= w.at(w.first).Bytes
		w.first++
	}
	for w.oldest < w.first && (w.oldest <= pin || w.over(uint64(w.len()), w.keptBytes, 2)) {
		w.drop()
	}
	w.compact()
}

func (w *window) over(commits uint64, bytes, factor int) bool {
	return commits > uint64(factor*w.maxCommits) || bytes > factor*w.maxBytes
}

func (w *window) drop() {
	c := w.commits[w.head]
	w.commits[w.head] = nil
	w.head++
	w.oldest++
	w.keptBytes -= c.Bytes
	w.base, w.baseEnd = c.Digest, c.end
}

// compact moves the commits to the front once half of the slots are empty, which
// costs each commit O(1) on average.
func (w *window) compact() {
	if w.head <= len(w.commits)/2 {
		return
	}
	n := copy(w.commits, w.commits[w.head:])
	clear(w.commits[n:])
	w.commits = w.commits[:n]
	w.head = 0
}
