package api

import (
	"encoding/binary"
	"errors"
	"unicode/utf8"

	"github.com/replication-gateway/gateway/internal/hub"
)

// peer makes frames of the bytes that the subscriber of a WebSocket sends. There
// is one for each subscriber, so it keeps little: of control frames the payload, of
// others nothing, or of a standby's as much as an acknowledgement may take.
//
// It is fed by the goroutine that reads, and does not read by itself. That keeps
// the stack of that goroutine at its smallest, which it would never return to after
// deeper calls.
type peer struct {
	buffer [64]byte // for the goroutine that reads; mostly pongs come

	head    [maxPeerHead]byte
	have    int    // bytes of the head that have come
	left    uint64 // bytes of the payload still to come, when the head is complete
	payload []byte // of a control frame, or what is kept of a message, as far as it has come
	keep    int    // how many bytes of a message are kept; 0 for those who have nothing to say
}

// A head has up to 8 bytes more for the length, and the 4 bytes of the mask.
const (
	leastHead   = 2
	maxPeerHead = leastHead + 8 + 4
)

// peerFrame is a frame that has come. Of a message, or a piece of one, no more of
// the payload is there than was to be kept.
type peerFrame struct {
	head    byte // the first: opcode and flags
	payload []byte
	size    uint64 // of the payload as it came
}

func (f peerFrame) opcode() byte { return f.head & 0xf }

// message reports whether the frame is one of a message.
func (f peerFrame) message() bool { return f.opcode() < opClose }

// errProtocol is what is wrong with bytes that a peer may not send.
var errProtocol = errors.New("the peer broke the protocol")

// protocolError ends the stream of such a peer.
var protocolError = hub.Disconnect{Code: 1002, Reason: "protocol error"}

// feed takes bytes up to the end of a frame. It returns how many these are, and the
// frame if it is complete. It is called again with the rest.
func (p *peer) feed(b []byte) (n int, f peerFrame, complete bool, err error) {
	for p.have < p.headSize() {
		if n == len(b) {
			return n, f, false, nil
		}
		p.head[p.have] = b[n]
		p.have++
		n++
		if p.have == leastHead && !p.allowed() {
			return n, f, false, errProtocol
		}
		if p.have == p.headSize() {
			if p.left = p.length(); p.left>>63 != 0 {
				return n, f, false, errProtocol
			}
		}
	}
	take := min(p.left, uint64(len(b)-n))
	kept := int(take)
	if p.head[0]&opClose == 0 {
		kept = min(kept, p.keep-len(p.payload))
	}
	if kept > 0 {
		mask := p.head[p.have-4 : p.have]
		for _, c := range b[n : n+kept] {
			p.payload = append(p.payload, c^mask[len(p.payload)%4])
		}
	}
	n += int(take)
	if p.left -= take; p.left > 0 {
		return n, f, false, nil
	}
	f = peerFrame{p.head[0], p.payload, p.length()}
	p.have, p.payload = 0, nil
	return n, f, true, nil
}

// headSize is the length of the head, as far as is known.
func (p *peer) headSize() int {
	if p.have < leastHead {
		return leastHead
	}
	switch p.head[1] & 0x7f {
	case 126:
		return leastHead + 2 + 4
	case 127:
		return leastHead + 8 + 4
	}
	return leastHead + 4
}

// beyondKeeping reports whether a frame of a message has begun that is longer than
// what is kept of any. Whatever it holds, nobody is going to read it.
func (p *peer) beyondKeeping() bool {
	return p.have >= leastHead && p.have == p.headSize() && p.head[0]&opClose == 0 && p.length() > uint64(p.keep)
}

// length is that of the payload. The head must be complete.
func (p *peer) length() uint64 {
	switch n := p.head[1] & 0x7f; n {
	case 126:
		return uint64(binary.BigEndian.Uint16(p.head[leastHead:]))
	case 127:
		return binary.BigEndian.Uint64(p.head[leastHead:])
	default:
		return uint64(n)
	}
}

// allowed reports whether a peer may send a frame that begins so: masked, with an
// opcode that there is, and if it is a control frame then small and in one piece.
func (p *peer) allowed() bool {
	first, second := p.head[0], p.head[1]
	opcode := first & 0xf
	switch {
	case second&0x80 == 0, first&(rsv2|rsv3) != 0, opcode > opPong:
		return false
	case opcode < opClose:
		return opcode <= opBinary
	}
	return first&(final|deflated) == final && second&0x7f <= maxControlPayload
}

// closeCode returns the code that a close carries (RFC 6455, section 7.4).
func closeCode(payload []byte) (int, error) {
	if len(payload) == 0 {
		return noStatus, nil
	}
	if len(payload) == 1 || !utf8.Valid(payload[2:]) {
		return 0, errProtocol
	}
	code := int(binary.BigEndian.Uint16(payload))
	switch {
	case code >= 3000 && code < 5000:
	case code < 1000 || code > 1014 || code >= 1004 && code <= 1006:
		return 0, errProtocol
	}
	return code, nil
}
