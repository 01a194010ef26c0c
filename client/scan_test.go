package client

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"testing"
	"unicode/utf8"
)

// FuzzScan holds the scanner against the general decoder.
func FuzzScan(f *testing.F) {
	for _, s := range []string{
		`{}`, `[]`, ` { "a" : 1 , "b" : [ ] } `, `{"a":"}\"","b\\":{"c":[1,2,{"d":"]"}]},"e":-1.5e3,"f":null,"g":true}`,
		`{"\u0061":"\\","b":"\\\\\""}`, `[1,"a,b",[2,[3]],{"x":"]"}, false ,null]`, `{"":""}`, `[[],{},"",0]`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if !json.Valid(b) || !utf8.Valid(b) {
			return
		}
		b = bytes.TrimSpace(b)
		switch b[0] {
		case '{':
			var want map[string]json.RawMessage
			if err := json.Unmarshal(b, &want); err != nil {
				return // nested deeper than the decoder goes
			}
			got := map[string]json.RawMessage{}
			for name, value := range members(b) {
				got[string(name)] = value
			}
			if !maps.EqualFunc(got, want, sameBytes) {
				t.Errorf("members of %s:\ngot  %s\nwant %s", b, got, want)
			}
		case '[':
			var want []json.RawMessage
			if err := json.Unmarshal(b, &want); err != nil {
				return
			}
			var got []json.RawMessage
			for value := range elements(b) {
				got = append(got, value)
			}
			if !slices.EqualFunc(got, want, sameBytes) {
				t.Errorf("elements of %s:\ngot  %s\nwant %s", b, got, want)
			}
		}
	})
}

func sameBytes(a, b json.RawMessage) bool { return bytes.Equal(a, b) }
