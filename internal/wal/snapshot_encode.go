package wal

import (
	"encoding/binary"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// EncodeSnapshot writes a snapshot as SaveSnapshot stores it: its header from s, lineage included, and as its rows
// what rows writes. Errors of rows and of w are returned as they are; what was written to w is then no snapshot.
func EncodeSnapshot(w io.Writer, s Snapshot, rows func(io.Writer) error) error {
	if s.SeqNo > maxSeqNo {
		return fmt.Errorf("%w: %d", ErrOrder, s.SeqNo)
	}
	if err := checkLineage(s.Lineage, s.SeqNo); err != nil {
		return err
	}
	header, sum := encodeSnapshotHeader(s)
	if _, err := w.Write(header); err != nil {
		return err
	}
	z, err := compressor()
	if err != nil {
		return err
	}
	e := &blockWriter{out: w, seed: sum, zstd: z}
	if err := rows(e); err != nil {
		return err
	}
	return e.end()
}

// compressor is shared by all snapshots, which take turns block by block: its tables are larger than most snapshots.
// A checksum in each frame would repeat the block's.
var compressor = sync.OnceValues(func() (*zstd.Encoder, error) {
	return zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1),
		zstd.WithWindowSize(blockRows), zstd.WithSingleSegment(true), zstd.WithEncoderCRC(false))
})

// blockWriter cuts rows into blocks.
type blockWriter struct {
	out   io.Writer
	seed  uint32 // from which the checksums of the next block start
	zstd  *zstd.Encoder
	rows  []byte // of the block under construction
	block []byte // encoded

	blocks, length uint64 // so far
	err            error  // of out; nothing is written after it
}

// Write takes over rows.
func (e *blockWriter) Write(p []byte) (int, error) {
	written := 0
	for len(p) > 0 && e.err == nil {
		n := min(len(p), blockRows-len(e.rows))
		e.rows = append(e.rows, p[:n]...)
		if p, written = p[n:], written+n; len(e.rows) == blockRows {
			e.flush()
		}
	}
	return written, e.err
}

// flush writes the block under construction.
func (e *blockWriter) flush() {
	e.block = append(e.block[:0], make([]byte, blockHeadLen)...)
	e.block = e.zstd.EncodeAll(e.rows, e.block)
	e.blocks++
	e.length += uint64(len(e.rows))
	e.write(len(e.rows))
	e.rows = e.rows[:0]
}

// end writes what is left and the end.
func (e *blockWriter) end() error {
	if len(e.rows) > 0 {
		e.flush()
	}
	e.block = append(e.block[:0], make([]byte, blockHeadLen)...)
	e.block = binary.LittleEndian.AppendUint64(e.block, e.blocks)
	e.block = binary.LittleEndian.AppendUint64(e.block, e.length)
	e.write(0)
	return e.err
}

// write writes the encoded block, unless a write failed before.
func (e *blockWriter) write(rows int) {
	if e.err == nil {
		e.seed = sealBlock(e.block, rows, e.seed)
		_, e.err = e.out.Write(e.block)
	}
}
