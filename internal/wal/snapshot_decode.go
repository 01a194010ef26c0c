package wal

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// DecodeSnapshot reads a snapshot up to the end of r. It calls rows once, with what the header says and with the rows
// as they were written; whatever rows leaves unread is read and checked after it returned nil. What rows was given
// counts only when DecodeSnapshot returns nil.
//
// Anything wrong with the bytes is a DamageError, also when rows, to which reading failed, returned another error.
// Otherwise the error of rows is returned as it is, as is one of reading from r.
func DecodeSnapshot(r io.Reader, rows func(Snapshot, io.Reader) error) error {
	_, err := decodeSnapshot("", 0, r, rows)
	return err
}

// decodeSnapshot is DecodeSnapshot for the file of that name, which is known to be of a seq_no.
func decodeSnapshot(file string, seqNo uint64, r io.Reader, rows func(Snapshot, io.Reader) error) (Snapshot, error) {
	d := newBlockReader(r, 64<<10)
	s, err := d.header()
	if err == nil {
		seqNo = s.SeqNo
		err = d.all(s, rows)
	}
	return s, asDamage(err, file, d.at, seqNo)
}

// decompressor is shared by all snapshots. What it takes for one block is bounded, whatever the block holds.
var decompressor = sync.OnceValues(func() (*zstd.Decoder, error) {
	return zstd.NewReader(nil, zstd.WithDecoderMaxMemory(blockRows), zstd.WithDecoderMaxWindow(blockRows))
})

// blockReader reads rows out of blocks.
type blockReader struct {
	in   *bufio.Reader
	at   int64  // where the next header or block begins
	seed uint32 // from which the checksums of the next block start
	zstd *zstd.Decoder

	content []byte
	rows    []byte // the block's, decompressed
	unread  []byte // of rows

	blocks, length uint64 // so far
	err            error  // what ended reading; io.EOF behind the end
}

// newBlockReader reads so many bytes of a snapshot at a time.
func newBlockReader(r io.Reader, ahead int) *blockReader {
	return &blockReader{in: bufio.NewReaderSize(r, ahead)}
}

// header reads the header.
func (d *blockReader) header() (Snapshot, error) {
	b := make([]byte, sectorSize)
	if err := d.full(b); err != nil {
		return Snapshot{}, err
	}
	n, err := headerLen(b, snapshotMagic, snapshotVersion)
	if err != nil {
		return Snapshot{}, err
	}
	b = append(b, make([]byte, n-sectorSize)...)
	if err := d.full(b[sectorSize:]); err != nil {
		return Snapshot{}, err
	}
	s, sum, err := decodeSnapshotHeader(b)
	if err == nil {
		d.at, d.seed = n, sum
	}
	return s, err
}

// all has the rows read and reads what is left of them.
func (d *blockReader) all(s Snapshot, rows func(Snapshot, io.Reader) error) error {
	z, err := decompressor()
	if err != nil {
		return err
	}
	d.zstd = z
	err = rows(s, d)
	for err == nil && d.err == nil {
		d.err = d.next()
	}
	if d.err != nil && d.err != io.EOF {
		return d.err
	}
	return err
}

// Read gives out rows.
func (d *blockReader) Read(p []byte) (int, error) {
	for len(d.unread) == 0 {
		if d.err != nil {
			return 0, d.err
		}
		d.err = d.next()
	}
	n := copy(p, d.unread)
	d.unread = d.unread[n:]
	return n, nil
}

// next reads the next block, or returns io.EOF behind the end of a whole snapshot.
func (d *blockReader) next() error {
	var head [blockHeadLen]byte
	if err := d.full(head[:]); err != nil {
		return err
	}
	h, err := decodeBlockHead(head[:], d.seed)
	if err != nil {
		return err
	}
	d.content = slices.Grow(d.content[:0], int(h.content))
	content := d.content[:h.content]
	if err := d.full(content); err != nil {
		return err
	}
	if sum := crc32.Update(d.seed, castagnoli, content); sum != h.contentSum {
		return fmt.Errorf("%w: block checksum %08x, stored %08x", errFormat, sum, h.contentSum)
	}
	if h.isEnd() {
		return d.checkEnd(content)
	}
	d.rows, err = d.zstd.DecodeAll(content, slices.Grow(d.rows[:0], int(h.rows)))
	if err != nil {
		return fmt.Errorf("%w: decompress: %w", errFormat, err)
	}
	if len(d.rows) != int(h.rows) {
		return fmt.Errorf("%w: a block of %d bytes of rows holds %d", errFormat, h.rows, len(d.rows))
	}
	d.unread = d.rows
	d.seed = h.sum
	d.at += blockHeadLen + int64(h.content)
	d.blocks++
	d.length += uint64(h.rows)
	return nil
}

// checkEnd compares the end with what was read, and finds what follows it.
func (d *blockReader) checkEnd(content []byte) error {
	blocks, length := binary.LittleEndian.Uint64(content), binary.LittleEndian.Uint64(content[8:])
	if blocks != d.blocks || length != d.length {
		return fmt.Errorf("%w: %d blocks with %d bytes of rows were written, %d with %d are there",
			errFormat, blocks, length, d.blocks, d.length)
	}
	d.at += blockHeadLen + endLen
	_, err := d.in.ReadByte()
	if err == nil {
		return fmt.Errorf("%w: bytes follow the end", errFormat)
	}
	return err
}

// full fills b. Where the bytes end before that, the snapshot is cut short.
func (d *blockReader) full(b []byte) error {
	_, err := io.ReadFull(d.in, b)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: the snapshot is cut short", errFormat)
	}
	return err
}
