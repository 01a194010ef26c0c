package logs

import (
	"fmt"
	"math/rand/v2"
)

const letters = "abcdefghijklmnopqrstuvwxyz0123456789"

// Record makes a record of a size in bytes that looks like a commit of the gateway: one line of JSON, no zero byte, no
// two alike.
func Record(r *rand.Rand, n, size int) []byte {
	b := fmt.Appendf(make([]byte, 0, size), `{"type":"node.put","node_id":%d,"hostname":"`, n)
	for len(b) < size-2 {
		b = append(b, letters[r.IntN(len(letters))])
	}
	return append(b, `"}`...)
}

// Records makes many of one size.
func Records(r *rand.Rand, count, size int) [][]byte {
	records := make([][]byte, count)
	for i := range records {
		records[i] = Record(r, i, size)
	}
	return records
}
