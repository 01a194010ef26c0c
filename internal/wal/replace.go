package wal

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
)

// Replace implements Log. How the files change places is told in replacing.go.
func (l *File) Replace(s Snapshot, rows func(io.Writer) error) error {
	l.keeping.Lock()
	defer l.keeping.Unlock()
	l.writing.Lock()
	defer l.writing.Unlock()
	if err := l.usable(); err != nil {
		return err
	}
	s.Lineage = slices.Clone(s.Lineage)
	next, err := l.prepare(s, rows)
	if err != nil {
		l.discard()
		return err
	}
	if err := l.switchTo(next); err != nil {
		return l.fail(errors.Join(err, next.active.close(), next.mark.Close()))
	}
	return nil
}

// successor is a log that is to take the place of this one: its open files.
type successor struct {
	of     Snapshot
	active activeSegment
	mark   *committedFile
}

// prepare makes the files of a successor beside those of this log. All of them are durable when it returns nil, apart
// from the name of the committed file.
func (l *File) prepare(s Snapshot, rows func(io.Writer) error) (successor, error) {
	path := snapshotPath(l.dir, s.SeqNo) + incomingSuffix
	f, err := l.draftSnapshot(path, s, rows)
	if err != nil {
		return successor{}, err
	}
	if err := f.finish(path); err != nil {
		return successor{}, err
	}
	path = segmentPath(l.dir, s.SeqNo+1) + incomingSuffix
	h := segmentHeader{first: s.SeqNo + 1, lineage: s.Lineage}
	active, err := l.activate(createSegment(l.fs, path, h, l.segmentSize))
	if err != nil {
		return successor{}, err
	}
	m := commitMark{epoch: s.Lineage[len(s.Lineage)-1].Name, seqNo: s.SeqNo, durable: s.SeqNo}
	mark, err := draftCommitted(l.fs, filepath.Join(l.dir, replacingName+tempSuffix), m)
	if err != nil {
		return successor{}, errors.Join(err, active.close())
	}
	return successor{of: s, active: active, mark: mark}, nil
}

// discard removes what there is of a successor that will not come. What stays goes when the log is opened.
func (l *File) discard() {
	if names, err := listFolder(l.fs, l.dir); err == nil {
		_ = names.removeHalves(l.fs, l.dir)
	}
}

// switchTo puts a successor in the place of this log. When it fails it is open which of the two a later Open finds.
func (l *File) switchTo(next successor) error {
	decision := filepath.Join(l.dir, replacingName)
	if err := place(l.fs, decision+tempSuffix, decision); err != nil {
		return fmt.Errorf("decide to replace the log: %w", err)
	}
	// From here on a path may lead to a file of the successor, which is none to take for one of this log.
	l.mu.Lock()
	l.era.Add(1)
	l.between = true
	l.mu.Unlock()
	if err := takePlace(l.fs, l.dir, next.of.SeqNo); err != nil {
		return err
	}
	next.active.path = segmentPath(l.dir, next.of.SeqNo+1)
	spent, mark := l.active, l.mark
	l.active, l.owed = next.active, nil

	l.mu.Lock()
	l.lineage, l.last, l.mark = next.of.Lineage, next.of.SeqNo, next.mark
	l.segments = []*segment{next.active.segment}
	l.snapshots = []stored{{seqNo: next.of.SeqNo}}
	l.between = false
	l.mu.Unlock()

	// What these files held is gone, and so is what closing them could tell.
	_, _ = spent.close(), mark.end(ErrReplaced)
	return nil
}
