package directory

import (
	"bytes"
	"encoding/binary"
	"math"

	"github.com/go-json-experiment/json/jsontext"
)

// list begins a list of n items and returns how many there are. After them
// comes close(']').
func (c *codec) list(name string, n int) int {
	if !c.field(name, n == 0) {
		return 0
	}
	c.open('[')
	switch c.direction {
	case reading:
		return c.countItems()
	case hashing:
		c.buf = binary.AppendUvarint(c.buf, uint64(n))
	}
	return n
}

// item begins item number i of a list.
func (c *codec) item(i int) {
	if i > 0 {
		c.punctuation(',')
	}
}

func (c *codec) uint16s(name string, v *[]uint16) { numbers(c, name, v, math.MaxUint16) }

func (c *codec) uint32s(name string, v *[]uint32) { numbers(c, name, v, math.MaxUint32) }

func numbers[N uint16 | uint32](c *codec, name string, v *[]N, largest uint64) {
	if n := c.list(name, len(*v)); c.direction == reading {
		*v = make([]N, n)
	}
	for i := range *v {
		c.item(i)
		number(c, &(*v)[i], largest)
	}
	c.close(']')
}

func (c *codec) strings(name string, v *[]string) {
	if n := c.list(name, len(*v)); c.direction == reading {
		*v = make([]string, n)
	}
	for i := range *v {
		c.item(i)
		c.text(&(*v)[i])
	}
	c.close(']')
}

func (c *codec) roleMappings(name string, v *[]RoleMapping) {
	if n := c.list(name, len(*v)); c.direction == reading {
		*v = make([]RoleMapping, n)
	}
	for i := range *v {
		c.item(i)
		c.open('{')
		(*v)[i].fields(c)
		c.close('}')
	}
	c.close(']')
}

// countItems counts the items of the list whose bracket was read last.
func (c *codec) countItems() int {
	if c.pos < len(c.buf) && c.buf[c.pos] == ']' {
		return 0
	}
	_, commas := c.span(c.pos - 1)
	return commas + 1
}

// json carries any JSON value.
func (c *codec) json(name string, v *jsontext.Value) {
	if !c.field(name, len(*v) == 0) {
		return
	}
	switch c.direction {
	case writing:
		if *v == nil {
			c.buf = append(c.buf, "null"...)
			return
		}
		var err error
		c.buf, err = jsontext.AppendFormat(c.buf, *v)
		c.failed = c.failed || err != nil
	case reading:
		end, _ := c.span(c.pos)
		value := jsontext.Value(c.buf[c.pos:end])
		if !value.IsValid() {
			c.failed = true
			return
		}
		*v, c.pos = bytes.Clone(value), end
	case hashing:
		c.hashText(string(*v))
	}
}

// span returns the end of the value that begins at start, and how many commas
// it has at its own level. Whether it is JSON in between is not said. It fails
// on what is open at the end of the input or nested very deeply. Numbers and
// words do not show where they end and fail here or at what follows.
func (c *codec) span(start int) (end, commas int) {
	const deepest = 100
	depth := 0
	for i := start; i < len(c.buf); i++ {
		switch c.buf[i] {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case ',':
			if depth == 1 {
				commas++
			}
		case '"':
			for i++; i < len(c.buf) && c.buf[i] != '"'; i++ {
				if c.buf[i] == '\\' {
					i++
				}
			}
		}
		if depth == 0 {
			return i + 1, commas
		}
		if depth > deepest {
			break
		}
	}
	c.failed = true
	return start, 0
}
