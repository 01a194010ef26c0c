package directory

import (
	"sync"

	"github.com/cespare/xxhash/v2"
)

// hashers keeps what hashing needs between one record and the next.
var hashers = sync.Pool{New: func() any { return &codec{direction: hashing} }}

// hashOf returns a hash of the record, kind and key included, and 0 for none.
// It depends on the values of the fields alone, so it is the same on every
// gateway and for good: a field added later is to be left out while unset.
func hashOf[R interface {
	comparable
	Record
}](r R) uint64 {
	var none R
	if r == none {
		return 0
	}
	c := hashers.Get().(*codec)
	c.buf = c.buf[:0]
	c.record(r)
	sum := xxhash.Sum64(c.buf)
	if cap(c.buf) <= maxScratch {
		hashers.Put(c)
	}
	return sum
}
