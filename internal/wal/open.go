package wal

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// DefaultSegmentSize is the size in bytes at which a segment is spent.
const DefaultSegmentSize = 64 << 20

// Options sets up a File. The zero value is usable.
type Options struct {
	SegmentSize int64         // bytes, 0 for DefaultSegmentSize; a larger group gets a segment of its own
	NewEpoch    func() string // names the history of a folder that has none; nil for a random name
	FS          FS            // nil for OSFS

	// Progress is told now and then how many bytes of the log Open has checked, out of how many. nil for no report.
	Progress func(done, total int64)

	// Failed is told, from a goroutine of the log, when writing ended while nobody wrote: the segment could not be
	// filled ahead. The error wraps ErrFailed. nil for nobody.
	Failed func(error)
}

func (o Options) withDefaults() Options {
	if o.FS == nil {
		o.FS = OSFS
	}
	if o.SegmentSize == 0 {
		o.SegmentSize = DefaultSegmentSize
	}
	if o.NewEpoch == nil {
		o.NewEpoch = rand.Text
	}
	if o.Progress == nil {
		o.Progress = func(int64, int64) {}
	}
	if o.Failed == nil {
		o.Failed = func(error) {}
	}
	return o
}

// Recovery says what was found in a folder.
type Recovery struct {
	Segments  int
	First     uint64 // oldest seq_no that is there, Last+1 when there is none
	Last      uint64 // newest seq_no
	Torn      *Torn  // nil after a clean end
	Snapshots int    // stored, the unreadable ones too
	Began     bool   // the folder held nothing of a log: a new history begins
	Replaced  bool   // an accident had interrupted a Replace when that was decided, and Open carried it out
	// Unreadable says which snapshots have a damaged header. They are passed over; the rest of a snapshot is checked
	// when it is read.
	Unreadable []*DamageError
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
// ErrLocked when another has it, ErrUnfinished when a restore into it did not come to its end. It checks every frame,
// cuts off a torn last write, and refuses any other damage with a DamageError; whenever it fails because of what it
// found it has changed nothing. A Replace that was interrupted when it was decided is carried out first, once all of
// the new log is found to be there.
//
// The log may begin later than with seq_no 1 when it follows without a gap on the oldest stored snapshot, and a
// snapshot must be of this history and not be newer than the log's end. Beyond that a snapshot whose header is damaged
// is not refused, since the log may do without it: its name says what it is of, and ReadSnapshot fails.
//
// Before Open returns the last frame is written once more, in place, and synced: after a failed sync the page cache
// may hold what the disk does not, and nothing of that may be shown.
func Open(dir string, o Options) (_ *File, r Recovery, err error) {
	o = o.withDefaults()
	if err := o.FS.MkdirAll(dir); err != nil {
		return nil, r, fmt.Errorf("make folder: %w", err)
	}
	lock, err := o.FS.Lock(filepath.Join(dir, lockName))
	if err != nil {
		return nil, r, fmt.Errorf("lock %s: %w", dir, err)
	}
	l := &File{dir: dir, fs: o.FS, segmentSize: o.SegmentSize, lock: lock, failed: o.Failed}
	opened := []io.Closer{lock}
	defer func() {
		if err == nil {
			return
		}
		for _, c := range slices.Backward(opened) {
			err = errors.Join(err, c.Close())
		}
	}()

	names, err := listFolder(o.FS, dir)
	if err != nil {
		return nil, r, err
	}
	if names.restoring {
		if err := checkUnfinished(o.FS, dir); err != nil {
			return nil, r, err
		}
		return nil, r, fmt.Errorf("%s: %w", dir, ErrUnfinished)
	}
	if names.replacing {
		if names, err = finishReplacing(o.FS, dir, names); err != nil {
			return nil, r, fmt.Errorf("finish replacing the log: %w", err)
		}
		r.Replaced = true
	}
	var marks *committedFile
	var mark commitMark
	if names.marked {
		if marks, mark, err = openCommitted(o.FS, filepath.Join(dir, committedName), os.O_RDWR); err != nil {
			return nil, r, err
		}
		opened = append(opened, marks)
	}
	found, err := l.look(names, mark, &r, o.Progress)
	if err != nil {
		return nil, r, err
	}

	// All is checked. From here on files are changed.
	if err := names.removeHalves(o.FS, dir); err != nil {
		return nil, r, err
	}
	var newest *segment
	var file Handle
	if len(found.segments) == 0 {
		r.Began = true
		newest, file, err = l.begin(o.NewEpoch())
	} else {
		newest, file, err = l.takeOver(found, &mark)
	}
	if err != nil {
		return nil, r, err
	}
	r.Segments, r.First, r.Last = len(l.segments), l.segments[0].first, l.last

	if marks == nil {
		// The last step of beginning a history, so that a log without the file is a log that holds nothing.
		if marks, err = createCommitted(o.FS, filepath.Join(dir, committedName), commitMark{epoch: l.epoch()}); err != nil {
			return nil, r, errors.Join(err, file.Close())
		}
		opened = append(opened, marks)
	}
	marks.start(l.epoch(), mark.seqNo, l.last)
	l.mark = marks
	if l.active, err = l.activate(newest, file, nil); err != nil {
		return nil, r, err
	}
	return l, r, nil
}

// look surveys the folder and refuses any damage except that of snapshots, which it notes in r.
func (l *File) look(names folder, mark commitMark, r *Recovery, progress func(done, total int64)) (*survey, error) {
	total := int64(0)
	for _, name := range names.segments {
		size, err := fileSize(l.fs, filepath.Join(l.dir, name))
		if err != nil && !errors.Is(asGone(err, name), ErrDamaged) {
			return nil, err
		}
		total += size
	}
	before := int64(0) // of the segments that are done
	s := &survey{fs: l.fs, dir: l.dir, names: names, mark: mark}
	s.readSnapshot = func(path string, seqNo uint64, _ int64) (Snapshot, error) {
		return readSnapshotHeader(l.fs, path, seqNo)
	}
	s.note = func(c Checked) error {
		switch {
		case c.Damage != nil && c.Kind == SnapshotFile:
			r.Unreadable = append(r.Unreadable, c.Damage)
		case c.Damage != nil:
			return c.Damage
		case c.Kind == SegmentFile:
			progress(before+c.Bytes, total)
			if c.Done {
				before += c.Size
			}
			if c.Torn != nil {
				r.Torn = c.Torn
			}
		}
		return nil
	}
	r.Snapshots = len(names.snapshots)
	return s, s.run()
}

// begin makes the first segment of a new history.
func (l *File) begin(epoch string) (*segment, Handle, error) {
	if err := checkEpoch(epoch); err != nil {
		return nil, nil, err
	}
	l.lineage = []Epoch{{Name: epoch}}
	s, file, err := createSegment(l.fs, segmentPath(l.dir, 1), segmentHeader{first: 1, lineage: l.lineage}, l.segmentSize)
	l.segments = []*segment{s}
	return s, file, err
}

// takeOver takes over the log that was found and returns its newest segment, ready for writing. mark moves up to what
// the frames know.
func (l *File) takeOver(found *survey, mark *commitMark) (*segment, Handle, error) {
	newest := found.segments[len(found.segments)-1]
	l.lineage, l.last, l.snapshots = newest.lineage, newest.next-1, found.snapshots
	for _, f := range found.segments {
		l.segments = append(l.segments, f.segment)
		mark.seqNo = max(mark.seqNo, f.committed)
	}
	file, err := l.repair(found.segments, mark.seqNo)
	return newest.segment, file, err
}

// epoch is the one in force.
func (l *File) epoch() string { return l.lineage[len(l.lineage)-1].Name }
