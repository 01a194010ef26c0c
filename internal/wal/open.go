package wal

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Recovery says what open found.
type Recovery struct {
	Segments int
	Last     uint64
	Torn     *Torn // nil after a clean end
}

// Torn is a write that was under way when the power went or the process was killed. It had not been acknowledged.
type Torn struct {
	File   string
	Offset int64
	SeqNo  uint64 // that it would have begun with
}

const lockName = "lock"

// Open opens the log in a folder, which it makes when it is not there, and takes it for this process alone. It checks
// every frame, cuts a torn last write and refuses any other damage with a DamageError. Before it returns, the end of
// the log is written once more and synced: after a failed sync the page cache may hold what the disk does not, and
// nothing of that may be shown.
func Open(dir string, o Options) (_ *File, _ Recovery, err error) {
	if o.FS == nil {
		o.FS = OSFS
	}
	if o.SegmentSize == 0 {
		o.SegmentSize = DefaultSegmentSize
	}
	if err := o.FS.MkdirAll(dir); err != nil {
		return nil, Recovery{}, err
	}
	lock, err := o.FS.Lock(filepath.Join(dir, lockName))
	if err != nil {
		return nil, Recovery{}, err
	}
	l := &File{dir: dir, options: o, lock: lock}
	defer func() {
		if err == nil {
			return
		}
		err = errors.Join(err, lock.Close())
		if l.current != nil {
			err = errors.Join(err, l.current.handle.Close())
		}
		if l.mark != nil {
			err = errors.Join(err, l.mark.close())
		}
	}()
	names, err := l.tidy()
	if err != nil {
		return nil, Recovery{}, err
	}
	if len(names) == 0 {
		err = l.begin()
		return l, Recovery{Segments: 1}, err
	}
	r, err := l.recover(names)
	return l, r, err
}

// tidy removes what a crash left half made and lists the segments, oldest first.
func (l *File) tidy() (segments []string, err error) {
	names, err := l.options.FS.List(l.dir)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		switch {
		case strings.HasSuffix(name, segmentSuffix+tempSuffix):
			if err := l.options.FS.Remove(filepath.Join(l.dir, name)); err != nil {
				return nil, err
			}
		case strings.HasSuffix(name, segmentSuffix):
			segments = append(segments, name)
		}
	}
	slices.Sort(segments)
	return segments, nil
}

// begin starts the history of an empty folder.
func (l *File) begin() error {
	epoch := l.options.NewEpoch()
	if err := checkEpoch(epoch); err != nil {
		return err
	}
	mark, err := openMark(l.options.FS, l.dir, epoch)
	if err != nil {
		return err
	}
	l.mark, l.lineage = mark, []Epoch{{Name: epoch}}
	if mark.known() > 0 {
		return &DamageError{File: l.dir, SeqNo: mark.known(), Reason: "the log is gone, its mark is there"}
	}
	l.current, err = createSegment(l.options.FS, l.dir, 1, l.lineage)
	if err == nil {
		l.segments = []segmentName{l.current.segmentName}
	}
	return err
}

// recover checks the segments and makes the newest one ready for writing.
func (l *File) recover(names []string) (Recovery, error) {
	r := Recovery{Segments: len(names)}
	next, committed := uint64(1), uint64(0)
	var tails []tail
	for i, name := range names {
		path := filepath.Join(l.dir, name)
		found, err := l.check(path, next, i+1 == len(names))
		if err != nil {
			return r, err
		}
		if i > 0 {
			if err := l.checkLink(tails[len(tails)-1], found); err != nil {
				return r, err
			}
		}
		l.segments = append(l.segments, found.segmentName)
		l.lineage = found.header.lineage
		l.size.Add(found.end - found.header.length)
		next, committed = found.next, max(committed, found.committed)
		tails = append(tails, found)
		if found.torn != nil {
			r.Torn = found.torn
		}
	}
	newest := tails[len(tails)-1]
	if newest.sealed {
		return r, &DamageError{File: segmentPath(l.dir, next), SeqNo: next, Reason: "the segment is missing, " + newest.path + " was sealed for it"}
	}
	l.last.Store(next - 1)
	r.Last = next - 1
	mark, err := openMark(l.options.FS, l.dir, l.lineage[len(l.lineage)-1].Name)
	if err != nil {
		return r, err
	}
	l.mark = mark
	if mark.known() >= next {
		return r, &DamageError{File: newest.path, Offset: newest.end, SeqNo: next,
			Reason: fmt.Sprintf("the log ends here, but commits up to %d were shown", mark.known())}
	}
	mark.learn(committed)
	return r, l.rewrite(tails)
}

// checkLink tells whether the segment b may follow a.
func (l *File) checkLink(a, b tail) error {
	switch {
	case !a.sealed && b.next > b.header.first:
		return &DamageError{File: a.path, Offset: a.end, SeqNo: a.next, Reason: "the seal that leads to " + b.path + " is missing"}
	case len(b.header.lineage) < len(a.header.lineage) || !slices.Equal(a.header.lineage, b.header.lineage[:len(a.header.lineage)]):
		return &DamageError{File: b.path, SeqNo: b.header.first, Reason: "the segment belongs to another history"}
	}
	return nil
}

