package wal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
)

// DefaultSegmentSize is the size in bytes at which a segment is spent.
const DefaultSegmentSize = 64 << 20

// zeroAhead is how far a file is filled with zeros past what is written to it, so that a sync rarely has to make a
// new size durable.
const zeroAhead = 4 << 20

// Options sets up a File.
type Options struct {
	SegmentSize int64         // 0 for DefaultSegmentSize; a larger group gets a segment of its own
	NewEpoch    func() string // names the history of a folder that has none; required
	FS          FS            // nil for OSFS
}

// File is a Log in a folder of its own process.
type File struct {
	dir     string
	options Options
	lock    io.Closer
	lineage []Epoch

	last atomic.Uint64
	size atomic.Int64

	// mu guards writing.
	mu      sync.Mutex
	current *segment
	failed  error // what ended writing
	closed  bool
	buf     []byte

	// reading guards the list that readers walk.
	reading  sync.RWMutex
	segments []segmentName // oldest first

	mark *mark
}

var _ Log = (*File)(nil)

// segmentName is what a reader needs to open a segment.
type segmentName struct {
	path   string
	header segmentHeader
}

// segment is the one that is written to.
type segment struct {
	segmentName
	handle Handle
	end    int64 // where the next frame goes
	zeroed int64 // size of the file; zeros from end on
}

// Append implements Log.
func (l *File) Append(first uint64, records [][]byte, committed uint64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed:
		return ErrClosed
	case l.failed != nil:
		return fmt.Errorf("%w before: %w", ErrFailed, l.failed)
	case first != l.last.Load()+1 || len(records) == 0 || committed >= first+uint64(len(records)):
		return fmt.Errorf("%w: %d records from %d, committed %d, after %d", ErrOrder, len(records), first, committed, l.last.Load())
	}
	for _, r := range records {
		if len(r) == 0 || bytes.IndexByte(r, 0) >= 0 {
			return ErrRecord
		}
	}
	if _, err := bodyLen(records); err != nil {
		return err
	}
	committed = max(committed, l.mark.known())
	if err := l.write(first, records, committed); err != nil {
		l.failed = err
		return fmt.Errorf("%w: %w", ErrFailed, err)
	}
	l.mark.learn(committed)
	l.last.Store(first + uint64(len(records)) - 1)
	return nil
}

// write writes one frame, in a new segment when the current one is spent, and syncs it.
func (l *File) write(first uint64, records [][]byte, committed uint64) error {
	s := l.current
	l.buf = appendFrame(l.buf[:0], s.header.seed, first, committed, records)
	if s.end > s.header.length && s.end+int64(len(l.buf)) > l.options.SegmentSize {
		if err := l.roll(first, committed); err != nil {
			return err
		}
		s = l.current
		l.buf = appendFrame(l.buf[:0], s.header.seed, first, committed, records)
	}
	if err := s.append(l.buf); err != nil {
		return err
	}
	l.size.Add(int64(len(l.buf)))
	const keep = 4 << 20 // a rare giant group does not hold its memory for good
	if cap(l.buf) > keep {
		l.buf = nil
	}
	return nil
}

// roll makes the segment that begins at first, then seals the current one. A crash in between leaves an unsealed
// segment with an empty successor, which open accepts.
func (l *File) roll(first, committed uint64) error {
	next, err := createSegment(l.options.FS, l.dir, first, l.lineage)
	if err != nil {
		return err
	}
	if err := l.current.append(appendSeal(nil, l.current.header.seed, first, committed)); err != nil {
		return errors.Join(err, next.handle.Close())
	}
	err = l.current.handle.Close()
	l.reading.Lock()
	l.segments = append(l.segments, next.segmentName)
	l.reading.Unlock()
	l.current = next
	return err
}

// append writes b at the end and syncs it.
func (s *segment) append(b []byte) error {
	if end := s.end + int64(len(b)); end > s.zeroed {
		zeros := roundUp(int(end-s.zeroed), zeroAhead)
		if _, err := s.handle.WriteAt(make([]byte, zeros), s.zeroed); err != nil {
			return err
		}
		s.zeroed += int64(zeros)
	}
	if _, err := s.handle.WriteAt(b, s.end); err != nil {
		return err
	}
	if err := s.handle.Sync(); err != nil {
		return err
	}
	s.end += int64(len(b))
	return nil
}

