package wal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
)

// keepBuffer is the largest frame buffer that is kept from one Append to the next.
const keepBuffer = 4 << 20

// File is a Log in a folder of this process alone.
type File struct {
	dir         string
	fs          FS
	segmentSize int64
	lock        io.Closer
	failed      func(error) // told when writing ended while nobody wrote

	// writing is held while the end of the log changes.
	writing sync.Mutex
	active  activeSegment
	buf     []byte // frame under construction

	// keeping is held while snapshots are written and while what is not needed goes. Who takes writing too takes it
	// after keeping. Only with both of them held does the log become another.
	keeping sync.Mutex
	owed    []string // paths of files that are to go and may still be there, in the order in which they must

	// mu guards what readers see. It is never held across I/O.
	mu        sync.RWMutex
	mark      *committedFile // changes while keeping and writing are held too
	lineage   []Epoch        // changes while writing is held too
	segments  []*segment     // oldest first, never empty; the last one is active
	snapshots []stored       // oldest first
	last      uint64
	failure   error // what ended writing
	closed    bool
	between   bool // one log takes the place of another, and neither can be read
	// era counts how often that happened. It moves on while mu is held, before a path leads to a file of the new log:
	// what was read is of the log that it was taken for when the era is still the same afterwards.
	era atomic.Uint64
}

var _ Log = (*File)(nil)

// activeSegment is the segment that is written to.
type activeSegment struct {
	*segment
	file  Handle
	ahead *zeroAhead
}

// close ends the filling and closes the segment's file.
func (a activeSegment) close() error { return errors.Join(a.ahead.stop(), a.file.Close()) }

// Append implements Log.
func (l *File) Append(first uint64, records []Record, committed uint64) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	if err := l.admit(first, records, committed); err != nil {
		return err
	}
	committed = max(committed, l.mark.known())
	if err := l.write(first, records, committed); err != nil {
		return l.fail(err)
	}
	return nil
}

// admit refuses a group that must not be written.
func (l *File) admit(first uint64, records []Record, committed uint64) error {
	if err := l.usable(); err != nil {
		return err
	}
	if last := l.Last(); first != last+1 || len(records) == 0 || committed >= first+uint64(len(records)) {
		return fmt.Errorf("%w: %d records from %d on, committed %d, where the log ends at %d",
			ErrOrder, len(records), first, committed, last)
	}
	for i, r := range records {
		if r.Len() == 0 || slices.ContainsFunc(r, hasZero) {
			return fmt.Errorf("%w: seq_no %d", ErrRecord, first+uint64(i))
		}
	}
	_, err := bodyLen(records)
	return err
}

func hasZero(piece []byte) bool { return bytes.IndexByte(piece, 0) >= 0 }

// usable tells whether the log takes changes.
func (l *File) usable() error {
	l.mu.RLock()
	defer l.mu.RUnlock()
	switch {
	case l.closed:
		return ErrClosed
	case l.failure != nil:
		return fmt.Errorf("%w earlier: %w", ErrFailed, l.failure)
	}
	return nil
}

// write puts a group at the end of the log, in a new segment when the active one is spent, and makes it durable.
func (l *File) write(first uint64, records []Record, committed uint64) error {
	n, err := bodyLen(records)
	if err != nil {
		return err
	}
	// The seal must fit behind the frame.
	end := l.active.end + (frameHeader{bodyLen: n}).size() + frameHeaderLen
	if end > l.segmentSize && !l.active.empty() {
		if err := l.roll(first, l.lineage); err != nil {
			return err
		}
	}
	pieces, h, buf := encodeFrame(l.buf, l.active.seed, first, committed, records)
	l.buf = buf
	if err := l.active.append(pieces...); err != nil {
		return err
	}
	if cap(l.buf) > keepBuffer {
		l.buf = nil
	}
	if err := l.mark.learn(committed, h.next()-1); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.active.note(h)
	l.last = h.next() - 1
	return nil
}

