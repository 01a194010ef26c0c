package crowd

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/replication-gateway/gateway/bench/fanout/internal/tally"
)

// The opcodes of WebSocket frames (RFC 6455, section 11.8).
const (
	opContinuation = 0x0
	opText         = 0x1
	opBinary       = 0x2
	opClose        = 0x8
	opPing         = 0x9
	opPong         = 0xa
)

const (
	maxControl = 125 // bytes of a control frame's payload
	headLen    = 192 // what is kept of a message's beginning
	tailLen    = 16  // and of its end; at least a mark less one byte
)

// scanner reads one stream of unmasked frames, cut anywhere into pieces. It keeps the beginning and the end of the
// message under way, and nothing else of it. Frames are
//
//	 0             1         2 … 9                    payload
//	+-------------+---------+------------------------+---------
//	| FIN RSV op  | len     | 0, 2 or 8 bytes of len | len bytes
//	+-------------+---------+------------------------+---------
type scanner struct {
	header  [10]byte
	filled  int  // bytes of header that are there
	inside  bool // the header is whole, left bytes of payload are to come
	left    uint64
	control []byte

	// Of the message under way, which control frames may interrupt.
	open       bool // more frames of it follow
	compressed bool
	size       uint64
	head       [headLen]byte
	tail       [tailLen]byte // of all messages so far, as if they were one
}

// frame is what next came to.
type frame int

const (
	nothing frame = iota // the piece ended inside a frame, or a frame inside a message
	message              // a message is whole; its head, tail and size are the scanner's
	ping                 // to be answered with the scanner's control
	closing              // the server has closed the stream
	other                // another control frame
)

var errFrame = errors.New("not a frame that a server sends")

// next reads up to the end of a frame, or the end of b, and returns how much it read. The writes whose marks end in it
// are appended to marks, if counts says that the message, of which it is given the beginning, carries any. After an
// error the scanner is of no use.
func (s *scanner) next(b []byte, counts func(head []byte) bool, marks []int) (int, frame, []int, error) {
	used := 0
	if !s.inside {
		var whole bool
		if used, whole = s.readHeader(b); !whole {
			return used, nothing, marks, nil
		}
		if err := s.begin(); err != nil {
			return used, nothing, marks, err
		}
	}
	n := int(min(uint64(len(b)-used), s.left))
	piece := b[used : used+n]
	if s.isControl() {
		s.control = append(s.control, piece...)
	} else {
		marks = s.payload(piece, counts, marks)
	}
	if s.left -= uint64(n); s.left > 0 {
		return used + n, nothing, marks, nil
	}
	s.inside = false
	return used + n, s.end(), marks, nil
}

// readHeader takes what belongs to the header of a frame, and reports whether it is whole.
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
func (s *scanner) isControl() bool { return s.header[0]&0x08 != 0 }
func (s *scanner) isFinal() bool   { return s.header[0]&0x80 != 0 }

// begin checks a whole header and sets out to read its payload.
func (s *scanner) begin() error {
	s.filled, s.inside = 0, true
	switch n := s.header[1] & 0x7f; n {
	case 126:
		s.left = uint64(binary.BigEndian.Uint16(s.header[2:]))
	case 127:
		s.left = binary.BigEndian.Uint64(s.header[2:])
	default:
		s.left = uint64(n)
	}
	op := s.opcode()
	switch {
	case s.header[1]&0x80 != 0:
		return fmt.Errorf("%w: it is masked", errFrame)
	case s.isControl() && (!s.isFinal() || s.left > maxControl || op > opPong):
		return fmt.Errorf("%w: control frame %#x of %d bytes", errFrame, s.header[0], s.left)
	case !s.isControl() && (op > opBinary || s.open != (op == opContinuation)):
		return fmt.Errorf("%w: opcode %d", errFrame, op)
	}
	s.control = s.control[:0]
	if !s.isControl() && !s.open {
		s.size, s.compressed = 0, s.header[0]&0x40 != 0
	}
	return nil
}

// payload reads the next bytes of a message. A mark may lie across two pieces: then it lies in the end of the one and
// the beginning of the other.
func (s *scanner) payload(b []byte, counts func([]byte) bool, marks []int) []int {
	if s.size < headLen {
		copy(s.head[s.size:], b)
	}
	s.size += uint64(len(b))
	if !s.compressed && counts(s.beginning()) {
		const most = tally.MarkLen - 1
		var seam [2 * most]byte
		n := copy(seam[:], s.tail[tailLen-most:])
		n += copy(seam[n:], b[:min(len(b), most)])
		marks = tally.Find(seam[:n], marks)
		marks = tally.Find(b, marks)
	}
	if len(b) >= tailLen {
		copy(s.tail[:], b[len(b)-tailLen:])
	} else {
		copy(s.tail[:], s.tail[len(b):])
		copy(s.tail[tailLen-len(b):], b)
	}
	return marks
}

// beginning is what is kept of the message's beginning.
func (s *scanner) beginning() []byte { return s.head[:min(s.size, headLen)] }

// end is the end of a frame.
func (s *scanner) end() frame {
	switch {
	case s.opcode() == opPing:
		return ping
	case s.opcode() == opClose:
		return closing
	case s.isControl():
		return other
	}
	s.open = !s.isFinal()
	if s.open {
		return nothing
	}
	return message
}

// clientFrame returns a frame as a client sends it, masked with a key of zeros: the mask guards proxies against the
// pages of browsers, and there is neither here. The payload is at most 64 KiB.
func clientFrame(op byte, payload string) []byte {
	b := []byte{0x80 | op}
	if len(payload) <= maxControl {
		b = append(b, 0x80|byte(len(payload)))
	} else {
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(len(payload)))
	}
	b = append(b, 0, 0, 0, 0)
	return append(b, payload...)
}
