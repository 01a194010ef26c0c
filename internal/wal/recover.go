package wal

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
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
	damage    *DamageError // what ended the look
}

// progressEvery is how many bytes are read before progress is told of again.
const progressEvery = 8 << 20

// inspectSegment reads a whole segment. Only the newest may end in a torn write: another segment is begun when all
// that came before is durable. What was sound before a fault is in the finding all the same. progress is told now and
// then how many of the file's bytes were read; its error is returned as it is.
func inspectSegment(fsys FS, path string, newest bool, progress func(at, size int64) error) (_ finding, err error) {
	first, _ := numberedName(filepath.Base(path), segmentSuffix)
	h, file, size, err := readSegment(fsys, path)
	if err != nil {
		return finding{size: size}, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if h.first != first {
		return finding{size: size}, &DamageError{File: path, SeqNo: first, Reason: fmt.Sprintf("this is the segment that begins with seq_no %d", h.first)}
	}
	f := finding{segment: &segment{segmentHeader: h, path: path, end: h.length}, size: size, tail: h.length, next: h.first}
	in := scanner{file: file, seed: h.seed, pos: h.length, limit: size, next: h.first}
	told := int64(0)
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
			return f, asDamage(err, path, f.end, f.next)
		}
		f.tail, f.next, f.committed = f.end, frame.next(), max(f.committed, frame.committed)
		f.note(frame)
		f.sealed = frame.kind == kindSeal
		if f.end-told >= progressEvery {
			if err := progress(f.end, size); err != nil {
				return f, err
			}
			told = f.end
		}
	}
	at, err := in.firstNonZero(f.end)
	if err == nil && at < size {
		err = &DamageError{File: path, Offset: at, SeqNo: f.next, Reason: "there are bytes behind the seal"}
	}
	return f, err
}

// checkLink tells whether segment b may follow segment a.
func checkLink(a, b finding) *DamageError {
	switch {
	case a.next < b.first && a.sealed:
		return &DamageError{File: segmentPath(filepath.Dir(a.path), a.next), SeqNo: a.next, Reason: "the segment is missing; " + a.path + " says that it follows"}
	case a.next != b.first:
		return &DamageError{File: a.path, Offset: a.end, SeqNo: a.next, Reason: fmt.Sprintf("the segment ends here, the next begins with seq_no %d", b.first)}
	case !a.sealed && (!b.empty() || b.torn != nil):
		return &DamageError{File: a.path, Offset: a.end, SeqNo: a.next, Reason: "the seal is missing, and the next segment was written to"}
	case !leadsTo(a.lineage, b.first-1, b.lineage):
		return &DamageError{File: b.path, SeqNo: b.first, Reason: "the segment belongs to another history"}
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
			if err = writeFull(file, seal, before.end); err == nil {
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
			err = writeFull(file, buf, at)
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
