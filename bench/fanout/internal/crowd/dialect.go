package crowd

import "bytes"

// Dialect is what a server's streams differ in from those of others.
type Dialect struct {
	bare   bool   // frames over plain TCP, without a handshake
	hello  []byte // what a subscriber sends once the stream is open
	counts func(head []byte) bool
	hears  func(*subscriber, *scanner) // is told of each message, when it is whole
}

// Stream is a WebSocket whose first message says that the subscriber is in; all others are deltas.
var Stream = &Dialect{counts: unlessState, hears: (*subscriber).join}

// Bare is plain TCP that carries the messages of Stream, in frames that were made before.
var Bare = &Dialect{bare: true, counts: unlessState, hears: (*subscriber).join}

// Centrifuge speaks centrifuge's JSON protocol. The server subscribes whoever connects.
var Centrifuge = &Dialect{
	hello:  clientFrame(opText, `{"id":1,"connect":{}}`),
	counts: always,
	hears:  (*subscriber).join,
}

// NATS subscribes to the subject "deltas" of a NATS server. Its PONG says that it has taken note.
var NATS = &Dialect{
	hello:  clientFrame(opBinary, "CONNECT {\"verbose\":false,\"pedantic\":false}\r\nSUB deltas 1\r\nPING\r\n"),
	counts: always,
	hears: func(sub *subscriber, s *scanner) {
		if bytes.Contains(s.beginning(), []byte("PONG\r\n")) {
			sub.join(s)
		}
	},
}

// Gateway speaks the gateway's own protocol: a subscriber is in when it holds a whole snapshot or has been resumed.
// That each delta follows on what came before is checked.
var Gateway = &Dialect{
	counts: func(head []byte) bool { return kindOf(head) == 'd' },
	hears:  (*subscriber).follow,
}

func always([]byte) bool { return true }

// unlessState spares the driver the search through a state, which may be long: the gateway's is not searched either.
func unlessState(head []byte) bool { return kindOf(head) != 's' }

// kindOf returns the letter in which the gateway's messages differ: d, s or h behind {"type":". It is 0 as long as it
// has not come.
func kindOf(head []byte) byte {
	const at = len(`{"type":"`)
	if len(head) <= at {
		return 0
	}
	return head[at]
}

// join notes that the subscriber is in.
func (sub *subscriber) join(*scanner) { sub.joined = true }

// follow reads a message of the gateway.
func (sub *subscriber) follow(s *scanner) {
	if s.compressed {
		// Of a compressed part of a snapshot only its number can be seen; nothing else is waited for in that case.
		sub.parts++
		sub.joined = sub.joined || sub.parts == sub.crowd.options.Parts
		return
	}
	head := s.beginning()
	seq, _ := number(head, `"seq_no":`)
	more := bytes.HasSuffix(s.tail[:], []byte(`,"more":true}`))
	switch kindOf(head) {
	case 's':
		if sub.parts++; more {
			return
		}
		if sub.joined {
			sub.resyncs++
		}
		sub.joined = true
		sub.epoch = text(head, `"epoch":"`, sub.epoch)
	case 'd':
		if prev, ok := number(head, `"prev_seq_no":`); !ok || prev != sub.seq {
			sub.gaps++
		}
	case 'h':
		if !sub.joined {
			if !bytes.Contains(head, []byte(`"resumed":true`)) {
				if sub.resuming && bytes.Contains(head, []byte(`"resumed":false`)) { // else it waits for its snapshot
					sub.refused++
				}
				return
			}
			sub.joined, sub.resumes = true, sub.resumes+1
		}
	}
	sub.seq = seq
}

// number reads the number behind a name in the beginning of a message.
func number(head []byte, name string) (uint64, bool) {
	at := bytes.Index(head, []byte(name))
	if at < 0 {
		return 0, false
	}
	n, found := uint64(0), false
	for _, d := range head[at+len(name):] {
		if d < '0' || d > '9' {
			break
		}
		n, found = 10*n+uint64(d-'0'), true
	}
	return n, found
}

// text reads the string behind a name, or returns what was known if it is the same.
func text(head []byte, name, known string) string {
	_, rest, _ := bytes.Cut(head, []byte(name))
	value, _, _ := bytes.Cut(rest, []byte(`"`))
	if string(value) == known {
		return known
	}
	return string(value)
}
