package hub

import (
	"math"
	"strconv"
	"time"
)

// framer encodes frames. It holds all that a frame needs beside its content and
// is copied under the lock, so that encoding can go on without it.
type framer struct {
	epoch    string
	maxFrame int // bytes a frame stays under, unless one row or entry is larger
	interval time.Duration
	tails    *tails
}

// maxDigits is the length of the largest uint64 in decimal.
var maxDigits = len(strconv.FormatUint(math.MaxUint64, 10))

// room is what the content of one frame may take: the frame less the longest
// envelope, which is that of a delta.
func (f framer) room() int {
	const envelope = `{"type":"delta","epoch":"","prev_seq_no":,"seq_no":,"committed_seq_no":,"entries":[],"more":true}`
	return max(1, f.maxFrame-1-len(envelope)-len(f.epoch)-3*maxDigits)
}

// snapshot encodes a state, which makes at least one frame.
func (f framer) snapshot(s State, c classKey) (frames [][]byte) {
	var open []byte // the newest frame: whether it is the last, the next part tells
	end := func(more bool) {
		h := Header{Snapshot, f.epoch, s.SeqNo, !more}
		frames = append(frames, c.encoding.wrap(h, closeFrame(open, more)))
	}
	if s.Parts != nil {
		for part := range s.Parts(c.name, f.room()) {
			if open != nil {
				end(true)
			}
			open = f.part(c.encoding, s.SeqNo, part)
		}
	}
	if open == nil {
		open = f.part(c.encoding, s.SeqNo, []byte("{}"))
	}
	end(false)
	return frames
}

// part begins the frame of a part of a snapshot.
func (f framer) part(enc *Encoding, seq uint64, part []byte) []byte {
	b := f.open(enc, Snapshot, len(part))
	b = appendUint(b, `,"seq_no":`, seq)
	b = append(b, `,"snapshot":`...)
	return append(b, part...)
}

// deltaHead is what a delta says of its place in the stream.
type deltaHead struct {
	prev, seq uint64
	committed uint64 // told only when ahead
	ahead     bool
	more      bool
}

// delta encodes entries that take size bytes with the commas between them.
func (f framer) delta(enc *Encoding, h deltaHead, entries [][]byte, size int) []byte {
	b := f.open(enc, Delta, size)
	b = appendUint(b, `,"prev_seq_no":`, h.prev)
	b = appendUint(b, `,"seq_no":`, h.seq)
	if h.ahead {
		b = appendUint(b, `,"committed_seq_no":`, h.committed)
	}
	b = append(b, `,"entries":[`...)
	for i, e := range entries {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, e...)
	}
	b = append(b, ']')
	b = closeFrame(b, h.more)
	return enc.wrap(Header{Delta, f.epoch, h.seq, !h.more}, b)
}

// deltas encodes the commits after k.prev that a class sees, as many as fit into
// one frame, or the first one alone in several frames if it does not fit into
// one, all but the first of which are rest's. to is the last commit that they cover;
// there are no frames if all commits are invisible.
func (f framer) deltas(k deltaKey, commits []*held) (frames [][]byte, rest *tail, to uint64) {
	var entries [][]byte
	size := 0
	for _, c := range commits {
		own := c.Entries(k.class.name)
		n := joined(own)
		if len(own) > 0 && len(entries) > 0 && size+1+n > f.room() {
			break
		}
		to = c.SeqNo
		if len(own) == 0 {
			continue
		}
		if n > f.room() {
			frames, rest = f.cut(k, c, own)
			return frames, rest, to
		}
		if len(entries) > 0 {
			size++
		}
		size += n
		entries = append(entries, own...)
	}
	if len(entries) == 0 {
		return nil, nil, to
	}
	h := deltaHead{prev: k.prev, seq: to, ahead: k.ahead, committed: min(k.committed, to)}
	return [][]byte{f.delta(k.class.encoding, h, entries, size)}, nil, to
}

