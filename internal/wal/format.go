package wal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"slices"
)

// A segment is a header and frames. All numbers are little-endian, all checksums CRC-32C.
//
// Segment header, padded with zeros to whole sectors:
//
//	 0  8  magic "gwlogseg"
//	 8  4  version
//	12  4  length of the header, a multiple of 512
//	16  8  first seq_no of the segment
//	24  4  number of epochs
//	28  4  checksum of all other bytes of the header
//	32     lineage, which ends before the first seq_no
//
// Frame, what one Append writes and one sync makes durable:
//
//	 0  4  length of the body, without padding
//	 4  3  number of records
//	 7  1  kind: 1 records, 2 a lone record, 3 seal
//	 8  8  seq_no of the first record; in a seal, the first seq_no of the next segment
//	16  8  committed_seq_no as known when the frame was written
//	24  4  checksum of the body and its padding
//	28  4  checksum of the 28 bytes before
//	32     body, padded with 0xFF to a multiple of 32
//
// The body is each record behind its length as a uvarint; a lone record goes without the length. A seal has no body.
//
// Three rules make the end of a log readable after a crash, given that a disk writes a sector of 512 bytes whole or
// not at all:
//
//   - Frames begin at multiples of 32, so a frame's header lies in one sector: it is whole or was never written.
//   - Neither a record nor a uvarint of a positive length nor the padding holds a zero byte, and what a frame has in
//     a sector is never less than 32 bytes. So where all of that is zero the sector was never written, and no single
//     damaged byte can look like it.
//   - Both checksums of a frame start from the checksum of the segment's header, which covers epoch and first seq_no:
//     a frame that was copied from another log or segment is not taken for one of this.
const (
	sectorSize     = 512
	frameAlign     = 32
	frameHeaderLen = 32
	fixedHeaderLen = 32

	segmentMagic   = "gwlogseg"
	segmentVersion = 1

	maxSeqNo   = math.MaxUint64 - maxRecords - 1 // so that adding a group never wraps
	maxBody    = 320 << 20
	maxRecords = 1<<24 - 1
	maxHeader  = (fixedHeaderLen + maxLineage + sectorSize - 1) / sectorSize * sectorSize

	padByte = 0xFF
)

type frameKind uint8

