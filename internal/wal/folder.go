package wal

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

const (
	lockName = "lock"
	// restoringName is a file that is there from the beginning of a restore to its end.
	restoringName = "restoring"
	// replacingName is what the committed file of a log that takes the place of another is called from the moment on
	// at which that is decided until it is done.
	replacingName = "replacing"
	// incomingSuffix stands behind the names of the other files of such a log until they take their places.
	incomingSuffix = ".new"
)

// folder is what the names in a log's folder say.
type folder struct {
	segments  []string // names, oldest first
	snapshots []uint64 // seq_nos, oldest first
	halves    []string // names of files that have no place; what a crash left half made, unless replacing is true
	marked    bool     // the committed file is there
	restoring bool
	replacing bool
	locked    bool // the lock file is there
	// misplaced is what is wrong with the mark of a restore or a replacement, nil if nothing is known to be.
	misplaced *DamageError
}

// listFolder reads the names in a folder. Those that mean nothing to a log are passed over.
func listFolder(fsys FS, dir string) (folder, error) {
	names, err := fsys.List(dir)
	if err != nil {
		return folder{}, fmt.Errorf("list folder: %w", err)
	}
	var d folder
	for _, name := range names {
		if half(name) {
			d.halves = append(d.halves, name)
			continue
		}
		if seqNo, ok := numberedName(name, snapshotSuffix); ok {
			d.snapshots = append(d.snapshots, seqNo)
		}
		if _, ok := numberedName(name, segmentSuffix); ok {
			d.segments = append(d.segments, name)
		}
		d.marked = d.marked || name == committedName
		d.restoring = d.restoring || name == restoringName
		d.replacing = d.replacing || name == replacingName
		d.locked = d.locked || name == lockName
	}
	slices.Sort(d.segments)
	slices.Sort(d.snapshots)
	return d, nil
}

// half tells whether a name is that of a file of a log which has not taken its place.
func half(name string) bool {
	base, temp := strings.CutSuffix(name, tempSuffix)
	base, incoming := strings.CutSuffix(base, incomingSuffix)
	_, segment := numberedName(base, segmentSuffix)
	_, snapshot := numberedName(base, snapshotSuffix)
	if segment || snapshot {
		return temp || incoming
	}
	return temp && !incoming && (base == committedName || base == replacingName || base == restoredName)
}

// empty tells whether there is nothing of a log.
func (d folder) empty() bool { return len(d.segments) == 0 && len(d.snapshots) == 0 && !d.marked }

// all names the files of the log.
func (d folder) all() []string {
	names := slices.Concat(d.halves, d.segments)
	for _, seqNo := range d.snapshots {
		names = append(names, snapshotPath("", seqNo))
	}
	if d.marked {
		names = append(names, committedName)
	}
	return names
}

// first is the seq_no with which the oldest segment begins, by its name. There must be one.
func (d folder) first() uint64 {
	first, _ := numberedName(d.segments[0], segmentSuffix)
	return first
}

// removeHalves removes what a crash left half made.
func (d folder) removeHalves(fsys FS, dir string) error {
	for _, name := range d.halves {
		if err := fsys.Remove(filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("remove half a file: %w", err)
		}
	}
	return nil
}