// cut encodes one commit in several frames. The first tells what came before it, the
// rest is the same for all.
func (f framer) cut(k deltaKey, c *held, entries [][]byte) (frames [][]byte, rest *tail) {
	h := deltaHead{prev: k.prev, seq: c.SeqNo, ahead: k.ahead, committed: min(k.committed, c.SeqNo)}
	next := func() []byte {
		n, size := 1, len(entries[0])
		for n < len(entries) && size+1+len(entries[n]) <= f.room() {
			size += 1 + len(entries[n])
			n++
		}
		h.more = n < len(entries)
		frame := f.delta(k.class.encoding, h, entries[:n], size)
		entries = entries[n:]
		h.prev = c.SeqNo
		return frame
	}
	frames = [][]byte{next()}
	rest = f.tails.get(tailKey{k.class, c, f.epoch, h.committed, k.ahead}, func() (frames [][]byte) {
		for len(entries) > 0 {
			frames = append(frames, next())
		}
		return frames
	})
	return append(frames, rest.frames...), rest
}

// joined is the length of entries with commas between them.
func joined(entries [][]byte) int {
	n := max(0, len(entries)-1)
	for _, e := range entries {
		n += len(e)
	}
	return n
}

// beat is the content of a heartbeat. Optional members have a flag of their own
// or are absent when empty.
type beat struct {
	seq       uint64
	committed uint64
	ahead     bool // committed is told
	first     bool // resumed is told
	resumed   bool
	reason    string
	digest    uint64
	digested  bool   // digest is told
	resumable bool   // a subscriber can be resumed at seq
	extra     string // further members, encoded, without a leading comma
}

func (f framer) heartbeat(enc *Encoding, h beat, at time.Time) []byte {
	b := f.open(enc, Heartbeat, 256+len(h.extra))
	b = appendUint(b, `,"seq_no":`, h.seq)
	if h.ahead {
		b = appendUint(b, `,"committed_seq_no":`, h.committed)
	}
	b = append(b, `,"at":"`...)
	b = at.UTC().AppendFormat(b, "2006-01-02T15:04:05.000Z")
	b = appendUint(b, `","interval_ms":`, uint64(f.interval.Milliseconds()))
	if h.first {
		b = append(b, `,"resumed":`...)
		b = strconv.AppendBool(b, h.resumed)
	}
	if h.reason != "" {
		b = append(b, `,"reason":"`...)
		b = append(b, h.reason...)
		b = append(b, '"')
	}
	if h.digested {
		b = append(b, `,"digest":"`...)
		b = appendHex16(b, h.digest)
		b = append(b, '"')
	}
	if h.extra != "" {
		b = append(b, ',')
		b = append(b, h.extra...)
	}
	b = append(b, '}')
	return enc.wrap(Header{Heartbeat, f.epoch, h.seq, h.resumable}, b)
}

// spare is what an encoding may append to a frame without making it grow.
const spare = 16

// open begins a frame whose content takes size bytes: the room that the encoding
// wants, then the members that all frames begin with.
func (f framer) open(enc *Encoding, t FrameType, size int) []byte {
	b := enc.memory(enc.room() + f.maxFrame - f.room() + size + spare)[:enc.room()]
	b = append(b, `{"type":"`...)
	b = append(b, t...)
	b = append(b, `","epoch":"`...)
	b = append(b, f.epoch...)
	return append(b, '"')
}

func closeFrame(b []byte, more bool) []byte {
	if more {
		b = append(b, `,"more":true`...)
	}
	return append(b, '}')
}

func appendUint(b []byte, name string, v uint64) []byte {
	b = append(b, name...)
	return strconv.AppendUint(b, v, 10)
}

// appendHex16 appends v as 16 hex digits.
func appendHex16(b []byte, v uint64) []byte {
	const digits = "0123456789abcdef"
	for shift := 60; shift >= 0; shift -= 4 {
		b = append(b, digits[v>>shift&0xf])
	}
	return b
}

// isWord reports whether s is made of letters, digits and "-" only, and so needs
// no escaping inside a JSON string.
func isWord(s string) bool {
	for _, r := range []byte(s) {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '-':
		default:
			return false
		}
	}
	return s != ""
}