const (
	kindRecords frameKind = iota + 1
	kindLone
	kindSeal
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// errFormat is what the decoders return; it is wrapped with what is wrong and turned into a DamageError by callers,
// who know file and offset.
var errFormat = errors.New("malformed")

// segmentHeader identifies a segment.
type segmentHeader struct {
	first   uint64
	lineage []Epoch
	length  int64  // bytes on disk
	seed    uint32 // the header's checksum, from which those of the frames start
}

// encodeSegmentHeader returns the header's bytes and fills in its length and seed.
func encodeSegmentHeader(h *segmentHeader) []byte {
	b := appendLineage(make([]byte, fixedHeaderLen, sectorSize), h.lineage)
	b = padHeader(b, segmentMagic, segmentVersion)
	binary.LittleEndian.PutUint64(b[16:], h.first)
	binary.LittleEndian.PutUint32(b[24:], uint32(len(h.lineage)))
	h.length, h.seed = int64(len(b)), sumAround(b, 28)
	binary.LittleEndian.PutUint32(b[28:], h.seed)
	return b
}

// decodeSegmentHeader reads a header of the length that headerLen told.
func decodeSegmentHeader(b []byte) (segmentHeader, error) {
	h := segmentHeader{
		first:  binary.LittleEndian.Uint64(b[16:]),
		length: int64(len(b)),
		seed:   binary.LittleEndian.Uint32(b[28:]),
	}
	if sum := sumAround(b, 28); sum != h.seed {
		return h, fmt.Errorf("%w: header checksum %08x, stored %08x", errFormat, sum, h.seed)
	}
	if h.first == 0 || h.first-1 > maxSeqNo {
		return h, fmt.Errorf("%w: first seq_no %d", errFormat, h.first)
	}
	var err error
	h.lineage, err = decodeLineage(b[fixedHeaderLen:], binary.LittleEndian.Uint32(b[24:]), h.first-1)
	return h, err
}

// padHeader makes b a header of whole sectors and gives it what all headers begin with: magic, version and length.
func padHeader(b []byte, magic string, version uint32) []byte {
	b = append(b, make([]byte, roundUp(len(b), sectorSize)-len(b))...)
	copy(b, magic)
	binary.LittleEndian.PutUint32(b[8:], version)
	binary.LittleEndian.PutUint32(b[12:], uint32(len(b)))
	return b
}

// headerLen tells from the first sector of a header how long all of it is.
func headerLen(b []byte, magic string, version uint32) (int64, error) {
	if string(b[:8]) != magic {
		return 0, fmt.Errorf("%w: the file begins with %q instead of %q", errFormat, b[:8], magic)
	}
	if v := binary.LittleEndian.Uint32(b[8:]); v != version {
		return 0, fmt.Errorf("%w: format version %d, this program reads %d", errFormat, v, version)
	}
	n := binary.LittleEndian.Uint32(b[12:])
	if n < sectorSize || n > maxHeader || n%sectorSize != 0 {
		return 0, fmt.Errorf("%w: header length %d", errFormat, n)
	}
	return int64(n), nil
}

// sumAround is the checksum of b without the four bytes at an offset, where the sum itself is stored.
func sumAround(b []byte, at int) uint32 {
	return crc32.Update(crc32.Checksum(b[:at], castagnoli), castagnoli, b[at+4:])
}

// frameHeader is the decoded head of a frame.
type frameHeader struct {
	kind      frameKind
	count     uint32
	bodyLen   int64
	first     uint64
	committed uint64
	bodySum   uint32
}

// size is what the frame takes in the file.
func (h frameHeader) size() int64 { return frameHeaderLen + int64(roundUp(int(h.bodyLen), frameAlign)) }

// next is the seq_no that must follow.
func (h frameHeader) next() uint64 { return h.first + uint64(h.count) }

// bodyLen tells how long the body of a group is, or refuses the group.
func bodyLen(records []Record) (int64, error) {
	if len(records) > maxRecords {
		return 0, fmt.Errorf("%w: %d records, at most %d", ErrTooLarge, len(records), maxRecords)
	}
	n := int64(0)
	for _, r := range records {
		length := r.Len()
		n += int64(length)
		if len(records) > 1 {
			n += int64(uvarintLen(uint64(length)))
		}
		if n > maxBody {
			return 0, fmt.Errorf("%w: over %d bytes", ErrTooLarge, maxBody)
		}
	}
	return n, nil
}

const (
	// ownPiece is how long a record must be for its pieces to be written from where they stand, instead of being copied
	// into its frame.
	ownPiece = 256 << 10
	// ownTail is how much of the end of such a record is copied all the same: more than a whole sector, so that a frame
	// whose last piece was not written shows a sector that holds nothing, as every frame does whose write broke off.
	ownTail = 2 * sectorSize
)

// encodeFrame encodes the frame of a group, as pieces that stand one behind the other in the file. The first of them
// begins buf, which it returns for the next frame; those of long records are their own.
func encodeFrame(buf []byte, seed uint32, first, committed uint64, records []Record) (pieces [][]byte, h frameHeader, _ []byte) {
	h = frameHeader{kind: kindRecords, count: uint32(len(records)), first: first, committed: committed}
	if len(records) == 1 {
		h.kind = kindLone
	}
	b := slices.Grow(buf[:0], copied(records))[:frameHeaderLen] // never moves again: pieces are parts of it
	clear(b)
	start, body := 0, 0
	for _, r := range records {
		before, length := len(b), r.Len()
		if h.kind == kindRecords {
			b = binary.AppendUvarint(b, uint64(length))
		}
		body += len(b) - before + length
		own := 0 // bytes that are written from where they stand
		if length >= ownPiece {
			own = length - ownTail
			pieces = append(pieces, b[start:])
			start = len(b)
		}
		for _, piece := range r {
			n := min(own, len(piece))
			if n > 0 {
				pieces = append(pieces, piece[:n])
				own -= n
			}
			b = append(b, piece[n:]...)
		}
	}
	for n := body; n%frameAlign != 0; n++ {
		b = append(b, padByte)
	}
	pieces = append(pieces, b[start:])
	h.bodyLen, h.bodySum = int64(body), seed
	for i, piece := range pieces {
		if i == 0 {
			piece = piece[frameHeaderLen:]
		}
		h.bodySum = crc32.Update(h.bodySum, castagnoli, piece)
	}
	putFrameHeader(b, seed, h)
	return pieces, h, b
}

// copied is how many bytes the frame of a group takes at most, less what is written from where it stands.
func copied(records []Record) int {
	n := frameHeaderLen + frameAlign
	for _, r := range records {
		n += binary.MaxVarintLen64
		if length := r.Len(); length >= ownPiece {
			n += ownTail
		} else {
			n += length
		}
	}
	return n
}

// appendSeal appends the seal that names the next segment to b, which must be empty.
func appendSeal(b []byte, seed uint32, next, committed uint64) ([]byte, frameHeader) {
	h := frameHeader{kind: kindSeal, first: next, committed: committed, bodySum: seed}
	b = append(b, make([]byte, frameHeaderLen)...)
	putFrameHeader(b, seed, h)
	return b, h
}

func putFrameHeader(b []byte, seed uint32, h frameHeader) {
	binary.LittleEndian.PutUint32(b[0:], uint32(h.bodyLen))
	binary.LittleEndian.PutUint32(b[4:], uint32(h.kind)<<24|h.count)
	binary.LittleEndian.PutUint64(b[8:], h.first)
	binary.LittleEndian.PutUint64(b[16:], h.committed)
	binary.LittleEndian.PutUint32(b[24:], h.bodySum)
	binary.LittleEndian.PutUint32(b[28:], crc32.Update(seed, castagnoli, b[:28]))
}

// decodeFrameHeader reads the first frameHeaderLen bytes of b.
func decodeFrameHeader(b []byte, seed uint32) (frameHeader, error) {
	stored := binary.LittleEndian.Uint32(b[28:])
	if sum := crc32.Update(seed, castagnoli, b[:28]); sum != stored {
		return frameHeader{}, fmt.Errorf("%w: frame header checksum %08x, stored %08x", errFormat, sum, stored)
	}
	mixed := binary.LittleEndian.Uint32(b[4:])
	h := frameHeader{
		kind:      frameKind(mixed >> 24),
		count:     mixed & maxRecords,
		bodyLen:   int64(binary.LittleEndian.Uint32(b[0:])),
		first:     binary.LittleEndian.Uint64(b[8:]),
		committed: binary.LittleEndian.Uint64(b[16:]),
		bodySum:   binary.LittleEndian.Uint32(b[24:]),
	}
	var ok bool
	switch h.kind {
	case kindRecords:
		ok = h.count > 1 && h.bodyLen >= 2*int64(h.count)
	case kindLone:
		ok = h.count == 1 && h.bodyLen >= 1
	case kindSeal:
		ok = h.count == 0 && h.bodyLen == 0
	}
	if !ok || h.bodyLen > maxBody || h.first == 0 || h.first-1 > maxSeqNo || h.committed >= h.next() {
		return frameHeader{}, fmt.Errorf("%w: frame of kind %d with %d records, %d bytes, seq_no %d, committed %d",
			errFormat, h.kind, h.count, h.bodyLen, h.first, h.committed)
	}
	return h, nil
}

// checkBody compares a body and its padding with the checksum in the frame's header.
func checkBody(h frameHeader, padded []byte, seed uint32) bool {
	return crc32.Update(seed, castagnoli, padded) == h.bodySum
}

// eachRecord yields the records of a body whose checksum holds. An error of yield is returned as it is.
func eachRecord(h frameHeader, body []byte, yield func(seqNo uint64, record []byte) error) error {
	if h.kind == kindLone {
		return yield(h.first, body)
	}
	for seqNo := h.first; seqNo < h.next(); seqNo++ {
		n, used := binary.Uvarint(body)
		if used <= 0 || n > uint64(len(body)-used) {
			return fmt.Errorf("%w: length of the record", errFormat)
		}
		if err := yield(seqNo, body[used:used+int(n)]); err != nil {
			return err
		}
		body = body[used+int(n):]
	}
	if len(body) > 0 {
		return fmt.Errorf("%w: %d bytes after the last record", errFormat, len(body))
	}
	return nil
}

// neverWritten tells whether one of the sectors that bytes at an offset of the file reach into holds none of them.
func neverWritten(b []byte, offset int64) bool {
	for len(b) > 0 {
		n := min(sectorSize-int(offset%sectorSize), len(b))
		if isZero(b[:n]) {
			return true
		}
		b, offset = b[n:], offset+int64(n)
	}
	return false
}

// zeros is what isZero compares with and what segments are filled with.
var zeros [64 << 10]byte

func isZero(b []byte) bool {
	for len(b) > 0 {
		n := min(len(b), len(zeros))
		if !bytes.Equal(b[:n], zeros[:n]) {
			return false
		}
		b = b[n:]
	}
	return true
}

func roundUp(n, multiple int) int { return (n + multiple - 1) / multiple * multiple }

func uvarintLen(n uint64) int {
	l := 1
	for ; n >= 0x80; n >>= 7 {
		l++
	}
	return l
}
