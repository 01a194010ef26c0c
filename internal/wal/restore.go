package wal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// restoredName, with the suffix of temporary files, is what a snapshot is called while it is restored.
const restoredName = "restored"

// Restore makes a log out of a snapshot that EncodeSnapshot wrote: one that holds the snapshot and no record, in which
// a new epoch, named by o.NewEpoch, begins at the snapshot's seq_no. It returns the snapshot, with the log's lineage:
// the history that the snapshot has and the new epoch. All that is in the snapshot may be shown.
//
// The folder must be empty or missing, ErrNotEmpty refuses any other and changes nothing. A folder that an earlier
// Restore left unfinished counts as empty. rows is called once, with the rows as DecodeSnapshot gives them, and may
// refuse the snapshot by its error, which is returned as it is. Damage is a DamageError.
//
// The log can be opened when Restore has returned nil, not before all is checked. When Restore fails it leaves the
// folder as good as empty. After a crash Open refuses the folder with ErrUnfinished unless the log is whole.
func Restore(dir string, o Options, from io.Reader, rows func(Snapshot, io.Reader) error) (_ Snapshot, err error) {
	o = o.withDefaults()
	if err := checkVacant(o.FS, dir); err != nil {
		return Snapshot{}, err
	}
	if err := o.FS.MkdirAll(dir); err != nil {
		return Snapshot{}, fmt.Errorf("make folder: %w", err)
	}
	lock, err := o.FS.Lock(filepath.Join(dir, lockName))
	if err != nil {
		return Snapshot{}, fmt.Errorf("lock %s: %w", dir, err)
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	if err := checkVacant(o.FS, dir); err != nil { // nobody else had it in the meantime
		return Snapshot{}, err
	}
	s, err := restore(dir, o, from, rows)
	if err != nil {
		return Snapshot{}, errors.Join(err, clearAway(o.FS, dir))
	}
	return s, nil
}

// checkVacant tells whether nothing stands in the way of a restore.
func checkVacant(fsys FS, dir string) error {
	names, err := fsys.List(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("list folder: %w", err)
	}
	if slices.Contains(names, restoringName) {
		err := checkUnfinished(fsys, dir)
		if errors.Is(err, ErrDamaged) {
			err = fmt.Errorf("%w: %v", ErrNotEmpty, err)
		}
		return err
	}
	for _, name := range names {
		if name != lockName {
			return fmt.Errorf("%w: %s holds %s", ErrNotEmpty, dir, name)
		}
	}
	return nil
}

// checkUnfinished tells whether the mark of a restore stands in a folder rightly. No restore leaves a log that holds a
// record: where there is one the mark is what is wrong, and all else is to be kept.
func checkUnfinished(fsys FS, dir string) error {
	names, err := listFolder(fsys, dir)
	if err != nil {
		return err
	}
	for _, name := range names.segments {
		f, err := inspectSegment(fsys, filepath.Join(dir, name), true, func(int64, int64) error { return nil })
		if f.segment != nil && f.next > f.first {
			return &DamageError{File: filepath.Join(dir, restoringName), SeqNo: f.first,
				Reason: "it says that a restore was not finished, but the log holds commits, which no restore leaves: delete this file and nothing else"}
		}
		if err != nil && !errors.Is(asGone(err, name), ErrDamaged) {
			return err
		}
	}
	return nil
}

// restore does the work in a folder that is locked. Between its first step and its last one the folder is marked as
// unfinished, so that the order of the steps between does not matter.
func restore(dir string, o Options, from io.Reader, rows func(Snapshot, io.Reader) error) (Snapshot, error) {
	if err := beginRestoring(o.FS, dir); err != nil {
		return Snapshot{}, err
	}
	temp := filepath.Join(dir, restoredName+tempSuffix)
	f, err := startFile(o.FS, temp, func() error { return nil })
	if err != nil {
		return Snapshot{}, fmt.Errorf("create snapshot: %w", err)
	}
	s, err := decodeSnapshot("", 0, io.TeeReader(from, f), rows)
	if err != nil {
		f.abandon()
		return Snapshot{}, err
	}
	if err := f.finish(snapshotPath(dir, s.SeqNo)); err != nil {
		return Snapshot{}, err
	}
	s.Lineage = append(s.Lineage, Epoch{Name: o.NewEpoch(), SeqNo: s.SeqNo})
	if err := checkLineage(s.Lineage, s.SeqNo); err != nil {
		return Snapshot{}, err
	}
	_, file, err := createSegment(o.FS, segmentPath(dir, s.SeqNo+1), segmentHeader{first: s.SeqNo + 1, lineage: s.Lineage}, o.SegmentSize)
	if err != nil {
		return Snapshot{}, err
	}
	if err := file.Close(); err != nil {
		return Snapshot{}, fmt.Errorf("close segment: %w", err)
	}
	m := commitMark{epoch: s.Lineage[len(s.Lineage)-1].Name, seqNo: s.SeqNo, durable: s.SeqNo}
	mark, err := createCommitted(o.FS, filepath.Join(dir, committedName), m)
	if err != nil {
		return Snapshot{}, err
	}
	if err := mark.Close(); err != nil {
		return Snapshot{}, fmt.Errorf("close committed file: %w", err)
	}
	return s, endRestoring(o.FS, dir)
}

// beginRestoring marks the folder and removes what an earlier restore left.
func beginRestoring(fsys FS, dir string) error {
	f, err := fsys.Open(filepath.Join(dir, restoringName), os.O_RDWR|os.O_CREATE)
	if err == nil {
		err = f.Close()
	}
	if err == nil {
		err = fsys.SyncDir(dir)
	}
	if err != nil {
		return fmt.Errorf("begin restoring: %w", err)
	}
	names, err := listFolder(fsys, dir)
	if err != nil {
		return err
	}
	for _, name := range names.all() {
		if err := fsys.Remove(filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("remove what a restore left: %w", err)
		}
	}
	return nil
}

// endRestoring makes the folder usable, when all that is in it is durable.
func endRestoring(fsys FS, dir string) error {
	err := fsys.Remove(filepath.Join(dir, restoringName))
	if err == nil {
		err = fsys.SyncDir(dir)
	}
	if err != nil {
		return fmt.Errorf("end restoring: %w", err)
	}
	return nil
}

// clearAway takes back a failed restore. The folder is marked once more, since the last step may have been what failed;
// whatever fails here leaves it so.
func clearAway(fsys FS, dir string) error {
	err := beginRestoring(fsys, dir)
	if err == nil {
		err = fsys.SyncDir(dir)
	}
	if err == nil {
		err = endRestoring(fsys, dir)
	}
	return err
}