// rewrite writes the end of the log once more, from its last frame on, and syncs it. When the newest segment is empty
// the last frame is in the one before.
func (l *File) rewrite(tails []tail) error {
	for i := max(0, len(tails)-2); i < len(tails); i++ {
		t := tails[i]
		handle, err := l.options.FS.Open(t.path, os.O_RDWR)
		if err != nil {
			return err
		}
		size, err := handle.Size()
		if err == nil {
			_, err = handle.WriteAt(t.last, t.end-int64(len(t.last)))
		}
		if err == nil && t.torn != nil {
			_, err = handle.WriteAt(make([]byte, size-t.end), t.end)
		}
		if err == nil {
			err = handle.Sync()
		}
		if err != nil {
			return errors.Join(err, handle.Close())
		}
		if i+1 < len(tails) {
			if err := handle.Close(); err != nil {
				return err
			}
			continue
		}
		l.current = &segment{segmentName: t.segmentName, handle: handle, end: t.end, zeroed: size}
	}
	return nil
}

// tail is what check found in a segment.
type tail struct {
	segmentName
	next      uint64 // the seq_no that must follow
	committed uint64 // newest that its frames know of
	end       int64  // behind the last whole frame
	last      []byte // the bytes before end that are to be written once more
	sealed    bool
	torn      *Torn
}

// check reads a whole segment that must begin with first. Only the newest may end in a torn write.
func (l *File) check(path string, first uint64, newest bool) (tail, error) {
	b, err := l.load(path)
	if err != nil {
		return tail{}, err
	}
	damage := func(offset int64, seqNo uint64, reason string) (tail, error) {
		return tail{}, &DamageError{File: path, Offset: offset, SeqNo: seqNo, Reason: reason}
	}
	if len(b) < fixedHeaderLen {
		return damage(0, first, "the file is too short for a segment")
	}
	length, err := segmentHeaderLen(b)
	if err == nil && length > int64(len(b)) {
		err = fmt.Errorf("%w: cut inside the header", errFormat)
	}
	if err != nil {
		return damage(0, first, err.Error())
	}
	header, err := decodeSegmentHeader(b[:length])
	if err != nil {
		return damage(0, first, err.Error())
	}
	switch {
	case path != segmentPath(l.dir, header.first):
		return damage(0, first, fmt.Sprintf("the file was renamed: it begins with seq_no %d", header.first))
	case header.first != first:
		return damage(0, first, fmt.Sprintf("a segment is missing: this one begins with seq_no %d, expected was %d", header.first, first))
	}
	t := tail{segmentName: segmentName{path, header}, next: first, end: length, last: b[:length]}
	for {
		h, state, reason := readFrame(b, t.end, header.seed, t.next)
		switch state {
		case frameDamaged:
			return damage(t.end, t.next, reason)
		case frameTorn:
			if !newest {
				return damage(t.end, t.next, "a write was torn, but a segment follows")
			}
			t.torn = &Torn{File: path, Offset: t.end, SeqNo: t.next}
			return t, nil
		case frameNone:
			return t, nil
		}
		frame := b[t.end : t.end+h.size()]
		t.end += h.size()
		if h.kind == kindSeal {
			t.sealed, t.last = true, b[t.end-int64(len(t.last)+len(frame)):t.end]
			if !isZero(b[t.end:]) {
				return damage(t.end, t.next, "there are bytes after the seal")
			}
			return t, nil
		}
		t.next, t.committed, t.last = h.next(), max(t.committed, h.committed), frame
	}
}

// load reads a file whole.
func (l *File) load(path string) ([]byte, error) {
	handle, err := l.options.FS.Open(path, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer handle.Close()
	size, err := handle.Size()
	if err != nil {
		return nil, err
	}
	b := make([]byte, size)
	if _, err := handle.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return b, nil
}

type frameState int

const (
	frameWhole   frameState = iota
	frameNone               // zeros to the end: nothing was written here
	frameTorn               // the last write did not get whole to the disk
	frameDamaged            // what was written here has changed
)

// readFrame judges what stands at an offset where the frame of seqNo, or a seal, must begin. What lies beyond the end
// of the file counts as never written.
func readFrame(b []byte, at int64, seed uint32, seqNo uint64) (frameHeader, frameState, string) {
	if isZero(b[at:]) {
		return frameHeader{}, frameNone, ""
	}
	if at+frameHeaderLen > int64(len(b)) {
		return frameHeader{}, frameTorn, ""
	}
	if isZero(b[at : at+frameHeaderLen]) {
		return tornUnless(b, at, seed, "the header of a frame is gone, and frames follow")
	}
	h, err := decodeFrameHeader(b[at:at+frameHeaderLen], seed)
	if err != nil {
		return h, frameDamaged, err.Error()
	}
	if h.first != seqNo {
		return h, frameDamaged, fmt.Sprintf("a frame of seq_no %d", h.first)
	}
	end := at + h.size()
	body := b[at+frameHeaderLen : min(end, int64(len(b)))]
	if end <= int64(len(b)) && checkBody(h, body, seed) {
		err := eachRecord(h, body[:h.bodyLen], func(uint64, []byte) error { return nil })
		if err != nil {
			return h, frameDamaged, err.Error()
		}
		return h, frameWhole, ""
	}
	if end > int64(len(b)) || neverWritten(body, at+frameHeaderLen) {
		return tornUnless(b, at, seed, "the body of a frame is incomplete, and frames follow")
	}
	return h, frameDamaged, "the body of a frame fails its checksum"
}

// tornUnless tells a torn write from rot: the next frame is written only after the one before was synced, so a torn
// one has no valid frame after it.
func tornUnless(b []byte, at int64, seed uint32, reason string) (frameHeader, frameState, string) {
	for next := at + frameAlign; next+frameHeaderLen <= int64(len(b)); next += frameAlign {
		if _, err := decodeFrameHeader(b[next:next+frameHeaderLen], seed); err == nil {
			return frameHeader{}, frameDamaged, reason
		}
	}
	return frameHeader{}, frameTorn, ""
}
