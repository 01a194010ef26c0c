package wal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
)

// The committed file is one sector, so that a disk writes it whole or not at all:
//
//	 0  8  magic "gwcommit"
//	 8  4  version
//	12  4  checksum (CRC-32C) of all other bytes
//	16  8  committed_seq_no
//	24  1  length of the epoch's name
//	25     the epoch in force when it was written, padded with zeros to 64 bytes
//	96  8  the newest durable seq_no when it was written, 0 where none was noted
//	104    zeros to 512
const (
	committedName    = "committed"
	committedMagic   = "gwcommit"
	committedVersion = 1
)

// commitMark is the content of the committed file.
type commitMark struct {
	epoch   string
	seqNo   uint64
	durable uint64 // up to here there must be a log, shown or not
}

func encodeCommitMark(b *[sectorSize]byte, m commitMark) {
	clear(b[:])
	copy(b[:], committedMagic)
	binary.LittleEndian.PutUint32(b[8:], committedVersion)
	binary.LittleEndian.PutUint64(b[16:], m.seqNo)
	b[24] = byte(len(m.epoch))
	copy(b[25:], m.epoch)
	binary.LittleEndian.PutUint64(b[96:], m.durable)
	binary.LittleEndian.PutUint32(b[12:], sumAround(b[:], 12))
}

func decodeCommitMark(b *[sectorSize]byte) (commitMark, error) {
	if string(b[:8]) != committedMagic {
		return commitMark{}, fmt.Errorf("%w: not a committed file", errFormat)
	}
	if v := binary.LittleEndian.Uint32(b[8:]); v != committedVersion {
		return commitMark{}, fmt.Errorf("%w: format version %d, this program reads %d", errFormat, v, committedVersion)
	}
	if sum, stored := sumAround(b[:], 12), binary.LittleEndian.Uint32(b[12:]); sum != stored {
		return commitMark{}, fmt.Errorf("%w: checksum %08x, stored %08x", errFormat, sum, stored)
	}
	m := commitMark{seqNo: binary.LittleEndian.Uint64(b[16:]), durable: binary.LittleEndian.Uint64(b[96:]), epoch: string(b[25 : 25+int(b[24])])}
	if err := checkEpoch(m.epoch); err != nil {
		return commitMark{}, fmt.Errorf("%w: %w", errFormat, err)
	}
	return m, nil
}

// committedFile remembers what may be shown, in memory and in the open committed file.
type committedFile struct {
	file Handle

	mu      sync.Mutex
	epoch   string // in force
	newest  uint64 // newest known
	written uint64 // newest in the file
	durable uint64 // newest that is on disk
	ended   error  // what marks are refused with, nil while the file takes them
	buf     [sectorSize]byte
}

// createCommitted makes the file; it is durable when createCommitted returns.
func createCommitted(fsys FS, path string, m commitMark) (*committedFile, error) {
	c, err := draftCommitted(fsys, path+tempSuffix, m)
	if err != nil {
		return nil, err
	}
	if err := place(fsys, path+tempSuffix, path); err != nil {
		return nil, errors.Join(fmt.Errorf("create %s: %w", path, err), c.Close())
	}
	return c, nil
}

// draftCommitted makes the file under a temporary name, which is not durable; its content is when draftCommitted
// returns.
func draftCommitted(fsys FS, temp string, m commitMark) (*committedFile, error) {
	f, err := fsys.Open(temp, os.O_RDWR|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return nil, fmt.Errorf("create committed file: %w", err)
	}
	c := &committedFile{file: f, epoch: m.epoch, durable: m.durable}
	err = c.write(m.seqNo)
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("create %s: %w", temp, err), f.Close())
	}
	return c, nil
}

// openCommitted opens the file, which the folder lists, with a flag of package os and reads it.
func openCommitted(fsys FS, path string, flag int) (*committedFile, commitMark, error) {
	f, err := fsys.Open(path, flag)
	if errors.Is(err, fs.ErrNotExist) { // a link that leads nowhere
		return nil, commitMark{}, &DamageError{File: path, Reason: "the file is missing"}
	}
	if err != nil {
		return nil, commitMark{}, asDamage(fmt.Errorf("open committed file: %w", err), path, 0, 0)
	}
	c := &committedFile{file: f}
	m, err := c.read()
	if err != nil {
		return nil, commitMark{}, errors.Join(asDamage(fmt.Errorf("%s: %w", path, err), path, 0, 0), f.Close())
	}
	c.written = m.seqNo
	return c, m, nil
}

func (c *committedFile) read() (commitMark, error) {
	size, err := c.file.Size()
	if err != nil {
		return commitMark{}, err
	}
	if size != sectorSize {
		return commitMark{}, fmt.Errorf("%w: a file of %d bytes instead of %d", errFormat, size, sectorSize)
	}
	if err := readFull(c.file, c.buf[:], 0); err != nil {
		return commitMark{}, err
	}
	return decodeCommitMark(&c.buf)
}

// start sets what is known at open and the epoch that marks are written with from now on.
func (c *committedFile) start(epoch string, seqNo, durable uint64) {
	c.epoch, c.newest, c.durable = epoch, seqNo, durable
}

// known is the newest seq_no that may be shown.
func (c *committedFile) known() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.newest
}

// learn takes note of a frame that is durable: what it says, and its last seq_no. Where that may not be shown yet it is
// put in the file, without a sync, so that at open the frame is missed if it is gone: others may have been told that it is
// on disk. What may be shown is marked anyway, before it is.
func (c *committedFile) learn(seqNo, durable uint64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.newest, c.durable = max(c.newest, seqNo), durable
	if c.newest >= durable {
		return nil
	}
	return c.write(c.newest)
}

// advance puts seqNo in the file, unless something newer is there, without a sync. A mark that a frame carries too is
// written all the same: it is what tells at open that the frame must be there.
func (c *committedFile) advance(seqNo uint64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended != nil {
		return c.ended
	}
	if seqNo <= c.written {
		return nil
	}
	return c.write(seqNo)
}

// enter begins an epoch, with which marks are written from now on, the newest one at once. It does not sync.
func (c *committedFile) enter(epoch string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.epoch = epoch
	return c.write(c.newest)
}

// persist makes the newest mark durable, before frames go that know it.
func (c *committedFile) persist() error {
	c.mu.Lock()
	err := c.write(c.newest)
	c.mu.Unlock()
	if err != nil {
		return err
	}
	if err := c.file.Sync(); err != nil { // without the lock: marks do not wait for the disk
		return fmt.Errorf("sync committed file: %w", err)
	}
	return nil
}

// write writes the file. It is called with mu held.
func (c *committedFile) write(seqNo uint64) error {
	before := c.buf
	encodeCommitMark(&c.buf, commitMark{c.epoch, seqNo, c.durable})
	if err := writeFull(c.file, c.buf[:], 0); err != nil {
		// Part of it would look like rot. A disk that refuses this too wrote all of the sector or nothing.
		c.buf = before
		_ = writeFull(c.file, c.buf[:], 0)
		return fmt.Errorf("write committed file: %w", err)
	}
	c.written, c.newest = seqNo, max(c.newest, seqNo)
	return nil
}

// Close closes the file.
func (c *committedFile) Close() error { return c.end(ErrClosed) }

// end closes the file and says why no mark is taken any more.
func (c *committedFile) end(reason error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = reason
	return c.file.Close()
}
