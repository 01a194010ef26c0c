package client

import (
	"bytes"
	"encoding/json"
	"iter"
)

// The functions below walk JSON that is known to be valid, one level at a time,
// so that what is passed on as it came is never decoded. The general decoder
// would also take member names in any case, which the protocol does not.

// members yields the names and values of an object.
func members(object []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		for at := pastSpace(object, 1); object[at] != '}'; at = pastComma(object, at) {
			end := valueEnd(object, at)
			name := unquote(object[at:end])
			start := pastSpace(object, pastSpace(object, end)+1) // past the colon
			at = valueEnd(object, start)
			if !yield(name, object[start:at]) {
				return
			}
		}
	}
}

// elements yields the values of an array.
func elements(array []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for at := pastSpace(array, 1); array[at] != ']'; at = pastComma(array, at) {
			start := at
			at = valueEnd(array, start)
			if !yield(array[start:at]) {
				return
			}
		}
	}
}

// unquote returns the string that b is in JSON.
func unquote(b []byte) []byte {
	if bytes.IndexByte(b, '\\') < 0 {
		return b[1 : len(b)-1]
	}
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		panic(err) // valid JSON, and a string
	}
	return []byte(s)
}

// pastSpace returns the first index from i on that holds no white space.
func pastSpace(b []byte, i int) int {
	for b[i] == ' ' || b[i] == '\t' || b[i] == '\n' || b[i] == '\r' {
		i++
	}
	return i
}

// pastComma returns where the next item begins, or the closing bracket.
func pastComma(b []byte, i int) int {
	i = pastSpace(b, i)
	if b[i] == ',' {
		i = pastSpace(b, i+1)
	}
	return i
}

// valueEnd returns the index behind the value that begins at i.
func valueEnd(b []byte, i int) int {
	switch b[i] {
	case '"':
		return stringEnd(b, i)
	case '{', '[':
		for depth := 0; ; i++ {
			switch b[i] {
			case '"':
				i = stringEnd(b, i) - 1
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return i + 1
				}
			}
		}
	}
	return i + max(0, bytes.IndexAny(b[i:], ",]} \t\r\n")) // what it stands in has an end
}

// stringEnd returns the index behind the string that begins at i.
func stringEnd(b []byte, i int) int {
	for i++; ; i++ {
		n := bytes.IndexByte(b[i:], '"')
		i += n
		if b[i-1] != '\\' || !escaped(b, i) {
			return i + 1
		}
	}
}

// escaped reports whether an odd number of backslashes stands before b[i].
func escaped(b []byte, i int) (odd bool) {
	for i--; b[i] == '\\'; i-- {
		odd = !odd
	}
	return odd
}
