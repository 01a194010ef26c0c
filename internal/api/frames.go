package api

import (
	"encoding/binary"

	"github.com/replication-gateway/gateway/internal/hub"
)

// A frame of the server is not masked (RFC 6455, section 5.1), so one framing
// serves all who are sent it. Of the longest header the layout is
//
//	| FIN RSV1 0 0 opcode | 127 | length, 8 bytes | payload
//
// with the length in 2 bytes behind 126, or in the second byte alone, where it fits.
const (
	final    = 0x80
	deflated = 0x40 // RSV1 (RFC 7692, section 6)
	rsv2     = 0x20
	rsv3     = 0x10

	opText   = 0x1
	opBinary = 0x2
	opClose  = 0x8
	opPing   = 0x9
	opPong   = 0xa

	maxHeader         = 10
	maxControlPayload = 125
	maxInUint16       = 1<<16 - 1
)

// Close codes that never travel.
const (
	noStatus = 1005
	abnormal = 1006
)

// ping asks the peer for a sign of life.
var ping = []byte{final | opPing, 0}

// textFrames frames JSON as it is.
var textFrames = &hub.Encoding{Room: maxHeader, Wrap: func(h hub.Header, b []byte) []byte {
	return withPing(h, frame(b, maxHeader, final|opText))
}}

// withPing puts a ping behind a heartbeat, so that finding out who is gone costs
// no write of its own.
func withPing(h hub.Header, framed []byte) []byte {
	if h.Type == hub.Heartbeat {
		return append(framed, ping...)
	}
	return framed
}

// frame makes a frame of the payload b[at:], and returns it. Its header goes right
// before the payload, for which at is at least maxHeader.
func frame(b []byte, at int, first byte) []byte {
	n := len(b) - at
	switch {
	case n <= maxControlPayload:
		b = b[at-2:]
		b[1] = byte(n)
	case n <= maxInUint16:
		b = b[at-4:]
		b[1] = 126
		binary.BigEndian.PutUint16(b[2:], uint16(n))
	default:
		b = b[at-maxHeader:]
		b[1] = 127
		binary.BigEndian.PutUint64(b[2:], uint64(n))
	}
	b[0] = first
	return b
}

// framed makes a frame of a payload of its own.
func framed(first byte, payload []byte) []byte {
	b := make([]byte, maxHeader, maxHeader+len(payload))
	return frame(append(b, payload...), maxHeader, first)
}

// closeFrame is the last frame of a stream. Its reason must be short, as all of
// package hub are.
func closeFrame(d hub.Disconnect) []byte {
	return framed(final|opClose, append(binary.BigEndian.AppendUint16(nil, uint16(d.Code)), d.Reason...))
}
