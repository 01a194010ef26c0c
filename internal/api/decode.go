package api

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/replication-gateway/gateway/internal/directory"
)

// maxListed bounds the lists of bodies that have no bound of their own.
const maxListed = 100_000

// listOfBody is how deep the parser is in a list that is a member of the body
// itself, such as the entries of a directory sync.
const listOfBody = 2

// decoder decodes what a request brings, and gathers the faults of it.
type decoder struct {
	in      *jsontext.Decoder
	faults  *faults
	large   bool         // in has read something large
	piece   bytes.Buffer // what decodeBytes decodes
	words   words
	entries *entryReader // when there were entries
	odd     *decoder     // for entries that entries does not take

	// Of the value being decoded.
	size    int64 // in bytes, or -1
	base    string
	maxList int
}

// parsers keeps what parsing needs between one request and the next.
var parsers = sync.Pool{New: func() any { return new(jsontext.Decoder) }}

func newDecoder(f *faults) *decoder {
	return &decoder{in: parsers.Get().(*jsontext.Decoder), faults: f}
}

// free ends the use of d.
func (d *decoder) free() {
	d.in.Reset(http.NoBody) // what it has read is the caller's
	if !d.large {
		parsers.Put(d.in) // with a buffer for the longest string that there was
	}
	if d.odd != nil {
		d.odd.free()
	}
}

// decode reads one JSON value of so many bytes, -1 for unknown, from r into v, a
// pointer to a struct, and checks it by its validate tags. All that is wrong with
// the content goes to the faults, their pointers below base. The error is
// errMalformed when r does not bring one well-formed value, with names once in each
// object and in valid UTF-8, or errTooLarge when a list of the body itself has more
// than maxList elements; then r may have more to read.
//
// A null stands for a member that was left out.
func (d *decoder) decode(r io.Reader, size int64, v any, base string, maxList int) error {
	if err := d.read(r, size, v, base, maxList); err != nil {
		return err
	}
	validateInto(v, base, d.faults)
	return nil
}

// read is decode without the check of what was read.
func (d *decoder) read(r io.Reader, size int64, v any, base string, maxList int) error {
	d.in.Reset(r)
	d.size, d.base, d.maxList = size, base, maxList
	d.large = d.large || size < 0 || size > maxSmallBody
	if d.in.PeekKind() == 'n' {
		if err := d.mismatch("object"); err != nil {
			return malformed(err)
		}
	} else if err := d.value(reflect.ValueOf(v).Elem()); err != nil {
		return malformed(err)
	}
	if _, err := d.in.ReadToken(); err == nil {
		return fmt.Errorf("%w: data follows it", errMalformed)
	} else if err != io.EOF {
		return malformed(err)
	}
	return nil
}

// decodeBytes is decode for a value that is there, which is parsed where it is.
func (d *decoder) decodeBytes(b []byte, v any, base string, maxList int) error {
	d.piece = *bytes.NewBuffer(b)
	return d.decode(&d.piece, int64(len(b)), v, base, maxList)
}

// malformed turns an error of the JSON parser into a refusal that says where.
func malformed(err error) error {
	if errors.Is(err, errTooLarge) {
		return err
	}
	syntax, ok := errors.AsType[*jsontext.SyntacticError](err)
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		return fmt.Errorf("%w: a name stands twice in one object, at %q", errMalformed, shorten(syntax.JSONPointer))
	case ok:
		return fmt.Errorf("%w: not at byte %d", errMalformed, syntax.ByteOffset)
	}
	return fmt.Errorf("%w: it ends too early", errMalformed)
}

var (
	timeType = reflect.TypeFor[directory.Time]()
	rawType  = reflect.TypeFor[jsontext.Value]()
)

// value reads a value into a Go value of the same shape, as the methods for each
// shape do. Their errors end the reading.
func (d *decoder) value(v reflect.Value) error {
	kind := d.in.PeekKind()
	switch {
	case v.Type() == rawType:
		raw, err := d.in.ReadValue()
		v.SetBytes(slices.Clone(raw))
		return err
	case kind == 'n':
		return d.in.SkipValue()
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return d.value(v.Elem())
	case v.Type() == timeType:
		return d.time(kind, v)
	}
	switch v.Kind() {
	case reflect.Struct:
		return d.object(kind, v)
	case reflect.Slice:
		return d.list(kind, v)
	case reflect.String:
		if kind != '"' {
			return d.mismatch("string")
		}
		t, err := d.in.ReadToken()
		if err == nil {
			v.SetString(t.String())
		}
		return err
	case reflect.Bool:
		if kind != 't' && kind != 'f' {
			return d.mismatch("boolean")
		}
		t, err := d.in.ReadToken()
		v.SetBool(err == nil && t.Bool())
		return err
	case reflect.Uint16, reflect.Uint32:
		return d.number(kind, v)
	}
	panic("api: a body with a " + v.Kind().String())
}

// mismatch skips a value that should have been something else.
func (d *decoder) mismatch(want string) error {
	return d.skip("type", "must be a JSON "+want)
}

func (d *decoder) skip(code, detail string) error {
	if err := d.in.SkipValue(); err != nil {
		return err
	}
	d.fault(code, detail)
	return nil
}

// fault says that the value just read is of no use.
func (d *decoder) fault(code, detail string) {
	d.faults.addUseless(d.base+shorten(d.in.StackPointer()), code, detail)
}

