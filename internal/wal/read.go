package wal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sort"
)

// Read implements Log. It reads through files of its own and takes no lock while it does.
func (l *File) Read(after uint64, yield func(seqNo uint64, record []byte) error) error {
	segments, era, err := l.view(after)
	if err != nil {
		return err
	}
	var refused error // of yield
	err = l.readSegments(segments, after, func(seqNo uint64, record []byte) error {
		if l.era.Load() != era {
			return ErrReplaced
		}
		refused = yield(seqNo, record)
		return refused
	})
	// Whatever else went wrong then, and if nothing did, it is of no account: the files may be those of another log.
	if refused == nil && l.era.Load() != era {
		return fmt.Errorf("%w while it was read", ErrReplaced)
	}
	return err
}

// readSegments yields the records after a seq_no that segments hold.
func (l *File) readSegments(segments []segment, after uint64, yield func(uint64, []byte) error) error {
	for _, s := range segments {
		if _, ok := s.waypointBefore(after + 1); !ok {
			continue
		}
		f, err := l.openSegment(s)
		if err != nil {
			return err
		}
		if err := readRecords(f, s, after, yield); err != nil {
			return err
		}
	}
	return nil
}

// openSegment opens a segment for reading. One that is open can be read to its end even when it is cut meanwhile.
func (l *File) openSegment(s segment) (Handle, error) {
	f, err := l.fs.Open(s.path, os.O_RDONLY)
	if first := l.First(); errors.Is(err, fs.ErrNotExist) && s.first < first {
		return nil, fmt.Errorf("%w while it was read: it now begins with %d", ErrCut, first)
	}
	if err != nil {
		return nil, fmt.Errorf("open segment: %w", err)
	}
	return f, nil
}

// view copies the segments that hold records after a seq_no, as they stand now, and tells the era.
func (l *File) view(after uint64) ([]segment, uint64, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	era := l.era.Load()
	if err := l.readable(); err != nil {
		return nil, era, err
	}
	if after >= l.last {
		return nil, era, nil
	}
	if first := l.segments[0].first; after+1 < first {
		return nil, era, fmt.Errorf("%w: asked for what follows %d, the log begins with %d", ErrCut, after, first)
	}
	// The newest segment that begins at or before after+1 holds it.
	from := sort.Search(len(l.segments), func(i int) bool { return l.segments[i].first > after+1 }) - 1
	view := make([]segment, 0, len(l.segments)-from)
	for _, s := range l.segments[from:] {
		view = append(view, *s)
	}
	return view, era, nil
}

// readable tells whether there is something to read. It is called with mu held.
func (l *File) readable() error {
	switch {
	case l.closed:
		return ErrClosed
	case l.between:
		return ErrReplaced
	}
	return nil
}

// readRecords yields the records after a seq_no that a segment holds, of which there is one at least, and closes its
// file.
func readRecords(f Handle, s segment, after uint64, yield func(uint64, []byte) error) (err error) {
	from, _ := s.waypointBefore(after + 1)
	defer func() {
		if closing := f.Close(); err == nil {
			err = closing // and the error of yield stays as it is
		}
	}()
	in := scanner{file: f, seed: s.seed, pos: from.offset, limit: s.end, next: from.seqNo}
	for in.pos < s.end {
		at, seqNo := in.pos, in.next
		h, body, err := in.frame()
		if errors.Is(err, io.EOF) {
			err = &fault{reason: "the frame is gone"}
		}
		if err == nil && h.kind != kindSeal && h.next() > after+1 {
			err = eachRecord(h, body, func(n uint64, record []byte) error {
				if n <= after {
					return nil
				}
				return yield(n, record)
			})
		}
		if err != nil {
			return asDamage(err, s.path, at, seqNo)
		}
	}
	return nil
}

// waypointBefore finds the newest waypoint at or before a seq_no, or the first one. A segment without records has none.
func (s *segment) waypointBefore(seqNo uint64) (waypoint, bool) {
	if len(s.waypoints) == 0 {
		return waypoint{}, false
	}
	i := sort.Search(len(s.waypoints), func(i int) bool { return s.waypoints[i].seqNo > seqNo })
	return s.waypoints[max(0, i-1)], true
}

// asDamage turns what a scanner or a decoder found wrong into a DamageError, and so what the disk has lost. Other errors
// stay as they are: a file that cannot be read now, for want of memory or descriptors, may be sound.
func asDamage(err error, path string, offset int64, seqNo uint64) error {
	if f := (*fault)(nil); errors.As(err, &f) || errors.Is(err, errFormat) || lost(err) {
		return &DamageError{File: path, Offset: offset, SeqNo: seqNo, Reason: err.Error()}
	}
	return err
}
