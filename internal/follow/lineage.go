package follow

import (
	"github.com/replication-gateway/gateway/client"
	"github.com/replication-gateway/gateway/internal/directory"
)

// relation is how another gateway's history stands to our own.
type relation int

const (
	same      relation = iota // the same epochs
	goesOn                    // ours, and later epochs
	older                     // a part of ours
	branch                    // shares a beginning, then both went on
	unrelated                 // shares nothing
)

// relate compares our own lineage with another.
func relate(own directory.Lineage, other client.Lineage) relation {
	shared := 0
	for shared < len(own) && shared < len(other) && own[shared] == other[shared] {
		shared++
	}
	switch {
	case shared == len(own) && shared == len(other):
		return same
	case shared == len(own):
		return goesOn
	case shared == len(other):
		return older
	case shared > 0:
		return branch
	}
	return unrelated
}

// fork returns the commit after which other, which goes on from own, is another
// history than what own has behind it.
func fork(own directory.Lineage, other client.Lineage) uint64 { return other[len(own)].SeqNo }
