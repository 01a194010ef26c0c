package directory

import (
	"errors"
	"fmt"
)

// EncodeCommit encodes entries once for disk, window and readers alike. It
// returns the record for the log, a JSON array, and the commit whose Encoded
// share the record's memory. Equal entries give equal bytes. It refuses strings
// that are not UTF-8, which could not be read again.
func EncodeCommit(entries []DeltaEntry) (Commit, []byte, error) {
	encode := encodeFew
	if len(entries) >= many {
		encode = encodeMany
	}
	ends := make([]int, len(entries))
	record, err := encode(entries, ends)
	if err != nil {
		return Commit{}, nil, err
	}
	encoded, start := make([][]byte, len(entries)), 1
	for i, end := range ends {
		encoded[i] = record[start:end:end]
		start = end + 1
	}
	return Commit{SeqNo: entries[0].SeqNo, Entries: entries, Encoded: encoded}, record, nil
}

// encodeFew returns entries as a JSON array, and where in it each of them ends.
func encodeFew(entries []DeltaEntry, ends []int) ([]byte, error) {
	c := newWriter()
	defer c.free()
	c.open('[')
	if err := c.entries(entries, ends); err != nil {
		return nil, err
	}
	c.close(']')
	return c.written(), nil
}

// many is how many entries are worth a second processor.
const many = 4096

// encodeMany is encodeFew on two processors. The second half is written into the
// same memory, behind what the first will take, and then moved up to it: memory
// that is touched for the first time costs more than the writing.
func encodeMany(entries []DeltaEntry, ends []int) ([]byte, error) {
	const sample = 64
	var tried codec
	if err := tried.entries(entries[:sample], ends); err != nil {
		return nil, err
	}
	half := len(entries) / 2
	room := len(tried.buf)/sample*half*9/8 + len(tried.buf)
	buf := make([]byte, 2*room)
	first, second := codec{buf: buf[:0:room]}, codec{buf: buf[room:room]}

	beside := make(chan error)
	go func() { beside <- second.entries(entries[half:], ends[half:]) }()
	first.open('[')
	err := first.entries(entries[:half], ends[:half])
	if err = errors.Join(err, <-beside); err != nil {
		return nil, err
	}
	first.punctuation(',') // in its own room, or first has moved out of it
	record := first.buf
	if &record[0] == &buf[0] {
		record = buf[:len(record)]
	}
	for i := half; i < len(entries); i++ {
		ends[i] += len(record)
	}
	return append(append(record, second.buf...), ']'), nil
}

// entries writes entries, apart by commas, and notes where in buf each ends.
func (c *codec) entries(entries []DeltaEntry, ends []int) error {
	for i := range entries {
		if cap(c.buf)-len(c.buf) < likelyEntry && i > 0 { // grow once, by what those before took
			room := (len(c.buf)/i+8)*(len(entries)-i) + likelyEntry
			c.buf = append(make([]byte, 0, len(c.buf)+room), c.buf...)
		}
		c.item(i)
		c.entry(&entries[i])
		if c.failed {
			return fmt.Errorf("encode %v entry: a string in it is not UTF-8", entries[i].Type)
		}
		ends[i] = len(c.buf)
	}
	return nil
}
