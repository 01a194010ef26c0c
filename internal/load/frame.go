package load

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// The opcodes of WebSocket frames (RFC 6455).
const (
	opContinuation = 0x0
	opText         = 0x1
	opClose        = 0x8
	opPing         = 0x9
	opPong         = 0xA
)

// maxControl is the longest payload of a control frame, in bytes.
const maxControl = 125

// typeAt is where in a message its type tells itself from the others: after
// {"type":" comes delta, snapshot or heartbeat.
const typeAt = len(`{"type":"`)

// scanner reads one stream of unmasked frames, cut anywhere into pieces. It
// keeps no more of it than what a header, a control frame or a mark may need of
// the piece before.
//
//	 0        1         2 … 9                    payload
//	+--------+---------+------------------------+---------
//	| FIN op | len     | 0, 2 or 8 bytes of len | len bytes
//	+--------+---------+------------------------+---------
type scanner struct {
	header [10]byte
	filled int    // bytes of header that are there
	left   uint64 // payload bytes to come, once the header is whole

	control []byte // payload so far of the control frame being read

	// Of the message being read, which control frames may interrupt.
	open bool // more frames of it follow
	at   int  // bytes of it so far, as far as typeAt cares
	kind byte // 'd', 's', 'h', or 0 until it has come
	tail [markLen - 1]byte
	kept int // bytes of tail
}

// found is what a piece of a stream held: whole messages by type, the marks in
// deltas, in order, and what has to be answered.
type found struct {
	deltas, snapshots, heartbeats int
	marks                         []int
	pings                         [][]byte
	closed                        *closing
}

// closing is the end of a stream as the gateway said it.
type closing struct {
	code   int // 1005 when none was given
	reason string
}

func (c *closing) Error() string {
	return fmt.Sprintf("the gateway closed the stream: %d %s", c.code, c.reason)
}

func (f *found) reset() {
	*f = found{marks: f.marks[:0], pings: f.pings[:0]}
}

// errFrame is a stream that is not what a gateway sends.
var errFrame = errors.New("not a frame that a gateway sends")

// feed reads the next piece and adds what it holds to f. The piece is the
// caller's again when feed returns. After an error the scanner is of no use.
func (s *scanner) feed(b []byte, m Mark, f *found) error {
	for len(b) > 0 {
		if s.left == 0 {
			used, whole := s.readHeader(b)
			b = b[used:]
			if !whole {
				return nil
			}
			if err := s.begin(); err != nil {
				return err
			}
		}
		n := min(uint64(len(b)), s.left)
		if s.isControl() {
			s.control = append(s.control, b[:n]...)
		} else {
			s.payload(b[:n], m, f)
		}
		b = b[n:]
		if s.left -= n; s.left == 0 {
			s.end(f)
		}
	}
	return nil
}

// readHeader takes what belongs to the header of a frame, and reports whether it
// is whole.
func (s *scanner) readHeader(b []byte) (used int, whole bool) {
	for {
		want := 2
		if s.filled >= 2 {
			switch s.header[1] & 0x7f {
			case 126:
				want = 4
			case 127:
				want = 10
			}
		}
		if s.filled >= want {
			return used, true
		}
		n := copy(s.header[s.filled:want], b[used:])
		if n == 0 {
			return used, false
		}
		s.filled += n
		used += n
	}
}

func (s *scanner) opcode() byte    { return s.header[0] & 0x0f }
func (s *scanner) final() bool     { return s.header[0]&0x80 != 0 }
func (s *scanner) isControl() bool { return s.header[0]&0x08 != 0 }

// begin checks a whole header and sets out to read its payload.
func (s *scanner) begin() error {
	switch length := s.header[1] & 0x7f; length {
	case 126:
		s.left = uint64(binary.BigEndian.Uint16(s.header[2:]))
	case 127:
		s.left = binary.BigEndian.Uint64(s.header[2:])
	default:
		s.left = uint64(length)
	}
	op := s.opcode()
	switch {
	case s.header[0]&0x70 != 0:
		return fmt.Errorf("%w: reserved bits %#x", errFrame, s.header[0])
	case s.header[1]&0x80 != 0:
		return fmt.Errorf("%w: it is masked", errFrame)
	case s.isControl() && (!s.final() || s.left > maxControl || op > opPong):
		return fmt.Errorf("%w: control frame %#x of %d bytes", errFrame, s.header[0], s.left)
	case !s.isControl() && (op > opText || s.open != (op == opContinuation)):
		return fmt.Errorf("%w: opcode %d", errFrame, op)
	}
	if op == opText {
		s.at, s.kind, s.kept = 0, 0, 0
	}
	s.control = s.control[:0]
	s.filled = 0
	return nil
}

// payload reads the next bytes of a message. A mark may lie across two pieces:
// then it lies in the end of the one and the beginning of the other.
func (s *scanner) payload(b []byte, m Mark, f *found) {
	if s.at <= typeAt { // its type has not come yet
		if len(b) > typeAt-s.at {
			s.kind = b[typeAt-s.at]
		}
		s.at += len(b)
	}
	if s.kind != 'd' {
		return
	}
	var seam [2 * (markLen - 1)]byte
	n := copy(seam[:], s.tail[:s.kept])
	n += copy(seam[n:], b[:min(len(b), markLen-1)])
	if s.kept > 0 {
		f.marks = m.find(seam[:n], f.marks)
	}
	f.marks = m.find(b, f.marks)
	if len(b) < markLen-1 {
		b = seam[:n]
	}
	s.kept = copy(s.tail[:], b[max(0, len(b)-(markLen-1)):])
}

// end is the end of a frame.
func (s *scanner) end(f *found) {
	switch {
	case s.opcode() == opPing:
		f.pings = append(f.pings, append([]byte(nil), s.control...))
	case s.opcode() == opClose:
		f.closed = &closing{code: 1005}
		if len(s.control) >= 2 {
			f.closed = &closing{int(binary.BigEndian.Uint16(s.control)), string(s.control[2:])}
		}
	case s.isControl():
	default:
		s.open = !s.final()
		if s.open {
			return
		}
		switch s.kind {
		case 'd':
			f.deltas++
		case 's':
			f.snapshots++
		case 'h':
			f.heartbeats++
		}
	}
}

// appendControl appends a control frame as a client sends it, masked with a key
// of zeros: the mask guards proxies against pages of browsers, and there is no
// page here.
func appendControl(b []byte, op byte, payload []byte) []byte {
	b = append(b, 0x80|op, 0x80|byte(len(payload)), 0, 0, 0, 0)
	return append(b, payload...)
}
