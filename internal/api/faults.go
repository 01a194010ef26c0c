package api

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Refusals by content. Unknown fields outrank the rest.
var (
	errUnknownField = errors.New("the body has fields that are not known")
	errInvalid      = errors.New("the request is not valid")
)

// maxFaults is how many faults a problem lists.
const maxFaults = 100

// fault is one thing wrong with a request. Pointer is its place in the body,
// RFC 6901, or the name of a path, query or header parameter after a slash.
type fault struct {
	Pointer string `json:"pointer"`
	Code    string `json:"code"`
	Detail  string `json:"detail"`
}

const unknownField = "unknown-field"

// faults gathers what is wrong with a request. Of those over maxFaults it is kept
// only that there were some: a body may have millions.
type faults struct {
	list    []fault
	more    bool
	unknown bool
	useless map[string]bool // pointers to values of the wrong type
}

// full reports whether no more faults are listed.
func (f *faults) full() bool { return len(f.list) >= maxFaults }

// addUseless adds the fault of a value that cannot be used at all. Nothing more
// is said of it, nor of what is within.
func (f *faults) addUseless(pointer, code, detail string) {
	if !f.add(pointer, code, detail) {
		return
	}
	if f.useless == nil {
		f.useless = make(map[string]bool)
	}
	f.useless[pointer] = true
}

// add adds a fault, and reports whether it is in the list.
func (f *faults) add(pointer, code, detail string) bool {
	if within(pointer, f.useless) {
		return false
	}
	if code == unknownField && !f.unknown {
		// One of these must be in the list, since the refusal is named after it.
		f.unknown = true
		f.more = f.more || f.full()
		f.list = f.list[:min(len(f.list), maxFaults-1)]
	}
	if f.full() {
		f.more = true
		return false
	}
	f.list = append(f.list, fault{pointer, code, detail})
	return true
}

// within reports whether a pointer or what contains it is in set.
func within(pointer string, set map[string]bool) bool {
	for len(set) > 0 {
		if set[pointer] {
			return true
		}
		i := strings.LastIndexByte(pointer, '/')
		if i < 0 {
			break
		}
		pointer = pointer[:i]
	}
	return false
}

func (f *faults) err() error {
	if len(f.list) == 0 {
		return nil
	}
	return &faultsError{*f}
}

// faultsError is the refusal of a request for its faults.
type faultsError struct{ faults }

func (e *faultsError) Error() string {
	switch {
	case e.more:
		return fmt.Sprintf("%v: %d faults or more", e.Unwrap(), len(e.list))
	case len(e.list) == 1:
		return fmt.Sprintf("%v: one fault", e.Unwrap())
	}
	return fmt.Sprintf("%v: %d faults", e.Unwrap(), len(e.list))
}

func (e *faultsError) Unwrap() error {
	if e.unknown {
		return errUnknownField
	}
	return errInvalid
}

// maxPointer bounds a pointer, whose parts a client chooses; of a longer one
// the parent is told.
const maxPointer = 1024

// pointer returns the JSON pointer to a member or an element of base.
func pointer[K string | int](base string, key K) string {
	var part string
	switch key := any(key).(type) {
	case string:
		part = pointerPart.Replace(strings.ToValidUTF8(key, "\uFFFD"))
	case int:
		part = strconv.Itoa(key)
	}
	if len(base)+len(part) >= maxPointer {
		return base
	}
	return base + "/" + part
}

// pointerPart writes a name as a part of a pointer, RFC 6901 section 3.
var pointerPart = strings.NewReplacer("~", "~0", "/", "~1")

// shorten is the same bound for a pointer that the decoder made.
func shorten(p jsontext.Pointer) string {
	for len(p) > maxPointer {
		p = p.Parent()
	}
	return string(p)
}
