package wal

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
)

// survey looks at all that is in a folder and at how it fits together, and changes nothing. Open refuses what a survey
// finds and Verify reports it, so that they cannot disagree.
type survey struct {
	fs    FS
	dir   string
	names folder
	mark  commitMark // what the committed file says, if it is there
	// readSnapshot reads as much of a snapshot as is to be checked.
	readSnapshot func(path string, seqNo uint64, size int64) (Snapshot, error)
	// note is told of each file, now and then while it is read and once at its end, and of each fault. An error that
	// it returns ends the survey.
	note func(Checked) error

	segments  []finding // one for each name
	snapshots []stored  // likewise
}

// FileKind says what a file of the log is for.
type FileKind string

const (
	SegmentFile   FileKind = "segment"
	SnapshotFile  FileKind = "snapshot"
	CommittedFile FileKind = "committed"
	// WholeLog stands with a fault that lies in how the files fit together.
	WholeLog FileKind = "log"
)

// Checked says how a file was found.
type Checked struct {
	Path    string
	Kind    FileKind
	Done    bool         // false while the file is still being read: then only Bytes and Size count
	First   uint64       // of a segment the first seq_no that belongs there, else 0
	Last    uint64       // the newest seq_no: First-1 in a segment without records
	Records uint64       // sound records of a segment, rows of a snapshot as its header says
	Bytes   int64        // read so far
	Size    int64        // of the file in bytes, 0 when it is not there
	Torn    *Torn        // a last write that was never finished, which is no damage
	Damage  *DamageError // the first fault; nothing behind it was looked at
}

// run looks at everything. Faults that rest on another one are not looked for.
func (s *survey) run() error {
	if len(s.names.segments) == 0 {
		return s.withoutSegments()
	}
	if err := s.fault(s.checkBeginning()); err != nil {
		return err
	}
	for i := range s.names.segments {
		if err := s.inspect(i); err != nil {
			return err
		}
	}
	if err := s.fault(s.checkEnd()); err != nil {
		return err
	}
	if err := s.inspectSnapshots(); err != nil {
		return err
	}
	return s.fault(s.checkMark())
}

// withoutSegments judges a folder in which a log has not begun, or of which all is gone that matters.
func (s *survey) withoutSegments() error {
	if s.names.empty() {
		return nil
	}
	err := s.fault(&DamageError{File: s.dir, SeqNo: 1, Reason: "no segment is left of the log that the committed file and the snapshots belong to"})
	if err != nil {
		return err
	}
	return s.inspectSnapshots()
}

// fault notes a fault, if there is one, that lies in how files fit together.
func (s *survey) fault(d *DamageError) error {
	if d == nil {
		return nil
	}
	return s.note(Checked{Path: d.File, Kind: WholeLog, Done: true, Damage: d})
}

// checkBeginning tells whether the log begins where it may: with the first record, or behind it when snapshots hold
// what came before.
func (s *survey) checkBeginning() *DamageError {
	first := s.names.first()
	if first == 1 {
		return nil
	}
	if len(s.names.snapshots) == 0 {
		return &DamageError{File: segmentPath(s.dir, 1), SeqNo: 1, Reason: "the segment is missing"}
	}
	if oldest := s.names.snapshots[0]; first-1 > oldest {
		return &DamageError{File: segmentPath(s.dir, first), SeqNo: oldest + 1,
			Reason: fmt.Sprintf("the log begins with seq_no %d and the oldest snapshot is of %d: what lies between is missing", first, oldest)}
	}
	return nil
}

// inspect looks at a segment and at how it follows on the one before.
func (s *survey) inspect(i int) error {
	path := filepath.Join(s.dir, s.names.segments[i])
	f, err := inspectSegment(s.fs, path, i+1 == len(s.names.segments), func(at, size int64) error {
		return s.note(Checked{Path: path, Kind: SegmentFile, Bytes: at, Size: size})
	})
	if err != nil && !errors.As(asGone(err, path), &f.damage) {
		return err
	}
	s.segments = append(s.segments, f)
	c := Checked{Path: path, Kind: SegmentFile, Done: true, Size: f.size, Bytes: f.size, Torn: f.torn, Damage: f.damage}
	if f.segment != nil {
		c.First, c.Last, c.Records = f.first, f.next-1, f.next-f.first
	}
	if f.damage != nil {
		c.Bytes = f.damage.Offset
	}
	if err := s.note(c); err != nil {
		return err
	}
	if i > 0 && f.damage == nil && s.segments[i-1].damage == nil {
		return s.fault(checkLink(s.segments[i-1], f))
	}
	return nil
}

