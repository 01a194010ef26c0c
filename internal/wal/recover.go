package wal

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// finding is what a look at one segment brings.
type finding struct {
	*segment
	size      int64  // of the file
	tail      int64  // where the last whole frame begins; end when there is none
	next      uint64 // the seq_no that must follow
	committed uint64 // the newest committed_seq_no in a frame
	sealed    bool
	torn      *Torn
}

// recover takes over the log that the named segments hold, and returns the newest one, ready for writing. mark is
// what the committed file says, where there is one; it moves up to what the frames know. Everything is checked before
// anything is changed.
func (l *File) recover(names []string, marked bool, mark *commitMark) (*segment, Handle, Recovery, error) {
	found, err := l.inspect(names)
	if err != nil {
		return nil, nil, Recovery{}, err
	}
	newest := found[len(found)-1]
	r := Recovery{Torn: newest.torn}
	l.lineage = newest.lineage
	l.last = newest.next - 1
	if err := l.checkMark(newest, marked, *mark); err != nil {
		return nil, nil, r, err
	}
	for _, f := range found {
		l.segments = append(l.segments, f.segment)
		mark.seqNo = max(mark.seqNo, f.committed)
	}
	file, err := l.repair(found, mark.seqNo)
	return newest.segment, file, r, err
}

// inspect looks at all segments and at how they follow on one another.
func (l *File) inspect(names []string) ([]finding, error) {
	var found []finding
	for i, name := range names {
		f, err := inspectSegment(l.fs, filepath.Join(l.dir, name), i+1 == len(names))
		if err != nil {
			return nil, err
		}
		if i == 0 && f.first != 1 {
			return nil, &DamageError{File: segmentPath(l.dir, 1), SeqNo: 1, Reason: "the segment is missing"}
		}
		if i > 0 {
			if err := checkLink(found[i-1], f); err != nil {
				return nil, err
			}
		}
		found = append(found, f)
	}
	if f := found[len(found)-1]; f.sealed {
		return nil, &DamageError{File: segmentPath(l.dir, f.next), SeqNo: f.next, Reason: "the segment is missing; " + f.path + " says that it follows"}
	}
	return found, nil
}

// inspectSegment reads a whole segment. Only the newest may end in a torn write: another segment is begun when all
// that came before is durable.
func inspectSegment(fsys FS, path string, newest bool) (_ finding, err error) {
	first, _ := segmentFirst(filepath.Base(path))
	h, file, size, err := readSegment(fsys, path)
	if err != nil {
		return finding{}, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if h.first != first {
		return finding{}, &DamageError{File: path, SeqNo: first, Reason: fmt.Sprintf("this is the segment that begins with seq_no %d", h.first)}
	}
	f := finding{segment: &segment{segmentHeader: h, path: path, end: h.length}, size: size, tail: h.length, next: h.first}
	in := scanner{file: file, seed: h.seed, pos: h.length, limit: size, next: h.first}
	for !f.sealed {
		frame, body, err := in.frame()
		if err == nil && frame.kind != kindSeal {
			err = eachRecord(frame, body, func(uint64, []byte) error { return nil })
		}
		if errors.Is(err, io.EOF) {
			return f, nil
		}
		if torn := (*fault)(nil); newest && errors.As(err, &torn) && torn.torn {
			f.torn = &Torn{File: path, Offset: f.end, SeqNo: f.next, Reason: torn.reason}
			return f, nil
		}
		if err != nil {
			return finding{}, asDamage(err, path, f.end, f.next)
		}
		f.tail, f.next, f.committed = f.end, frame.next(), max(f.committed, frame.committed)
		f.note(frame)
		f.sealed = frame.kind == kindSeal
	}
	at, err := in.firstNonZero(f.end)
	if err == nil && at < size {
		err = &DamageError{File: path, Offset: at, SeqNo: f.next, Reason: "there are bytes behind the seal"}
	}
	return f, err
}

// checkLink tells whether segment b may follow segment a.
func checkLink(a, b finding) error {
	switch {
	case a.next < b.first && a.sealed:
		return &DamageError{File: segmentPath(filepath.Dir(a.path), a.next), SeqNo: a.next, Reason: "the segment is missing; " + a.path + " says that it follows"}
	case a.next != b.first:
		return &DamageError{File: a.path, Offset: a.end, SeqNo: a.next, Reason: fmt.Sprintf("the segment ends here, the next begins with seq_no %d", b.first)}
	case !a.sealed && (!b.empty() || b.torn != nil):
		return &DamageError{File: a.path, Offset: a.end, SeqNo: a.next, Reason: "the seal is missing, and the next segment was written to"}
	case len(b.lineage) < len(a.lineage) || !slices.Equal(a.lineage, b.lineage[:len(a.lineage)]):
		return &DamageError{File: b.path, SeqNo: b.first, Reason: "the segment belongs to another history"}
	}
	return nil
}

// checkMark holds the log against the committed file.
func (l *File) checkMark(newest finding, marked bool, mark commitMark) error {
	path := filepath.Join(l.dir, committedName)
	known := func(e Epoch) bool { return e.Name == mark.epoch }
	switch {
	case !marked && l.last > 0:
		return &DamageError{File: path, SeqNo: newest.next, Reason: "the file is missing"}
	case marked && !slices.ContainsFunc(l.lineage, known):
		return &DamageError{File: path, SeqNo: mark.seqNo, Reason: fmt.Sprintf("the file belongs to epoch %q, which this log does not know", mark.epoch)}
	case mark.seqNo > l.last:
		return &DamageError{File: newest.path, Offset: newest.end, SeqNo: newest.next, Reason: fmt.Sprintf("the log ends here, but commits up to seq_no %d were shown", mark.seqNo)}
	}
	return nil
}

// repair makes the end of the log durable and clean. It returns the newest segment's file.
func (l *File) repair(found []finding, committed uint64) (Handle, error) {
	newest := found[len(found)-1]
	if newest.empty() && len(found) > 1 {
		// The last frame is in the segment before, where the seal may still be missing.
		before := found[len(found)-2]
		file, err := rewriteEnd(l.fs, before)
		if err == nil && !before.sealed {
			seal, h := appendSeal(nil, before.seed, newest.first, committed)
			if _, err = file.WriteAt(seal, before.end); err == nil {
				before.note(h)
			}
		}
		if err != nil {
			return nil, fmt.Errorf("repair %s: %w", before.path, err)
		}
		if err := errors.Join(file.Sync(), file.Close()); err != nil {
			return nil, fmt.Errorf("repair %s: %w", before.path, err)
		}
	}
	file, err := rewriteEnd(l.fs, newest)
	if err != nil {
		return nil, fmt.Errorf("repair %s: %w", newest.path, err)
	}
	err = file.Sync()
	if err == nil {
		err = l.fs.SyncDir(l.dir)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("repair %s: %w", newest.path, err), file.Close())
	}
	return file, nil
}

// rewriteEnd writes the last frame of a segment once more and zeros over what a torn write left. It does not sync.
func rewriteEnd(fsys FS, f finding) (Handle, error) {
	file, err := fsys.Open(f.path, os.O_RDWR)
	if err != nil {
		return nil, err
	}
	buf := make([]byte, min(f.end-f.tail, readAhead))
	for at := f.tail; at < f.end && err == nil; at += int64(len(buf)) {
		buf = buf[:min(int64(len(buf)), f.end-at)]
		if err = readFull(file, buf, at); err == nil {
			_, err = file.WriteAt(buf, at)
		}
	}
	if err == nil && f.torn != nil {
		err = writeZeros(file, f.end, f.size)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}
