package wal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// A log takes the place of another in three steps, so that after an accident there is all of the one or all of the
// other:
//
//  1. Its snapshot and its only segment are made beside the old files, as NAME.new, and its committed file as
//     replacing.tmp. What an accident leaves of them counts for nothing.
//  2. When all that is durable, replacing.tmp becomes replacing, durably. That decides.
//  3. The new files take their names, in the place of old ones that have the same; every other file of the old log
//     goes. When that is durable, replacing becomes committed, in the place of the old one.
//
// From the second step on a new file is there under one of its two names. As long as it has the suffix, what has the
// name without it is an old file. So the third step can be begun again wherever an accident ended it.

// checkDecided tells whether all is there that a decided replacement puts in the place of the old log, of which
// nothing may go before. It returns the seq_no of the snapshot.
func checkDecided(fsys FS, dir string, names folder) (seqNo uint64, err error) {
	decision := filepath.Join(dir, replacingName)
	file, mark, err := openCommitted(fsys, decision, os.O_RDONLY)
	if file != nil {
		err = errors.Join(err, file.Close())
	}
	if err != nil {
		return 0, err
	}
	seqNo = mark.seqNo
	missing := func(err error, path string) error {
		if errors.Is(err, fs.ErrNotExist) {
			return &DamageError{File: path, SeqNo: seqNo, Reason: "the file is missing; " + decision + " says that it takes its place"}
		}
		return err
	}
	path := names.whereIs(segmentPath(dir, seqNo+1))
	h, segment, _, err := readSegment(fsys, path)
	if err != nil {
		return 0, missing(err, path)
	}
	if err := segment.Close(); err != nil {
		return 0, fmt.Errorf("close segment: %w", err)
	}
	if h.first != seqNo+1 || h.lineage[len(h.lineage)-1].Name != mark.epoch {
		return 0, &DamageError{File: path, SeqNo: seqNo + 1, Reason: "this is not the segment that " + decision + " belongs to"}
	}
	path = names.whereIs(snapshotPath(dir, seqNo))
	s, err := readSnapshotHeader(fsys, path, seqNo)
	if err != nil {
		return 0, missing(err, path)
	}
	if damage := checkIdentity(path, seqNo, s, h.lineage); damage != nil {
		return 0, damage
	}
	return seqNo, nil
}

// whereIs is the path of a file of the new log, which has or has not taken its place.
func (d folder) whereIs(path string) string {
	if slices.Contains(d.halves, filepath.Base(path)+incomingSuffix) {
		return path + incomingSuffix
	}
	return path
}

// takePlace carries out what was decided, that a log with a snapshot of a seq_no takes the place of another. The
// decision must be durable.
func takePlace(fsys FS, dir string, seqNo uint64) error {
	names, err := listFolder(fsys, dir)
	if err != nil {
		return err
	}
	stay := []string{committedName}
	for _, path := range []string{snapshotPath(dir, seqNo), segmentPath(dir, seqNo+1)} {
		from := names.whereIs(path)
		stay = append(stay, filepath.Base(path), filepath.Base(from))
		if from == path {
			continue
		}
		if err := fsys.Rename(from, path); err != nil {
			return fmt.Errorf("put %s in its place: %w", from, err)
		}
	}
	for _, name := range names.all() {
		if slices.Contains(stay, name) {
			continue
		}
		if err := fsys.Remove(filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("remove what was replaced: %w", err)
		}
	}
	err = fsys.SyncDir(dir)
	if err == nil {
		err = place(fsys, filepath.Join(dir, replacingName), filepath.Join(dir, committedName))
	}
	if err != nil {
		return fmt.Errorf("end replacing: %w", err)
	}
	return nil
}

// finishReplacing carries out what an earlier process decided, and lists the folder anew.
func finishReplacing(fsys FS, dir string, names folder) (folder, error) {
	seqNo, err := checkDecided(fsys, dir, names)
	if err != nil {
		return folder{}, err
	}
	// That process may have died before the decision was durable.
	if err := fsys.SyncDir(dir); err != nil {
		return folder{}, fmt.Errorf("sync folder: %w", err)
	}
	if err := takePlace(fsys, dir, seqNo); err != nil {
		return folder{}, err
	}
	return listFolder(fsys, dir)
}