// append writes the pieces of an encoded frame at the end and makes it durable. It does not move the end.
func (a activeSegment) append(pieces ...[]byte) error {
	if err := a.ahead.write(a.file, a.end, pieces); err != nil {
		return fmt.Errorf("write to %s: %w", a.path, err)
	}
	if err := a.file.Sync(); err != nil {
		return fmt.Errorf("sync %s: %w", a.path, err)
	}
	named, err := a.file.Named()
	if err == nil && !named {
		err = fmt.Errorf("%s was deleted, and what is written to it would be lost with this process", a.path)
	}
	return err
}

// roll begins the segment whose first seq_no is next, in a history, and seals the active one. The new segment is made
// first, so that a seal always has a successor, and at most an empty segment follows one without a seal. The seal
// carries what may be shown before the group that is about to be written.
func (l *File) roll(next uint64, lineage []Epoch) error {
	fresh, err := l.activate(createSegment(l.fs, segmentPath(l.dir, next), segmentHeader{first: next, lineage: lineage}, l.segmentSize))
	if err != nil {
		return err
	}
	spent := l.active
	seal, h := appendSeal(l.buf[:0], spent.seed, next, l.mark.known())
	if err := spent.append(seal); err != nil {
		return errors.Join(err, fresh.close())
	}
	l.active = fresh
	l.mu.Lock()
	spent.note(h)
	l.segments = append(l.segments, fresh.segment)
	l.mu.Unlock()
	return spent.close()
}

// activate makes a segment the one to write to, whose file is zero-filled up to its size. It takes over the file and
// what went wrong with it, so as to be called with what a maker of segments returns.
func (l *File) activate(s *segment, file Handle, err error) (activeSegment, error) {
	if err != nil {
		return activeSegment{}, err
	}
	size, err := file.Size()
	if err != nil {
		return activeSegment{}, errors.Join(fmt.Errorf("size of %s: %w", s.path, err), file.Close())
	}
	ahead, err := startZeroAhead(l.fs, s.path, size, l.segmentSize, func(err error) { l.failed(l.fail(err)) })
	if err != nil {
		return activeSegment{}, errors.Join(err, file.Close())
	}
	return activeSegment{segment: s, file: file, ahead: ahead}, nil
}

// fail ends writing for good and returns the error for the caller.
func (l *File) fail(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failure == nil {
		l.failure = err
	}
	return fmt.Errorf("%w: %w", ErrFailed, err)
}

// MarkCommitted implements Log.
func (l *File) MarkCommitted(seqNo uint64) error {
	l.mu.RLock()
	last, mark := l.last, l.mark // of the same log: a mark never comes into the file of another
	l.mu.RUnlock()
	if seqNo > last {
		return fmt.Errorf("%w: committed %d, where the log ends at %d", ErrOrder, seqNo, last)
	}
	err := mark.advance(seqNo)
	if err == nil || errors.Is(err, ErrClosed) || errors.Is(err, ErrReplaced) {
		return err
	}
	return l.fail(err)
}

// Last implements Log.
func (l *File) Last() uint64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.last
}

// Committed implements Log.
func (l *File) Committed() uint64 {
	l.mu.RLock()
	mark := l.mark
	l.mu.RUnlock()
	return mark.known()
}

// Lineage implements Log.
func (l *File) Lineage() []Epoch {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return slices.Clone(l.lineage)
}

// Size is how many bytes the records take on disk, without what is filled ahead.
func (l *File) Size() int64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	n := int64(0)
	for _, s := range l.segments {
		n += s.end
	}
	return n
}

// Close implements Log.
func (l *File) Close() error {
	l.mu.Lock()
	again := l.closed
	l.closed = true // which a SaveSnapshot and a Replace under way see, and end
	l.mu.Unlock()
	l.keeping.Lock()
	defer l.keeping.Unlock()
	l.writing.Lock()
	defer l.writing.Unlock()
	if again {
		return nil
	}
	// The folder is given free last, when nothing of this process can write to it.
	return errors.Join(l.active.close(), l.mark.Close(), l.lock.Close())
}
