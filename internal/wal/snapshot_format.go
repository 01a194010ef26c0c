package wal

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"path/filepath"
	"strconv"
	"strings"
)

// A snapshot is a header, blocks, and an end; a file holds the same bytes as a backup. Numbers and checksums are as in
// a segment.
//
// Header, padded with zeros to whole sectors:
//
//	 0  8  magic "gwsnapsh"
//	 8  4  version
//	12  4  length of the header, a multiple of 512
//	16  8  seq_no of the newest commit in it
//	24  8  number of rows
//	32  8  digest
//	40  4  number of epochs
//	44  4  checksum of all other bytes of the header
//	48     lineage, up to the seq_no
//
// Block, a stretch of the rows:
//
//	 0  4  length of its content
//	 4  4  length of the rows in it
//	 8  4  checksum of its content
//	12  4  checksum of the 12 bytes before
//	16     content: the rows as one zstd frame
//
// The end is a block without rows, whose content is 8 the number of blocks before it and 8 the length of all rows.
// Nothing follows.
//
// Both checksums of a block start from the second one of the block before, those of the first from the header's. So
// each of them covers all that came before it: a block that is changed, left out, moved or taken from another snapshot
// is found before anything of it is decompressed.
const (
	snapshotSuffix    = ".snapshot"
	snapshotMagic     = "gwsnapsh"
	snapshotVersion   = 1
	snapshotHeaderLen = 48 // of what comes before the lineage
	blockHeadLen      = 16
	endLen            = 16

	// blockRows is how many bytes of rows a block holds at most, all but the last one exactly.
	blockRows = 128 << 10
	// maxContent leaves room for what zstd makes of rows that cannot be compressed.
	maxContent = blockRows + blockRows/64
)

func snapshotPath(dir string, seqNo uint64) string {
	return filepath.Join(dir, fmt.Sprintf("%020d%s", seqNo, snapshotSuffix))
}

// numberedName reads the seq_no from the name of a segment or a snapshot.
func numberedName(name, suffix string) (uint64, bool) {
	digits, ok := strings.CutSuffix(name, suffix)
	if !ok || len(digits) != 20 {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 64)
	return n, err == nil
}

// encodeSnapshotHeader returns the header's bytes and its checksum.
func encodeSnapshotHeader(s Snapshot) ([]byte, uint32) {
	b := appendLineage(make([]byte, snapshotHeaderLen, sectorSize), s.Lineage)
	b = padHeader(b, snapshotMagic, snapshotVersion)
	binary.LittleEndian.PutUint64(b[16:], s.SeqNo)
	binary.LittleEndian.PutUint64(b[24:], s.Rows)
	binary.LittleEndian.PutUint64(b[32:], s.Digest)
	binary.LittleEndian.PutUint32(b[40:], uint32(len(s.Lineage)))
	sum := sumAround(b, 44)
	binary.LittleEndian.PutUint32(b[44:], sum)
	return b, sum
}

// decodeSnapshotHeader reads a header of the length that headerLen told, and its checksum.
func decodeSnapshotHeader(b []byte) (Snapshot, uint32, error) {
	s := Snapshot{
		SeqNo:  binary.LittleEndian.Uint64(b[16:]),
		Rows:   binary.LittleEndian.Uint64(b[24:]),
		Digest: binary.LittleEndian.Uint64(b[32:]),
	}
	stored := binary.LittleEndian.Uint32(b[44:])
	if sum := sumAround(b, 44); sum != stored {
		return s, 0, fmt.Errorf("%w: header checksum %08x, stored %08x", errFormat, sum, stored)
	}
	if s.SeqNo > maxSeqNo {
		return s, 0, fmt.Errorf("%w: seq_no %d", errFormat, s.SeqNo)
	}
	var err error
	s.Lineage, err = decodeLineage(b[snapshotHeaderLen:], binary.LittleEndian.Uint32(b[40:]), s.SeqNo)
	return s, stored, err
}

// blockHead is the decoded head of a block.
type blockHead struct {
	content, rows uint32 // lengths
	contentSum    uint32
	sum           uint32 // of the head; the next block's start from it
}

// isEnd tells the end from the blocks.
func (h blockHead) isEnd() bool { return h.rows == 0 }

// sealBlock fills in the head of a block, whose content stands behind it already, and returns its checksum.
func sealBlock(block []byte, rows int, seed uint32) uint32 {
	content := block[blockHeadLen:]
	binary.LittleEndian.PutUint32(block[0:], uint32(len(content)))
	binary.LittleEndian.PutUint32(block[4:], uint32(rows))
	binary.LittleEndian.PutUint32(block[8:], crc32.Update(seed, castagnoli, content))
	sum := crc32.Update(seed, castagnoli, block[:12])
	binary.LittleEndian.PutUint32(block[12:], sum)
	return sum
}

func decodeBlockHead(b []byte, seed uint32) (blockHead, error) {
	h := blockHead{
		content:    binary.LittleEndian.Uint32(b[0:]),
		rows:       binary.LittleEndian.Uint32(b[4:]),
		contentSum: binary.LittleEndian.Uint32(b[8:]),
		sum:        binary.LittleEndian.Uint32(b[12:]),
	}
	if sum := crc32.Update(seed, castagnoli, b[:12]); sum != h.sum {
		return h, fmt.Errorf("%w: block head checksum %08x, stored %08x", errFormat, sum, h.sum)
	}
	if h.rows > blockRows || h.content == 0 || h.content > maxContent || h.isEnd() && h.content != endLen {
		return h, fmt.Errorf("%w: block of %d bytes with %d bytes of rows", errFormat, h.content, h.rows)
	}
	return h, nil
}
