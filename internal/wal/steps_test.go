package wal

import (
	"hash/crc32"
	"iter"
)

// steps counts those at which an accident is tried, from 1 on and without an end: one in stride. Which ones rests on
// its name, so that among all accidents every step has its turn.
func steps(accident string) iter.Seq[int] {
	return func(yield func(int) bool) {
		step := 1 + int(crc32.ChecksumIEEE([]byte(accident))%stride)
		for yield(step) {
			step += stride
		}
	}
}
