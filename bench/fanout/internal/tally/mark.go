package tally

import (
	"bytes"
	"fmt"
)

// A mark is what a write carries so that it is known again, as mark-0000042. Nothing in it is ever escaped in JSON.
const (
	markHead   = "mark-"
	markDigits = 7

	// MarkLen is the length of a mark in bytes.
	MarkLen = len(markHead) + markDigits
	// MaxWrites is how many writes marks can tell apart.
	MaxWrites = 10_000_000
)

var head = []byte(markHead)

// Mark returns the mark of a write below MaxWrites.
func Mark(write int) string { return fmt.Sprintf("%s%0*d", markHead, markDigits, write) }

// Find appends to list the writes whose marks lie whole in b.
func Find(b []byte, list []int) []int {
	for {
		at := bytes.Index(b, head)
		if at < 0 || len(b)-at < MarkLen {
			return list
		}
		if n, ok := number(b[at+len(head) : at+MarkLen]); ok {
			list = append(list, n)
		}
		b = b[at+len(head):]
	}
}

func number(digits []byte) (n int, ok bool) {
	for _, d := range digits {
		if d < '0' || d > '9' {
			return 0, false
		}
		n = 10*n + int(d-'0')
	}
	return n, true
}
