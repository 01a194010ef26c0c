package wal

import (
	"errors"
	"fmt"
	"io"
)

// readAhead is how much a scanner reads at a time, unless a frame is larger.
const readAhead = 256 << 10

// scanner reads the frames of one segment in order.
type scanner struct {
	file  Handle
	seed  uint32
	pos   int64  // where the next frame belongs
	limit int64  // bytes from here on are not read and count as never written
	next  uint64 // the seq_no with which the next frame must begin

	buf   []byte // what was read of the file
	start int64  // where buf begins in the file
}

// fault is what a scanner finds where a frame should be. It is an error of scanner.frame alone.
type fault struct {
	torn   bool // a write that was never finished; otherwise rot
	reason string
}

func (f *fault) Error() string { return f.reason }

func rot(format string, args ...any) error { return &fault{reason: fmt.Sprintf(format, args...)} }

// frame returns the frame at pos and steps over it. The body lacks its padding and is valid until the next call.
// The error is io.EOF where nothing was ever written from pos on, a *fault for anything that is no whole frame,
// or one of reading the file.
func (s *scanner) frame() (frameHeader, []byte, error) {
	head, err := s.bytes(s.pos, frameHeaderLen)
	if err != nil {
		return frameHeader{}, nil, err
	}
	if isZero(head) {
		return frameHeader{}, nil, s.afterZeroHeader()
	}
	if len(head) < frameHeaderLen {
		return frameHeader{}, nil, rot("the file ends inside a frame header")
	}
	h, err := decodeFrameHeader(head, s.seed)
	if err != nil {
		return frameHeader{}, nil, rot("%v", err)
	}
	if h.first != s.next {
		return frameHeader{}, nil, rot("the frame begins with seq_no %d", h.first)
	}
	body, err := s.body(h)
	if err != nil {
		return frameHeader{}, nil, err
	}
	s.pos += h.size()
	s.next = h.next()
	return h, body, nil
}

// body reads and checks the body of the frame at pos.
func (s *scanner) body(h frameHeader) ([]byte, error) {
	from, size := s.pos+frameHeaderLen, int(h.size()-frameHeaderLen)
	b, err := s.bytes(from, size)
	if err != nil {
		return nil, err
	}
	if len(b) == size && checkBody(h, b, s.seed) {
		return b[:h.bodyLen], nil
	}
	if len(b) == size && !neverWritten(b, from) {
		return nil, rot("body checksum of the frame with seq_no %d to %d", h.first, h.next()-1)
	}
	return nil, s.tornUnless(from+int64(size), h.next(), "the write of seq_no %d to %d was never finished", h.first, h.next()-1)
}

// afterZeroHeader judges what follows a header that was never written: nothing, the rest of a torn write, or frames
// whose predecessor is gone.
func (s *scanner) afterZeroHeader() error {
	at, err := s.firstNonZero(s.pos)
	if err != nil {
		return err
	}
	if at == s.limit {
		return io.EOF
	}
	return s.tornUnless(s.pos, s.next, "bytes at offset %d of a write that was never finished", at)
}

// tornUnless is the fault of a write that was never finished, unless a frame that came later is found at or after an
// offset: a later frame is only written when the one before it is durable.
func (s *scanner) tornUnless(from int64, next uint64, format string, args ...any) error {
	for pos := from; pos < s.limit; pos += frameAlign {
		b, err := s.bytes(pos, frameHeaderLen)
		if err != nil {
			return err
		}
		if len(b) < frameHeaderLen {
			break
		}
		if isZero(b) {
			continue
		}
		// Every record takes a byte at least, which bounds how far seq_no can have come.
		if h, err := decodeFrameHeader(b, s.seed); err == nil && h.first >= next && h.first-next <= uint64(s.limit) {
			return rot("no whole frame, but one with seq_no %d at offset %d", h.first, pos)
		}
	}
	return &fault{torn: true, reason: fmt.Sprintf(format, args...)}
}

// firstNonZero finds the first byte from an offset on that is not zero; limit when there is none.
func (s *scanner) firstNonZero(from int64) (int64, error) {
	for from < s.limit {
		b, err := s.bytes(from, readAhead)
		if err != nil {
			return 0, err
		}
		if isZero(b) {
			from += int64(len(b))
			continue
		}
		for i, c := range b {
			if c != 0 {
				return from + int64(i), nil
			}
		}
	}
	return s.limit, nil
}

// bytes returns n bytes from an offset, fewer where limit comes first. They are valid until the next call.
func (s *scanner) bytes(from int64, n int) ([]byte, error) {
	n = int(max(0, min(int64(n), s.limit-from)))
	if from < s.start || from+int64(n) > s.start+int64(len(s.buf)) {
		want := int(min(int64(max(n, readAhead)), s.limit-from))
		if want > cap(s.buf) {
			s.buf = make([]byte, want)
		}
		s.buf, s.start = s.buf[:want], from
		err := readFull(s.file, s.buf, from)
		if err != nil && lost(err) { // but perhaps only of what lies ahead
			s.buf = s.buf[:n]
			err = readFull(s.file, s.buf, from)
		}
		if err != nil {
			s.buf = s.buf[:0]
			return nil, err
		}
	}
	off := from - s.start
	return s.buf[off : off+int64(n)], nil
}

// readFull fills b from an offset. A file that ends before that is an error.
func readFull(f io.ReaderAt, b []byte, at int64) error {
	n, err := f.ReadAt(b, at)
	if n == len(b) {
		return nil
	}
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
