package wal

import (
	"errors"
	"fmt"
	"os"
)

// Dump yields the records after a seq_no of a stopped log, as far as it holds them, and changes nothing. A torn last
// write is left where it is and named in the Recovery. Where the log is damaged, Dump yields all records before the
// damage and then returns the DamageError. An error of yield is returned as it is. What may go wrong otherwise is as
// with Verify. fsys is nil for OSFS.
func Dump(dir string, fsys FS, after uint64, yield func(seqNo uint64, record []byte) error) (r Recovery, err error) {
	if fsys == nil {
		fsys = OSFS
	}
	names, release, err := enter(dir, fsys)
	if err != nil {
		return r, err
	}
	defer func() {
		if closing := release(); err == nil {
			err = closing // and the error of yield stays as it is
		}
	}()
	s := &survey{fs: fsys, dir: dir, names: names}
	s.readSnapshot = func(path string, seqNo uint64, _ int64) (Snapshot, error) {
		return readSnapshotHeader(fsys, path, seqNo)
	}
	var aside error // damage that hides no record
	if names.misplaced != nil {
		aside = names.misplaced
	}
	s.note = func(c Checked) error {
		switch {
		case c.Damage == nil:
			return nil
		case c.Kind == CommittedFile:
			aside = errors.Join(aside, c.Damage)
			return nil
		case c.Kind == SnapshotFile:
			return nil
		}
		return c.Damage
	}
	if err := s.readMark(); err != nil {
		return r, err
	}
	err = s.run()
	damage := (*DamageError)(nil)
	if err != nil && !errors.As(err, &damage) {
		return r, err
	}
	r = s.recovery()
	if err := s.yieldAll(after, r.Last, yield); err != nil {
		return r, err
	}
	if damage != nil {
		return r, damage
	}
	return r, aside
}

// recovery tells what was found up to the first fault.
func (s *survey) recovery() Recovery {
	r := Recovery{Snapshots: len(s.names.snapshots), First: 1}
	for i, f := range s.segments {
		if f.segment == nil || i > 0 && checkLink(s.segments[i-1], f) != nil {
			break
		}
		r.Segments++
		r.First, r.Last, r.Torn = s.names.first(), f.next-1, f.torn
	}
	return r
}

// yieldAll yields the records after one seq_no and up to another.
func (s *survey) yieldAll(after, last uint64, yield func(seqNo uint64, record []byte) error) error {
	for _, f := range s.segments {
		if f.segment == nil || f.first > last {
			return nil
		}
		if _, ok := f.waypointBefore(after + 1); !ok || f.next <= after {
			continue
		}
		file, err := s.fs.Open(f.path, os.O_RDONLY)
		if err != nil {
			return fmt.Errorf("open segment: %w", err)
		}
		if err := readRecords(file, *f.segment, after, yield); err != nil {
			return err
		}
	}
	return nil
}
