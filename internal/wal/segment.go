package wal

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

const (
	segmentSuffix = ".log"
	tempSuffix    = ".tmp"

	// waypointEvery is how many bytes lie between two waypoints: a reader passes over half of it on average before it
	// comes to the record that it wants.
	waypointEvery = 64 << 10
)

// segment is what is known of one segment file. Everything but end and waypoints is fixed once it is made.
type segment struct {
	segmentHeader
	path      string
	end       int64      // where the next frame belongs
	waypoints []waypoint // ascending; only ever appended to, so that a copy of the slice stays true
}

// waypoint says where a frame begins.
type waypoint struct {
	seqNo  uint64
	offset int64
}

// empty tells whether the segment holds no frame.
func (s *segment) empty() bool { return s.end == s.length }

// note takes over a frame that begins at the end.
func (s *segment) note(h frameHeader) {
	n := len(s.waypoints)
	if h.kind != kindSeal && (n == 0 || s.end-s.waypoints[n-1].offset >= waypointEvery) {
		s.waypoints = append(s.waypoints, waypoint{h.first, s.end})
	}
	s.end += h.size()
}

func segmentPath(dir string, first uint64) string {
	return filepath.Join(dir, fmt.Sprintf("%020d%s", first, segmentSuffix))
}

// createSegment makes an empty segment and fills its beginning with zeros. It appears under its path whole or not at
// all, and is durable when createSegment returns.
func createSegment(fsys FS, path string, h segmentHeader, size int64) (*segment, Handle, error) {
	head := encodeSegmentHeader(&h)
	s := &segment{segmentHeader: h, path: path, end: h.length}
	temp := s.path + tempSuffix
	f, err := fsys.Open(temp, os.O_RDWR|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return nil, nil, fmt.Errorf("create segment: %w", err)
	}
	err = writeFull(f, head, 0)
	if err == nil {
		err = writeZeros(f, h.length, min(size, firstFill))
	}
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = place(fsys, temp, path)
	}
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("create segment %s: %w", s.path, err), f.Close())
	}
	return s, f, nil
}

// readSegment opens a segment for reading and reads its header. size is that of the file.
func readSegment(fsys FS, path string) (h segmentHeader, f Handle, size int64, err error) {
	if f, err = fsys.Open(path, os.O_RDONLY); err != nil {
		return h, nil, 0, fmt.Errorf("open segment: %w", err)
	}
	if size, err = f.Size(); err == nil {
		h, err = readSegmentHeader(f, size)
	}
	if err != nil {
		first, _ := numberedName(filepath.Base(path), segmentSuffix)
		return h, nil, 0, errors.Join(asDamage(fmt.Errorf("segment %s: %w", path, err), path, 0, first), f.Close())
	}
	return h, f, size, nil
}

func readSegmentHeader(f Handle, size int64) (segmentHeader, error) {
	if size < sectorSize {
		return segmentHeader{}, fmt.Errorf("%w: a file of %d bytes has no room for a header", errFormat, size)
	}
	b := make([]byte, sectorSize)
	if err := readFull(f, b, 0); err != nil {
		return segmentHeader{}, err
	}
	length, err := headerLen(b, segmentMagic, segmentVersion)
	if err != nil {
		return segmentHeader{}, err
	}
	if length > size {
		return segmentHeader{}, fmt.Errorf("%w: header of %d bytes in a file of %d", errFormat, length, size)
	}
	b = make([]byte, length)
	if err := readFull(f, b, 0); err != nil {
		return segmentHeader{}, err
	}
	return decodeSegmentHeader(b)
}

// writeZeros fills the bytes from one offset up to another.
func writeZeros(f Handle, from, to int64) error {
	for from < to {
		n := min(int64(len(zeros)), to-from)
		if err := writeFull(f, zeros[:n], from); err != nil {
			return err
		}
		from += n
	}
	return nil
}

// writeFull writes all of b at an offset. A write that falls short and claims success is a failure all the same.
func writeFull(f Handle, b []byte, at int64) error {
	_, err := writePart(f, b, at)
	return err
}

// writePart is writeFull that tells how much was written.
func writePart(f Handle, b []byte, at int64) (n int, err error) {
	n, err = f.WriteAt(b, at)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	return n, err
}

// fileSize tells the size of a file in bytes.
func fileSize(fsys FS, path string) (int64, error) {
	f, err := fsys.Open(path, os.O_RDONLY)
	if err != nil {
		return 0, fmt.Errorf("open file: %w", err)
	}
	size, err := f.Size()
	if err = errors.Join(err, f.Close()); err != nil {
		return 0, fmt.Errorf("size of %s: %w", path, err)
	}
	return size, nil
}
