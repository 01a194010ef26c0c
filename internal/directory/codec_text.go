package directory

import (
	"encoding/binary"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// piece is a string of a row being read: text is to be buf[start:end].
type piece struct {
	text       *string
	start, end int
}

// string carries a string that is the record's own.
func (c *codec) string(name string, v *string) {
	if c.field(name, *v == "") {
		c.text(v)
	}
}

func (c *codec) text(v *string) {
	switch c.direction {
	case writing:
		c.appendText(*v)
	case reading:
		start, end, plain := c.takeText()
		switch {
		case !plain:
			*v = c.unquote(start, end)
		case start < end:
			c.pieces = append(c.pieces, piece{v, start, end})
		}
	case hashing:
		c.hashText(*v)
	}
}

// repeated carries a string that is as a rule that of the entry before, which
// then share it.
func (c *codec) repeated(name string, v *string) {
	if !c.field(name, *v == "") {
		return
	}
	if c.direction != reading {
		c.text(v)
		return
	}
	start, end, plain := c.takeText()
	if !plain {
		c.actor = c.unquote(start, end)
	} else if string(c.buf[start:end]) != c.actor {
		c.actor = string(c.buf[start:end])
	}
	*v = c.actor
}

// settle gives the strings of the row that was read memory of their own, one
// piece for all of them: a row is kept for long, the input is not.
func (c *codec) settle() {
	if len(c.pieces) == 0 {
		return
	}
	total := 0
	for _, p := range c.pieces {
		total += p.end - p.start
	}
	var b strings.Builder
	b.Grow(total)
	for _, p := range c.pieces {
		b.Write(c.buf[p.start:p.end])
	}
	rest := b.String()
	for _, p := range c.pieces {
		n := p.end - p.start
		*p.text, rest = rest[:n], rest[n:]
	}
	clear(c.pieces)
	c.pieces = c.pieces[:0]
}

// appendText appends s in quotes.
func (c *codec) appendText(s string) {
	if isPlain(s) {
		c.buf = append(c.buf, '"')
		c.buf = append(c.buf, s...)
		c.buf = append(c.buf, '"')
		return
	}
	var err error
	c.buf, err = jsontext.AppendQuote(c.buf, s)
	c.failed = c.failed || err != nil
}

// isPlain reports whether s is UTF-8 and needs no escape.
func isPlain(s string) bool {
	ascii := true
	for i := 0; i < len(s); i++ {
		switch b := s[i]; {
		case b < ' ' || b == '"' || b == '\\':
			return false
		case b >= utf8.RuneSelf:
			ascii = false
		}
	}
	return ascii || utf8.ValidString(s)
}

// takeText reads a string and returns where it stands. Plain ones stand without
// their quotes and as they are, others with quotes and with escapes.
func (c *codec) takeText() (start, end int, plain bool) {
	if !c.take(`"`) {
		c.failed = true
		return 0, 0, true
	}
	ascii, escapes := true, false
	for start = c.pos; c.pos < len(c.buf); c.pos++ {
		switch b := c.buf[c.pos]; {
		case b == '"':
			end = c.pos
			c.pos++
			if escapes {
				return start - 1, c.pos, false
			}
			c.failed = c.failed || !ascii && !utf8.Valid(c.buf[start:end])
			return start, end, true
		case b == '\\':
			escapes = true
			c.pos++
		case b < ' ':
			c.failed = true
			return 0, 0, true
		case b >= utf8.RuneSelf:
			ascii = false
		}
	}
	c.pos = len(c.buf)
	c.failed = true
	return 0, 0, true
}

// unquote returns the string that buf[start:end] is with quotes and escapes.
func (c *codec) unquote(start, end int) string {
	b, err := jsontext.AppendUnquote(nil, c.buf[start:end])
	c.failed = c.failed || err != nil
	return string(b)
}

func (c *codec) hashText(s string) {
	c.buf = binary.AppendUvarint(c.buf, uint64(len(s)))
	c.buf = append(c.buf, s...)
}
