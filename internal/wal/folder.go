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
)

// folder is what the names in a log's folder say.
type folder struct {
	segments  []string // names, oldest first
	snapshots []uint64 // seq_nos, oldest first
	halves    []string // names of what a crash left half made
	marked    bool     // the committed file is there
	restoring bool
	locked    bool // the lock file is there
}

// listFolder reads the names in a folder. Those that mean nothing to a log are passed over.
func listFolder(fsys FS, dir string) (folder, error) {
	names, err := fsys.List(dir)
	if err != nil {
		return folder{}, fmt.Errorf("list folder: %w", err)
	}
	var d folder
	for _, name := range names {
		if base, half := strings.CutSuffix(name, tempSuffix); half {
			if _, own := numberedName(base, segmentSuffix); own || base == committedName || base == restoredName {
				d.halves = append(d.halves, name)
			} else if _, own := numberedName(base, snapshotSuffix); own {
				d.halves = append(d.halves, name)
			}
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
		d.locked = d.locked || name == lockName
	}
	slices.Sort(d.segments)
	slices.Sort(d.snapshots)
	return d, nil
}

// empty tells whether there is nothing of a log.
func (d folder) empty() bool { return len(d.segments) == 0 && len(d.snapshots) == 0 && !d.marked }

// all names the files of the log.
func (d folder) all() []string {
	names := slices.Concat(d.halves, d.segments)
	for _, seqNo := range d.snapshots {
		names = append(names, filepath.Base(snapshotPath("", seqNo)))
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
