package directory

import (
	"encoding/binary"
	"math"
	"strconv"
)

func (c *codec) uint64(name string, v *uint64) {
	if c.field(name, *v == 0) {
		number(c, v, math.MaxUint64)
	}
}

func (c *codec) uint32(name string, v *uint32) {
	if c.field(name, *v == 0) {
		number(c, v, math.MaxUint32)
	}
}

func (c *codec) uint16(name string, v *uint16) {
	if c.field(name, *v == 0) {
		number(c, v, math.MaxUint16)
	}
}

func number[N uint16 | uint32 | uint64](c *codec, v *N, largest uint64) {
	switch c.direction {
	case writing:
		c.buf = strconv.AppendUint(c.buf, uint64(*v), 10)
	case reading:
		*v = N(c.takeDigits(largest))
	case hashing:
		c.buf = binary.AppendUvarint(c.buf, uint64(*v))
	}
}

// takeDigits reads a number as JSON writes it, without leading zeros.
func (c *codec) takeDigits(largest uint64) (n uint64) {
	start := c.pos
	for ; c.pos < len(c.buf); c.pos++ {
		d := uint64(c.buf[c.pos] - '0')
		if d > 9 {
			break
		}
		if n > (largest-d)/10 {
			c.failed = true
			return 0
		}
		n = 10*n + d
	}
	if c.pos == start || c.buf[start] == '0' && c.pos > start+1 {
		c.failed = true
	}
	return n
}

func (c *codec) int(name string, v *int) {
	if !c.field(name, *v == 0) {
		return
	}
	switch c.direction {
	case writing:
		c.buf = strconv.AppendInt(c.buf, int64(*v), 10)
	case reading:
		if !c.take("-") {
			*v = int(c.takeDigits(math.MaxInt))
			return
		}
		*v = -int(c.takeDigits(-math.MinInt))
		c.failed = c.failed || *v == 0
	case hashing:
		c.buf = binary.AppendVarint(c.buf, int64(*v))
	}
}

func (c *codec) bool(name string, v *bool) {
	if !c.field(name, !*v) {
		return
	}
	switch c.direction {
	case writing:
		c.buf = strconv.AppendBool(c.buf, *v)
	case reading:
		*v = c.take("true")
		c.failed = c.failed || !*v && !c.take("false")
	case hashing:
		if *v {
			c.buf = append(c.buf, 1)
		} else {
			c.buf = append(c.buf, 0)
		}
	}
}

// take reads exactly s, if it is next.
func (c *codec) take(s string) bool {
	end := c.pos + len(s)
	if end > len(c.buf) || string(c.buf[c.pos:end]) != s {
		return false
	}
	c.pos = end
	return true
}

func (c *codec) role(name string, v *Role) {
	if !c.field(name, *v == NoRole) {
		return
	}
	switch c.direction {
	case writing:
		c.buf = append(c.buf, '"')
		c.buf = append(c.buf, roleNames[*v]...)
		c.buf = append(c.buf, '"')
	case reading:
		role, known := parseRole(c.takeWord())
		c.failed = c.failed || !known
		*v = role
	case hashing:
		c.buf = binary.AppendUvarint(c.buf, uint64(*v))
	}
}

func (c *codec) entryType(name string, v *EntryType) {
	if !c.field(name, false) {
		return
	}
	switch c.direction {
	case writing:
		verb := ".put\""
		if v.Delete {
			verb = ".delete\""
		}
		c.buf = append(c.buf, '"')
		c.buf = append(c.buf, v.Kind.String()...)
		c.buf = append(c.buf, verb...)
	case reading:
		t, known := parseEntryType(c.takeWord())
		c.failed = c.failed || !known
		*v = t
	}
}

// takeWord reads a string of ASCII letters and dots, without the quotes.
func (c *codec) takeWord() []byte {
	if !c.take(`"`) {
		c.failed = true
		return nil
	}
	start := c.pos
	for ; c.pos < len(c.buf); c.pos++ {
		b := c.buf[c.pos]
		if b == '"' {
			c.pos++
			return c.buf[start : c.pos-1]
		}
		if b != '.' && (b < 'a' || b > 'z') {
			break
		}
	}
	c.failed = true
	return nil
}

// data carries the record of an entry, which is of the type t.
func (c *codec) data(name string, t EntryType, v *Record) {
	if !c.field(name, false) {
		return
	}
	if c.direction == reading {
		*v = newRecord(t)
	}
	c.record(*v)
}

func (c *codec) time(name string, v *Time) {
	if !c.field(name, *v == 0) {
		return
	}
	switch c.direction {
	case writing:
		c.buf = append(c.buf, '"')
		c.buf = v.append(c.buf)
		c.buf = append(c.buf, '"')
	case reading:
		*v = c.takeTime()
	case hashing:
		c.buf = binary.AppendVarint(c.buf, int64(*v))
	}
}

func (c *codec) takeTime() Time {
	const quote = 1
	end := c.pos + quote + len(timeLayout) + quote
	if end > len(c.buf) || c.buf[c.pos] != '"' || c.buf[end-quote] != '"' {
		c.failed = true
		return 0
	}
	t, ok := parseTime(c.buf[c.pos+quote : end-quote])
	c.failed = c.failed || !ok
	c.pos = end
	return t
}
