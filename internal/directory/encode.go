package directory

import (
	"errors"
	"fmt"
)

// EncodeCommit encodes entries once for disk, window and readers alike. It
// returns the record for the log, a JSON array, in pieces that stand one behind
// the other, and the commit whose Encoded share the record's memory. Equal
// entries give equal bytes. It refuses strings that are not UTF-8, which could
// not be read again.
func EncodeCommit(entries []DeltaEntry) (Commit, [][]byte, error) {
	encode := encodeFew
	switch {
	case len(entries) >= many:
		encode = encodeMany
	case len(entries) > few:
		encode = encodeLong
	}
	encoded := make([][]byte, len(entries))
	record, err := encode(entries, encoded)
	if err != nil {
		return Commit{}, nil, err
	}
	return Commit{SeqNo: entries[0].SeqNo, Entries: entries, Encoded: encoded}, record, nil
}

// few is how many entries fit as a rule into the memory that is kept to write into.
const few = maxScratch / likelyEntry

// encodeFew encodes entries as a JSON array in one piece, of which encoded gets
// the part of each.
func encodeFew(entries []DeltaEntry, encoded [][]byte) ([][]byte, error) {
	c := newWriter()
	defer c.free()
	c.open('[')
	for i := range entries {
		c.item(i)
		if err := c.encode(&entries[i], &encoded[i]); err != nil {
			return nil, err
		}
	}
	c.close(']')
	piece := c.written()
	share(piece, encoded)
	return [][]byte{piece}, nil
}

// encodeLong is encodeFew in several pieces.
func encodeLong(entries []DeltaEntry, encoded [][]byte) ([][]byte, error) {
	record, err := encodePieces('[', entries, encoded)
	if err != nil {
		return nil, err
	}
	return closed(record), nil
}

// many is how many entries are worth a second processor.
const many = 4096

// encodeMany is encodeLong on two processors.
func encodeMany(entries []DeltaEntry, encoded [][]byte) ([][]byte, error) {
	half := len(entries) / 2
	var second [][]byte
	beside := make(chan error)
	go func() {
		var err error
		second, err = encodePieces(',', entries[half:], encoded[half:])
		beside <- err
	}()
	record, err := encodePieces('[', entries[:half], encoded[:half])
	if err := errors.Join(err, <-beside); err != nil {
		return nil, err
	}
	return closed(append(record, second...)), nil
}

// closed closes the array that a record in pieces is.
func closed(record [][]byte) [][]byte {
	last := &record[len(record)-1]
	*last = append(*last, ']')
	return record
}

const (
	// pieceRoom is the memory in bytes that a piece of a long record gets at most. One
	// that is as long as the record would be new to the process nearly always, and
	// touching new memory takes longer than writing to it.
	pieceRoom = 256 << 10
	// pieceRest is how much room a piece keeps for its last entry.
	pieceRest = 4 << 10
)

// encodePieces encodes a stretch of a record, which begins with lead. A piece gets
// no more room than what is left to write is likely to take.
func encodePieces(lead byte, entries []DeltaEntry, encoded [][]byte) (pieces [][]byte, err error) {
	each := likelyEntry
	for len(entries) > 0 {
		room := min(pieceRoom, len(entries)*each+pieceRest)
		c, n := codec{buf: make([]byte, 0, room)}, 0
		for ; n < len(entries) && len(c.buf) <= room-pieceRest; n++ {
			c.punctuation(lead)
			if err := c.encode(&entries[n], &encoded[n]); err != nil {
				return nil, err
			}
			lead = ','
		}
		share(c.buf, encoded[:n])
		pieces = append(pieces, c.buf)
		each = len(c.buf)/n + 8
		entries, encoded = entries[n:], encoded[n:]
	}
	return pieces, nil
}

// encode writes an entry, and puts into encoded as many bytes as it takes.
func (c *codec) encode(e *DeltaEntry, encoded *[]byte) error {
	start := len(c.buf)
	c.entry(e)
	*encoded = c.buf[start:]
	if c.failed {
		return fmt.Errorf("encode %v entry: a string in it is not UTF-8", e.Type)
	}
	return nil
}

// share sets encoded, whose lengths are right, to where the entries of a piece
// stand, each behind one byte of punctuation. The piece may have moved while it was
// written.
func share(piece []byte, encoded [][]byte) {
	end := 0
	for i := range encoded {
		start := end + 1
		end = start + len(encoded[i])
		encoded[i] = piece[start:end:end]
	}
}
