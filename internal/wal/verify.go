package wal

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Verify checks all that a stopped log holds: every frame of every segment, every byte of every snapshot, the
// committed file, and how they fit together. It changes nothing and goes on after a fault where it can. fsys is nil
// for OSFS.
//
// report, which may be nil, is told of each file, now and then while a long one is read and once at its end, and of
// each fault in how the files fit together. A last write that was never finished is reported and is no damage; Open
// would cut it off.
//
// The error is nil or joins the DamageErrors. Otherwise nothing could be checked: ErrLocked when a gateway has the
// folder, ErrUnfinished when a restore into it did not come to its end, ErrReplacing when a Replace was interrupted
// that the next Open carries out, ErrNoLog when there is nothing of a log in it, or an error of reading.
func Verify(dir string, fsys FS, report func(Checked)) error {
	return VerifyRows(dir, fsys, report, func(Snapshot, io.Reader) error { return nil })
}

// VerifyRows is Verify with a look into the snapshots: rows is called with each one, as ReadSnapshot does. An error of
// it is reported as damage of that snapshot, with the error's text as the reason.
func VerifyRows(dir string, fsys FS, report func(Checked), rows func(Snapshot, io.Reader) error) (err error) {
	if fsys == nil {
		fsys = OSFS
	}
	names, release, err := enter(dir, fsys)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()

	var faults []error
	s := &survey{fs: fsys, dir: dir, names: names}
	s.note = func(c Checked) error {
		if c.Damage != nil {
			faults = append(faults, c.Damage)
		}
		if report != nil {
			report(c)
		}
		return nil
	}
	s.readSnapshot = func(path string, seqNo uint64, size int64) (Snapshot, error) {
		return verifySnapshot(fsys, path, seqNo, rows, func(at int64) {
			_ = s.note(Checked{Path: path, Kind: SnapshotFile, Bytes: at, Size: size}) // which never ends the survey here
		})
	}
	if err := s.fault(names.misplaced); err != nil {
		return err
	}
	if err := s.readMark(); err != nil {
		return err
	}
	if err := s.run(); err != nil {
		return err
	}
	return errors.Join(faults...)
}

// enter locks a stopped log for a look that changes nothing. A damaged mark of a restore or a replacement, with which it
// could not be opened, is no hindrance: names.misplaced tells of it. In a folder without a lock file none is made, since
// nobody has ever opened a log there.
func enter(dir string, fsys FS) (_ folder, release func() error, err error) {
	names, err := listFolder(fsys, dir)
	if err != nil {
		return folder{}, nil, err
	}
	release = func() error { return nil }
	if names.locked {
		lock, err := fsys.Lock(filepath.Join(dir, lockName))
		if err != nil {
			return folder{}, nil, fmt.Errorf("lock %s: %w", dir, err)
		}
		release = lock.Close
		// What was there before may have been changed by who had the lock.
		if names, err = listFolder(fsys, dir); err != nil {
			return folder{}, nil, errors.Join(err, release())
		}
	}
	switch {
	case names.restoring:
		if err = checkUnfinished(fsys, dir); err == nil {
			err = fmt.Errorf("%s: %w", dir, ErrUnfinished)
		}
	case names.replacing:
		if _, err = checkDecided(fsys, dir, names); err == nil {
			err = fmt.Errorf("%s: %w", dir, ErrReplacing)
		}
	case names.empty():
		err = fmt.Errorf("%s: %w", dir, ErrNoLog)
	}
	if err != nil && !errors.As(err, &names.misplaced) {
		return folder{}, nil, errors.Join(err, release())
	}
	return names, release, nil
}

// readMark reads and notes the committed file.
func (s *survey) readMark() error {
	if !s.names.marked {
		return nil
	}
	path := filepath.Join(s.dir, committedName)
	file, mark, err := openCommitted(s.fs, path, os.O_RDONLY)
	if file != nil {
		err = errors.Join(err, file.Close())
	}
	c := Checked{Path: path, Kind: CommittedFile, Done: true, Last: mark.seqNo}
	if err != nil && !errors.As(err, &c.Damage) {
		return err
	}
	s.mark = mark
	if c.Size, err = fileSize(s.fs, c.Path); err != nil && c.Damage == nil {
		return err
	}
	c.Bytes = c.Size
	return s.note(c)
}

// verifySnapshot reads a snapshot to its end. An error of rows is damage.
func verifySnapshot(fsys FS, path string, seqNo uint64, rows func(Snapshot, io.Reader) error, progress func(at int64)) (Snapshot, error) {
	var refused error
	found, err := readSnapshot(fsys, path, seqNo, progress, func(s Snapshot, r io.Reader) error {
		refused = rows(s, r)
		return refused
	})
	if refused != nil && !errors.Is(err, ErrDamaged) {
		err = &DamageError{File: path, SeqNo: seqNo, Reason: refused.Error()}
	}
	return found, err
}