// checkEnd tells whether the newest segment is the last one that there was.
func (s *survey) checkEnd() *DamageError {
	if f := s.segments[len(s.segments)-1]; f.damage == nil && f.sealed {
		return &DamageError{File: segmentPath(s.dir, f.next), SeqNo: f.next, Reason: "the segment is missing; " + f.path + " says that it follows"}
	}
	return nil
}

// inspectSnapshots looks at the snapshots and at whether they belong to the log. The seq_no of one that cannot be read
// is known from its name.
func (s *survey) inspectSnapshots() error {
	for _, seqNo := range s.names.snapshots {
		path := snapshotPath(s.dir, seqNo)
		c := Checked{Path: path, Kind: SnapshotFile, Done: true, Last: seqNo}
		var found Snapshot
		var err error
		if c.Size, err = fileSize(s.fs, path); err == nil {
			found, err = s.readSnapshot(path, seqNo, c.Size)
		}
		if err != nil && !errors.As(asGone(err, path), &c.Damage) {
			return err
		}
		c.Records = found.Rows
		if c.Bytes = c.Size; c.Damage != nil {
			c.Bytes = c.Damage.Offset
		}
		s.snapshots = append(s.snapshots, stored{seqNo: seqNo, damaged: c.Damage != nil})
		if err := s.note(c); err != nil {
			return err
		}
		if err := s.fault(s.checkSnapshot(path, seqNo, found, c.Damage == nil)); err != nil {
			return err
		}
	}
	return nil
}

// asGone is asDamage for the error of opening a segment or a snapshot that the folder lists: what is not there all the
// same is a link that leads nowhere.
func asGone(err error, path string) error {
	seqNo, _ := numberedName(filepath.Base(path), filepath.Ext(path))
	if errors.Is(err, fs.ErrNotExist) {
		return &DamageError{File: path, SeqNo: seqNo, Reason: "the file is missing"}
	}
	return asDamage(err, path, 0, seqNo)
}

// checkSnapshot tells whether a snapshot is of a state that this log came to. Only its name counts unless it is sound.
func (s *survey) checkSnapshot(path string, seqNo uint64, found Snapshot, sound bool) *DamageError {
	newest, ok := s.newest()
	if !ok {
		return nil
	}
	if seqNo >= newest.next {
		return &DamageError{File: newest.path, Offset: newest.end, SeqNo: newest.next,
			Reason: fmt.Sprintf("the log ends here, but there is a snapshot of seq_no %d", seqNo)}
	}
	if !sound {
		return nil
	}
	return checkIdentity(path, seqNo, found, newest.lineage)
}

// checkIdentity tells whether a snapshot is the one that belongs under its name in a log of that history.
func checkIdentity(path string, seqNo uint64, found Snapshot, lineage []Epoch) *DamageError {
	if found.SeqNo != seqNo {
		return &DamageError{File: path, SeqNo: seqNo, Reason: fmt.Sprintf("this is the snapshot of seq_no %d", found.SeqNo)}
	}
	if !leadsTo(found.Lineage, seqNo, lineage) {
		return &DamageError{File: path, SeqNo: seqNo, Reason: "the snapshot belongs to another history"}
	}
	return nil
}

// checkMark holds the log against the committed file.
func (s *survey) checkMark() *DamageError {
	newest, ok := s.newest()
	path := filepath.Join(s.dir, committedName)
	known := func(e Epoch) bool { return e.Name == s.mark.epoch }
	switch {
	case !ok:
		return nil
	case !s.names.marked && newest.next > 1:
		return &DamageError{File: path, SeqNo: newest.next, Reason: "the file is missing"}
	case s.mark.epoch != "" && !slices.ContainsFunc(newest.lineage, known):
		return &DamageError{File: path, SeqNo: s.mark.seqNo, Reason: fmt.Sprintf("the file belongs to epoch %q, which this log does not know", s.mark.epoch)}
	case s.mark.seqNo >= newest.next:
		return &DamageError{File: newest.path, Offset: newest.end, SeqNo: newest.next, Reason: fmt.Sprintf("the log ends here, but commits up to seq_no %d were shown", s.mark.seqNo)}
	case s.mark.durable >= newest.next:
		return &DamageError{File: newest.path, Offset: newest.end, SeqNo: newest.next, Reason: fmt.Sprintf("the log ends here, but commits up to seq_no %d were on disk", s.mark.durable)}
	}
	return nil
}

// newest is the newest segment, which says where the log ends and what its history is, unless it is damaged or missing.
func (s *survey) newest() (finding, bool) {
	if len(s.segments) == 0 {
		return finding{}, false
	}
	f := s.segments[len(s.segments)-1]
	return f, f.damage == nil && !f.sealed
}
