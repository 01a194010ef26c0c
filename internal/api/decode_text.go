package api

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"
)

// hasEscapes reports whether a JSON string has any.
func hasEscapes(raw []byte) bool { return bytes.IndexByte(raw, '\\') >= 0 }

// appendText appends what a well-formed JSON string says.
func appendText(dst, raw []byte) ([]byte, error) {
	if hasEscapes(raw) {
		return jsontext.AppendUnquote(dst, raw)
	}
	return append(dst, raw[1:len(raw)-1]...), nil
}

// words shares the memory of equal strings: the groups of a directory are few and
// stand with everybody. The zero value is ready to use.
type words struct{ known map[string]string }

// maxWords bounds how many strings are kept for others to share, and
// maxWord how long they are in bytes.
const (
	maxWords = 4096
	maxWord  = 128
)

// text returns what a well-formed JSON string says.
func (w *words) text(raw []byte) (string, error) {
	if known, ok := w.known[string(raw)]; ok {
		return known, nil
	}
	b, err := appendText(nil, raw)
	if err != nil {
		return "", err
	}
	text := string(b)
	if len(raw) <= maxWord && len(w.known) < maxWords {
		if w.known == nil {
			w.known = make(map[string]string)
		}
		w.known[string(raw)] = text
	}
	return text, nil
}
