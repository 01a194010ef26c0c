package wal

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
)

// DefaultSegmentSize is the size in bytes at which a segment is spent.
const DefaultSegmentSize = 64 << 20

const lockName = "lock"

// Options sets up a File. The zero value is usable.
type Options struct {
	SegmentSize int64         // bytes, 0 for DefaultSegmentSize; a larger group gets a segment of its own
	NewEpoch    func() string // names the history of a folder that has none; nil for a random name
	FS          FS            // nil for OSFS
}

// Recovery says what Open found.
type Recovery struct {
	Segments int
	Last     uint64 // newest seq_no
	Torn     *Torn  // nil after a clean end
}

// Torn is a write that was under way when the process or the machine stopped. It had not been acknowledged, and was
// cut off.
type Torn struct {
	File   string
	Offset int64
	SeqNo  uint64 // with which it would have begun
	Reason string // how it was recognised, for an operator to read
}

// Open opens the log in a folder, which it makes when it is not there, and takes the folder for this process alone:
// ErrLocked when another has it. It checks every frame, cuts off a torn last write, and refuses any other damage with
// a DamageError, in which case it has changed nothing.
//
// Before it returns the last frame is written once more, in place, and synced: after a failed sync the page cache may
// hold what the disk does not, and nothing of that may be shown.
func Open(dir string, o Options) (_ *File, r Recovery, err error) {
	if o.FS == nil {
		o.FS = OSFS
	}
	if o.SegmentSize == 0 {
		o.SegmentSize = DefaultSegmentSize
	}
	if o.NewEpoch == nil {
		o.NewEpoch = rand.Text
	}
	if err := o.FS.MkdirAll(dir); err != nil {
		return nil, r, fmt.Errorf("make folder: %w", err)
	}
	lock, err := o.FS.Lock(filepath.Join(dir, lockName))
	if err != nil {
		return nil, r, fmt.Errorf("lock %s: %w", dir, err)
	}
	l := &File{dir: dir, fs: o.FS, segmentSize: o.SegmentSize, lock: lock}
	opened := []io.Closer{lock}
	defer func() {
		if err == nil {
			return
		}
		for _, c := range slices.Backward(opened) {
			err = errors.Join(err, c.Close())
		}
	}()

	names, err := listSegments(o.FS, dir)
	if err != nil {
		return nil, r, err
	}
	marks, mark, err := openCommitted(o.FS, dir)
	if err != nil {
		return nil, r, err
	}
	if marks != nil {
		opened = append(opened, marks)
	}
	if len(names) == 0 && marks != nil {
		return nil, r, &DamageError{File: dir, SeqNo: 1, Reason: "no segment is left of the log that the committed file belongs to"}
	}

	var newest *segment
	var file Handle
	if len(names) == 0 {
		newest, file, err = l.begin(o.NewEpoch())
	} else {
		newest, file, r, err = l.recover(names, marks != nil, &mark)
	}
	if err != nil {
		return nil, r, err
	}
	r.Segments = len(l.segments)
	r.Last = l.last

	if marks == nil {
		// The last step of beginning a history, so that a log without the file is a log that holds nothing.
		if marks, err = createCommitted(o.FS, dir, commitMark{epoch: l.epoch()}); err != nil {
			return nil, r, errors.Join(err, file.Close())
		}
		opened = append(opened, marks)
	}
	marks.start(l.epoch(), mark.seqNo)
	l.mark = marks
	if l.active, err = l.activate(newest, file, nil); err != nil {
		return nil, r, err
	}
	return l, r, nil
}

// begin makes the first segment of a new history.
func (l *File) begin(epoch string) (*segment, Handle, error) {
	if err := checkEpoch(epoch); err != nil {
		return nil, nil, err
	}
	l.lineage = []Epoch{{Name: epoch}}
	s, file, err := createSegment(l.fs, l.dir, segmentHeader{first: 1, lineage: l.lineage}, l.segmentSize)
	l.segments = []*segment{s}
	return s, file, err
}

// epoch is the one in force.
func (l *File) epoch() string { return l.lineage[len(l.lineage)-1].Name }

// listSegments names the segments, oldest first, and removes files that a crash left half made.
func listSegments(fsys FS, dir string) ([]string, error) {
	names, err := fsys.List(dir)
	if err != nil {
		return nil, fmt.Errorf("list folder: %w", err)
	}
	var segments []string
	for _, name := range names {
		if base, half := strings.CutSuffix(name, tempSuffix); half && (base == committedName || isSegment(base)) {
			if err := fsys.Remove(filepath.Join(dir, name)); err != nil {
				return nil, fmt.Errorf("remove half a file: %w", err)
			}
		}
		if isSegment(name) {
			segments = append(segments, name)
		}
	}
	slices.Sort(segments)
	return segments, nil
}

func isSegment(name string) bool {
	_, ok := segmentFirst(name)
	return ok
}
