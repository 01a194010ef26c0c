package api

import (
	"bytes"
	"reflect"

	"github.com/replication-gateway/gateway/internal/directory"
)

// entryReader reads the entries of directory syncs, of which one body may have a
// hundred thousand. It knows nothing but what an entry should be: what it does not
// take is for the decoder, which can say what is wrong with it.
type entryReader struct {
	words *words

	in     []byte // what is left of the entry
	text   []byte // its strings, one behind the other
	cuts   []cut
	groups []string

	// What entries point to.
	texts slab[string]
	lists slab[[]string]
}

// cut says where in the text a string ends.
type cut struct {
	to  *string
	end int
}

var entryType = reflect.TypeFor[directory.DirectoryEntry]()

// read reads an entry from an object that is JSON, with each name once, and reports
// whether it could: then e, which was zero, keeps nothing of in.
func (r *entryReader) read(in []byte, e *directory.DirectoryEntry) bool {
	r.in, r.text, r.cuts = in[len("{"):], r.text[:0], r.cuts[:0]
	for r.next() {
		name, _ := r.quoted()
		r.next()
		ok := false
		switch string(name) {
		case `"external_id"`:
			ok = r.own(&e.ExternalID)
		case `"display_name"`:
			ok = r.optional(&e.DisplayName)
		case `"email"`:
			ok = r.optional(&e.Email)
		case `"groups"`:
			ok = r.shared(&e.Groups)
		case `"role"`:
			ok = r.optional(&e.Role)
		case `"disabled"`:
			ok = r.bool(&e.Disabled)
		}
		if !ok {
			return false
		}
	}
	r.settle()
	return true
}

// next goes to the next name, value or element, and reports whether there is one
// before the object or the list ends.
func (r *entryReader) next() bool {
	for i, b := range r.in {
		switch b {
		case ' ', '\t', '\r', '\n', ',', ':':
		case '}', ']':
			r.in = r.in[i+1:]
			return false
		default:
			r.in = r.in[i:]
			return true
		}
	}
	return false
}

// quoted reads a string, which it returns as it stands, if there is one.
func (r *entryReader) quoted() (raw []byte, ok bool) {
	if r.in[0] != '"' {
		return nil, false
	}
	for i := 1; ; i++ {
		switch r.in[i] {
		case '\\':
			i++
		case '"':
			raw, r.in = r.in[:i+1], r.in[i+1:]
			return raw, true
		}
	}
}

// word reads exactly w, if it is next.
func (r *entryReader) word(w string) (ok bool) {
	r.in, ok = bytes.CutPrefix(r.in, []byte(w))
	return ok
}

// own reads a string of the entry's own. null is as good as nothing said.
func (r *entryReader) own(to *string) bool {
	raw, ok := r.quoted()
	if !ok {
		return r.word("null")
	}
	var err error
	r.text, err = appendText(r.text, raw)
	r.cuts = append(r.cuts, cut{to, len(r.text)})
	return err == nil
}

func (r *entryReader) optional(to **string) bool {
	if r.word("null") {
		return true
	}
	*to = r.texts.next()
	return r.own(*to)
}

// settle gives the strings of the entry memory, one piece for all of them.
func (r *entryReader) settle() {
	text, start := string(r.text), 0
	for _, c := range r.cuts {
		*c.to, start = text[start:c.end], c.end
	}
}

func (r *entryReader) bool(to *bool) bool {
	*to = r.word("true")
	return *to || r.word("false") || r.word("null")
}

// shared reads a list of strings that are shared. It takes no more than a valid
// entry has.
func (r *entryReader) shared(to **[]string) bool {
	if !r.word("[") {
		return r.word("null")
	}
	r.groups = r.groups[:0]
	for r.next() {
		raw, ok := r.quoted()
		if !ok || len(r.groups) == obviousGroups {
			return false
		}
		text, err := r.words.text(raw)
		if err != nil {
			return false
		}
		r.groups = append(r.groups, text)
	}
	*to = r.lists.next()
	**to = append(make([]string, 0, len(r.groups)), r.groups...)
	return true
}

// slab hands out values that live as long as each other, made many at a time.
type slab[T any] struct{ left []T }

func (s *slab[T]) next() *T {
	const together = 64
	if len(s.left) == 0 {
		s.left = make([]T, together)
	}
	v := &s.left[0]
	s.left = s.left[1:]
	return v
}