// createSegment makes a segment under its final name, whole or not at all.
func createSegment(fs FS, dir string, first uint64, lineage []Epoch) (*segment, error) {
	header := segmentHeader{first: first, lineage: lineage}
	encoded := encodeSegmentHeader(&header)
	path := segmentPath(dir, first)
	handle, err := fs.Open(path+tempSuffix, os.O_RDWR|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return nil, err
	}
	content := append(encoded, make([]byte, zeroAhead-len(encoded)%zeroAhead)...)
	_, err = handle.WriteAt(content, 0)
	if err == nil {
		err = handle.Sync()
	}
	if err == nil {
		err = fs.Rename(path+tempSuffix, path)
	}
	if err == nil {
		err = fs.SyncDir(dir)
	}
	if err != nil {
		return nil, errors.Join(err, handle.Close())
	}
	return &segment{segmentName: segmentName{path, header}, handle: handle, end: header.length, zeroed: int64(len(content))}, nil
}

const (
	segmentSuffix = ".log"
	tempSuffix    = ".tmp"
)

func segmentPath(dir string, first uint64) string {
	return filepath.Join(dir, fmt.Sprintf("%020d%s", first, segmentSuffix))
}

// Read implements Log.
func (l *File) Read(after uint64, yield func(seqNo uint64, record []byte) error) error {
	last := l.last.Load()
	l.reading.RLock()
	segments := slices.Clone(l.segments)
	l.reading.RUnlock()
	for i, s := range segments {
		if s.header.first > last || i+1 < len(segments) && segments[i+1].header.first <= after+1 {
			continue
		}
		if err := l.readSegment(s, after, last, yield); err != nil {
			return err
		}
	}
	return nil
}

func (l *File) readSegment(s segmentName, after, last uint64, yield func(uint64, []byte) error) error {
	handle, err := l.options.FS.Open(s.path, os.O_RDONLY)
	if err != nil {
		return err
	}
	defer handle.Close()
	head, body, seqNo := make([]byte, frameHeaderLen), []byte(nil), s.header.first
	for at := s.header.length; seqNo <= last; {
		if _, err := handle.ReadAt(head, at); err != nil {
			return err
		}
		h, err := decodeFrameHeader(head, s.header.seed)
		if err != nil || h.first != seqNo {
			return &DamageError{File: s.path, Offset: at, SeqNo: seqNo, Reason: "the frame header was changed since it was checked"}
		}
		if h.kind == kindSeal {
			return nil
		}
		if h.next() > after+1 {
			body = slices.Grow(body[:0], int(h.size()))[:h.size()-frameHeaderLen]
			if _, err := handle.ReadAt(body, at+frameHeaderLen); err != nil {
				return err
			}
			if !checkBody(h, body, s.header.seed) {
				return &DamageError{File: s.path, Offset: at, SeqNo: seqNo, Reason: "the body was changed since it was checked"}
			}
			err = eachRecord(h, body[:h.bodyLen], func(n uint64, record []byte) error {
				if n <= after {
					return nil
				}
				return yield(n, record)
			})
			if err != nil {
				return err
			}
		}
		at, seqNo = at+h.size(), h.next()
	}
	return nil
}

// MarkCommitted implements Log.
func (l *File) MarkCommitted(seqNo uint64) error {
	if seqNo > l.last.Load() {
		return fmt.Errorf("%w: committed %d, the log ends at %d", ErrOrder, seqNo, l.last.Load())
	}
	return l.mark.write(seqNo)
}

// Last implements Log.
func (l *File) Last() uint64 { return l.last.Load() }

// Committed implements Log.
func (l *File) Committed() uint64 { return l.mark.known() }

// Lineage implements Log.
func (l *File) Lineage() []Epoch { return slices.Clone(l.lineage) }

// Size is the number of bytes that frames take on disk.
func (l *File) Size() int64 { return l.size.Load() }

// Close implements Log.
func (l *File) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	return errors.Join(l.current.handle.Close(), l.mark.close(), l.lock.Close())
}
