package directory

import (
	"bytes"
	"fmt"
	"sync"

	"github.com/go-json-experiment/json"
)

// codec carries a record field by field in one of three directions. What a
// kind of record consists of is written once, in its method fields, and serves
// all of them:
//
//   - writing appends the canonical JSON: members in the order of fields, no
//     spaces, times in UTC with milliseconds, escapes only where JSON wants
//     them. It is byte for byte what the general encoder gives.
//   - reading recognises canonical JSON and nothing else. What it does not
//     recognise is for the general decoder, which takes any order and spacing;
//     where both accept they agree.
//   - hashing appends each value in a form that cannot run into the next. It is
//     what digests rest on, so it stays as it is for good.
//
// Only reading writes to the record: those of a frozen state are written and
// hashed by several goroutines at a time. The codec itself belongs to one, and
// serves as many records as there are.
type codec struct {
	direction direction
	buf       []byte // what is written so far, or the input
	pos       int    // reading: where in buf the rest begins
	failed    bool   // reading: not canonical; writing: not UTF-8 or not JSON
	omitzero  bool   // the next field is left out when it is zero

	pieces []piece // reading: the strings of a row that are still in buf
	actor  string  // reading: that of the entry before, for the next to share
}

type direction uint8

const (
	writing direction = iota
	reading
	hashing
)

// record carries r, which is not nil.
func (c *codec) record(r Record) {
	if c.direction == hashing {
		c.buf = append(append(c.buf, r.kind().String()...), 0)
	}
	c.open('{')
	switch r := r.(type) {
	case *Network:
		r.fields(c)
	case *Node:
		r.fields(c)
	case *Member:
		r.fields(c)
	case *Assignment:
		r.fields(c)
	case *User:
		r.fields(c)
	case *Sync:
		r.fields(c)
	case *Token:
		r.fields(c)
	case *Receipt:
		r.fields(c)
	case *Key:
		r.fields(c)
	default:
		panic(fmt.Sprintf("directory: a record without fields: %T", r))
	}
	c.close('}')
	c.settle()
}

// entry carries e, which has data.
func (c *codec) entry(e *DeltaEntry) {
	c.open('{')
	e.fields(c)
	c.close('}')
}

// optional has the next field left out when it is zero.
func (c *codec) optional() *codec {
	c.omitzero = true
	return c
}

// field begins the field called name and reports whether its value follows.
// It does not when a zero value may be left out and is, nor in input that is
// not canonical.
func (c *codec) field(name string, zero bool) bool {
	optional := c.omitzero
	c.omitzero = false
	switch c.direction {
	case writing:
		if optional && zero {
			return false
		}
		if c.buf[len(c.buf)-1] != '{' {
			c.buf = append(c.buf, ',')
		}
		c.buf = append(c.buf, '"')
		c.buf = append(c.buf, name...)
		c.buf = append(c.buf, '"', ':')
	case reading:
		if c.failed || !c.takeName(name) {
			c.failed = c.failed || !optional
			return false
		}
	}
	return true
}

// takeName reads the name of a field with what stands around it, if it is next.
func (c *codec) takeName(name string) bool {
	at := c.pos
	if c.buf[at-1] != '{' {
		if at == len(c.buf) || c.buf[at] != ',' {
			return false
		}
		at++
	}
	end := at + len(name) + len(`"":`)
	if end > len(c.buf) || c.buf[at] != '"' || string(c.buf[at+1:end-2]) != name || string(c.buf[end-2:end]) != `":` {
		return false
	}
	c.pos = end
	return true
}

func (c *codec) open(bracket byte)  { c.punctuation(bracket) }
func (c *codec) close(bracket byte) { c.punctuation(bracket) }

// punctuation carries a byte that JSON has between values.
func (c *codec) punctuation(b byte) {
	switch c.direction {
	case writing:
		c.buf = append(c.buf, b)
	case reading:
		if c.pos < len(c.buf) && c.buf[c.pos] == b {
			c.pos++
		} else {
			c.failed = true
		}
	}
}

// appendRecord appends the canonical JSON of r, whose strings are UTF-8: those
// of a State are, since what is not cannot be encoded for the log.
func appendRecord(dst []byte, r Record) []byte {
	c := codec{buf: dst}
	c.record(r)
	return c.buf
}

// parseRecord reads the JSON of a record of the kind, or of its key. The record
// keeps nothing of b.
func parseRecord(t EntryType, b []byte) (Record, error) {
	c := newReader(b)
	r := newRecord(t)
	c.record(r)
	canonical := !c.failed && c.pos == len(b)
	c.free()
	if canonical {
		return r, nil
	}
	r = newRecord(t)
	if err := json.Unmarshal(b, r); err != nil {
		return nil, err
	}
	return r, nil
}

// appendEntry appends the canonical JSON of e. Equal entries give equal bytes.
func appendEntry(dst []byte, e *DeltaEntry) []byte {
	c := codec{buf: dst}
	c.entry(e)
	return c.buf
}

// readers keeps what reading needs between one input and the next, writers what
// writing needs.
var readers, writers = sync.Pool{New: newCodec}, sync.Pool{New: newCodec}

func newCodec() any { return new(codec) }

// newReader returns a codec that reads b, until free is called.
func newReader(b []byte) *codec {
	c := readers.Get().(*codec)
	*c = codec{direction: reading, buf: b, pieces: c.pieces[:0], actor: c.actor}
	return c
}

// newWriter returns a codec that writes to a buffer of its own, until free is
// called.
func newWriter() *codec {
	c := writers.Get().(*codec)
	*c = codec{buf: c.buf[:0]}
	return c
}

// maxScratch is the size in bytes of the longest buffer that is kept to write or
// hash the next into.
const maxScratch = 64 << 10

// written returns what a writer wrote, in memory that is the caller's: windows
// keep it, so what is short takes no more than it needs.
func (c *codec) written() []byte {
	if cap(c.buf) <= maxScratch {
		return bytes.Clone(c.buf)
	}
	b := c.buf
	c.buf = nil
	return b
}

func (c *codec) free() {
	if c.direction == writing {
		writers.Put(c)
		return
	}
	clear(c.pieces)
	c.buf = nil
	readers.Put(c)
}
