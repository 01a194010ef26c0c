package wal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"sync"
)

// The file "committed" is one sector, written in place and without a sync:
//
//	  0  8  magic "gwcommit"
//	  8  8  the newest seq_no that may be shown
//	 16  1  length of the epoch's name, the name, zeros
//	508  4  checksum of all before
const (
	markName  = "committed"
	markMagic = "gwcommit"
)

// mark remembers what may be shown, in memory and in its file.
type mark struct {
	epoch string

	mu        sync.Mutex
	handle    Handle
	committed uint64 // newest known
	written   uint64 // newest in the file
}

// openMark opens the mark of a folder, and makes it when it is not there. The value of another epoch counts for
// nothing: it is that of a history this one branched from.
func openMark(fs FS, dir, epoch string) (*mark, error) {
	path := filepath.Join(dir, markName)
	handle, err := fs.Open(path, os.O_RDWR|os.O_CREATE)
	if err != nil {
		return nil, err
	}
	m := &mark{epoch: epoch, handle: handle}
	if err := m.load(path); err != nil {
		return nil, errors.Join(err, handle.Close())
	}
	return m, nil
}

func (m *mark) load(path string) error {
	size, err := m.handle.Size()
	if err != nil {
		return err
	}
	if size == 0 {
		return nil
	}
	b := make([]byte, sectorSize)
	if size == sectorSize {
		_, err = m.handle.ReadAt(b, 0)
	}
	if err != nil {
		return err
	}
	sum := binary.LittleEndian.Uint32(b[sectorSize-4:])
	n := int(b[16])
	if isZero(b) && size == sectorSize {
		return nil // its only write never reached the disk
	}
	if string(b[:8]) != markMagic || sum != crc32.Checksum(b[:sectorSize-4], castagnoli) || n > maxEpochName {
		return &DamageError{File: path, Reason: fmt.Sprintf("no valid mark in %d bytes", size)}
	}
	if string(b[17:17+n]) == m.epoch {
		m.committed = binary.LittleEndian.Uint64(b[8:])
		m.written = m.committed
	}
	return nil
}

func (m *mark) known() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.committed
}

// learn takes note of what a frame says; the frame remembers it.
func (m *mark) learn(seqNo uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.committed = max(m.committed, seqNo)
}

// write puts seqNo in the file unless something newer is there.
func (m *mark) write(seqNo uint64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.handle == nil {
		return ErrClosed
	}
	if seqNo <= m.written {
		return nil
	}
	var b [sectorSize]byte
	copy(b[:], markMagic)
	binary.LittleEndian.PutUint64(b[8:], seqNo)
	b[16] = byte(len(m.epoch))
	copy(b[17:], m.epoch)
	binary.LittleEndian.PutUint32(b[sectorSize-4:], crc32.Checksum(b[:sectorSize-4], castagnoli))
	if _, err := m.handle.WriteAt(b[:], 0); err != nil {
		return fmt.Errorf("%w: %w", ErrFailed, err)
	}
	m.written, m.committed = seqNo, max(m.committed, seqNo)
	return nil
}

func (m *mark) close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	handle := m.handle
	m.handle = nil
	return handle.Close()
}
