package directory

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Position is where a reader stands: a commit of a named history.
type Position struct {
	Epoch string `json:"epoch"`
	SeqNo uint64 `json:"seq_no"`
}

// String writes a position as EPOCH:SEQ_NO.
func (p Position) String() string { return p.Epoch + ":" + strconv.FormatUint(p.SeqNo, 10) }

// ParsePosition reads EPOCH:SEQ_NO.
func ParsePosition(s string) (Position, error) {
	epoch, seq, ok := strings.Cut(s, ":")
	if !ok || !ValidEpoch(epoch) {
		return Position{}, fmt.Errorf("not a position: %q, want EPOCH:SEQ_NO", s)
	}
	n, err := strconv.ParseUint(seq, 10, 64)
	if err != nil {
		return Position{}, fmt.Errorf("not a position: %q: the part after the colon is no seq_no", s)
	}
	return Position{Epoch: epoch, SeqNo: n}, nil
}

// ValidEpoch reports whether s can name an epoch: letters, digits and hyphens.
func ValidEpoch(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for _, c := range []byte(s) {
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		digit := '0' <= c && c <= '9'
		if !letter && !digit && c != '-' {
			return false
		}
	}
	return true
}

// Epoch is one stretch of history: Name, and the last commit before it.
type Epoch struct {
	Name  string `json:"epoch"`
	SeqNo uint64 `json:"seq_no"`
}

// Lineage is the list of a gateway's epochs, oldest first, never empty.
type Lineage []Epoch

// Why a position is not on a lineage.
var (
	ErrUnknownEpoch = errors.New("unknown epoch")
	ErrAhead        = errors.New("position is ahead of this history")
)

// Current returns the name of the newest epoch.
func (l Lineage) Current() string { return l[len(l)-1].Name }

// UpTo returns the part of the lineage that had begun at a commit; the first
// epoch always had. It shares memory with l.
func (l Lineage) UpTo(seqNo uint64) Lineage {
	n := 1
	for n < len(l) && l[n].SeqNo <= seqNo {
		n++
	}
	return l[:n]
}

// At returns the position of a commit that lies on the lineage: seqNo, and the
// epoch that was in force when it was made.
func (l Lineage) At(seqNo uint64) Position {
	for _, e := range slices.Backward(l) {
		if e.SeqNo < seqNo {
			return Position{Epoch: e.Name, SeqNo: seqNo}
		}
	}
	return Position{Epoch: l[0].Name, SeqNo: seqNo}
}

// Locate says whether p lies on the lineage, whose newest commit is last.
// A position of an older epoch does when it stood at or before the point where
// the next epoch began. The error is ErrUnknownEpoch or ErrAhead.
func (l Lineage) Locate(p Position, last uint64) error {
	for i, e := range l {
		if e.Name != p.Epoch {
			continue
		}
		end := last
		if i+1 < len(l) {
			end = l[i+1].SeqNo
		}
		if p.SeqNo > end {
			return ErrAhead
		}
		return nil
	}
	return ErrUnknownEpoch
}