func (d *decoder) number(kind jsontext.Kind, v reflect.Value) error {
	if kind != '0' {
		return d.mismatch("number")
	}
	raw, err := d.in.ReadValue()
	if err != nil {
		return err
	}
	n, err := strconv.ParseUint(string(raw), 10, v.Type().Bits())
	if err != nil {
		d.fault("type", fmt.Sprintf("must be a whole number from 0 to %d", uint64(1)<<v.Type().Bits()-1))
		return nil
	}
	v.SetUint(n)
	return nil
}

func (d *decoder) time(kind jsontext.Kind, v reflect.Value) error {
	if kind != '"' {
		return d.mismatch("string")
	}
	text, err := d.in.ReadToken()
	if err != nil {
		return err
	}
	var t directory.Time
	if err := t.UnmarshalText([]byte(text.String())); err != nil {
		d.fault("format", "must be an RFC 3339 time of the years 0 to 9999 in UTC")
		return nil
	}
	v.SetInt(int64(t))
	return nil
}

func (d *decoder) list(kind jsontext.Kind, v reflect.Value) error {
	if kind != '[' {
		return d.mismatch("array")
	}
	if _, err := d.in.ReadToken(); err != nil {
		return err
	}
	start := d.in.InputOffset()
	v.Set(reflect.MakeSlice(v.Type(), 0, 4))
	limit, own := maxListed, d.base == "" && d.in.StackDepth() == listOfBody
	if own {
		limit = d.maxList
	}
	for d.in.PeekKind() != ']' {
		n := v.Len()
		switch {
		case n < limit:
		case !own: // the check of what was read finds it far too long
			if err := d.in.SkipValue(); err != nil {
				return err
			}
			continue
		default:
			return fmt.Errorf("%w: more than %d elements at %q", errTooLarge, limit, d.base+shorten(d.in.StackPointer().Parent()))
		}
		if n == v.Cap() {
			v.Grow(d.room(n, start, limit))
		}
		v.SetLen(n + 1)
		v.Index(n).SetZero()
		if err := d.element(v.Index(n)); err != nil {
			return err
		}
	}
	_, err := d.in.ReadToken()
	return err
}

// room returns for how many more elements a list gets room when n have been read
// since start: twice as many at first, then as many as there can be if the rest
// of the input is like them.
func (d *decoder) room(n int, start int64, limit int) int {
	const sample = 64
	if n < sample || d.size < 0 {
		return n
	}
	at := d.in.InputOffset()
	return min(limit-n, int(int64(n)*(d.size-at)/(at-start))+n/8)
}

// element reads an element of a list, where null stands for nothing.
func (d *decoder) element(v reflect.Value) error {
	switch kind := d.in.PeekKind(); {
	case kind == 'n':
		return d.skip("type", "must not be null")
	case kind == '"' && v.Kind() == reflect.String:
		return d.word(v)
	case kind == '{' && v.Type() == entryType:
		return d.entry(v.Addr().Interface().(*directory.DirectoryEntry))
	}
	return d.value(v)
}

// entry reads an entry of a directory sync.
func (d *decoder) entry(e *directory.DirectoryEntry) error {
	raw, err := d.in.ReadValue()
	if err != nil {
		return err
	}
	if d.entries == nil {
		d.entries = &entryReader{words: &d.words}
	}
	if d.entries.read(raw, e) {
		return nil
	}
	if d.odd == nil {
		d.odd = newDecoder(d.faults)
	}
	*e = directory.DirectoryEntry{}
	d.odd.piece = *bytes.NewBuffer(raw)
	return d.odd.read(&d.odd.piece, int64(len(raw)), e, d.base+shorten(d.in.StackPointer()), maxListed)
}

// word reads a string of a list.
func (d *decoder) word(v reflect.Value) error {
	raw, err := d.in.ReadValue()
	if err != nil {
		return err
	}
	text, err := d.words.text(raw)
	v.SetString(text)
	return err
}

func (d *decoder) object(kind jsontext.Kind, v reflect.Value) error {
	if kind != '{' {
		return d.mismatch("object")
	}
	if _, err := d.in.ReadToken(); err != nil {
		return err
	}
	names, next := namesOf(v.Type()), 0
	for d.in.PeekKind() != '}' {
		name, err := d.name()
		if err != nil {
			return err
		}
		if i := indexFrom(names, next, name); i >= 0 {
			next = i + 1
			err = d.value(v.Field(i))
		} else if err = d.in.SkipValue(); err == nil {
			d.faults.add(d.base+shorten(d.in.StackPointer()), unknownField, "no such field")
		}
		if err != nil {
			return err
		}
	}
	_, err := d.in.ReadToken()
	return err
}

// name reads the name of a member. It is good until more is read: as a string it
// would be garbage, a hundred thousand times over.
func (d *decoder) name() ([]byte, error) {
	raw, err := d.in.ReadValue()
	switch {
	case err != nil:
		return nil, err
	case hasEscapes(raw):
		return appendText(nil, raw)
	}
	return raw[1 : len(raw)-1], nil
}

// indexFrom returns where name stands in names, or -1. It looks from next on first,
// since members come in the order of the struct as a rule.
func indexFrom(names []string, next int, name []byte) int {
	for i := next; i < len(names); i++ {
		if names[i] == string(name) {
			return i
		}
	}
	for i := range min(next, len(names)) {
		if names[i] == string(name) {
			return i
		}
	}
	return -1
}

var nameCache sync.Map // reflect.Type → []string

// namesOf returns the JSON names of a struct's fields, in their order.
func namesOf(t reflect.Type) []string {
	if cached, ok := nameCache.Load(t); ok {
		return cached.([]string)
	}
	names := make([]string, t.NumField())
	for i := range names {
		names[i] = jsonName(t.Field(i))
	}
	nameCache.Store(t, names)
	return names
}

func jsonName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}
