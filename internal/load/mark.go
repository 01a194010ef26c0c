package load

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"fmt"
)

// A mark is bench-RUN-INDEX: the run as eight hex digits, the index as seven
// decimal ones. Nothing in it is ever escaped in JSON.
const (
	markHead    = "bench-"
	indexDigits = 7
	markLen     = len(markHead) + 8 + 1 + indexDigits
)

// MaxWrites is how many writes one run can tell apart. A Ledger takes 16 bytes for
// each.
const MaxWrites = 10_000_000

// Mark tells the writes of one run from all else in a stream.
type Mark struct{ prefix []byte }

// NewMark returns a mark that no other run has.
func NewMark() Mark {
	run := make([]byte, 4)
	rand.Read(run)
	return Mark{[]byte(markHead + hex.EncodeToString(run) + "-")}
}

// Text returns what the write with this index, below MaxWrites, carries.
func (m Mark) Text(index int) string { return fmt.Sprintf("%s%0*d", m.prefix, indexDigits, index) }

// find appends to list the indexes of the marks that lie whole in b.
func (m Mark) find(b []byte, list []int) []int {
	for {
		at := bytes.Index(b, m.prefix)
		if at < 0 || len(b)-at < markLen {
			return list
		}
		digits := b[at+len(m.prefix) : at+markLen]
		if index, ok := parseIndex(digits); ok {
			list = append(list, index)
		}
		b = b[at+len(m.prefix):]
	}
}

func parseIndex(digits []byte) (n int, ok bool) {
	for _, d := range digits {
		if d < '0' || d > '9' {
			return 0, false
		}
		n = 10*n + int(d-'0')
	}
	return n, true
}
