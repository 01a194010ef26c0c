package wal

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"testing"
)

const smallSegment = 1536

// smallLog writes a log of several small segments and returns its files and records. All is committed; marked says
// whether the committed file knows that.
func smallLog(t *testing.T, epoch string, marked bool) (map[string][]byte, []string) {
	t.Helper()
	d := newDisk(1)
	l, _, err := Open(crashDir, Options{FS: d, SegmentSize: smallSegment, NewEpoch: func() string { return epoch }})
	if err != nil {
		t.Fatal(err)
	}
	var h history
	if err := h.append(l, [][]int{{20}, {30, 200}, {600}, {40}, {10, 700}, {25}, {90, 90}}); err != nil {
		t.Fatal(err)
	}
	if marked {
		if err := l.MarkCommitted(l.Last()); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if len(d.names) < 4 {
		t.Fatalf("only the files %q", slices.Collect(maps.Keys(d.names)))
	}
	return d.image(), h.acked
}

// reopen opens changed files. It returns what the log holds, or the DamageError with which it was refused. Verify must
// be of the same opinion.
func reopen(t *testing.T, files map[string][]byte) (Recovery, []string, *DamageError) {
	t.Helper()
	verdict := Verify(crashDir, diskOf(files), nil)
	l, r, err := Open(crashDir, Options{FS: diskOf(files), SegmentSize: smallSegment})
	if damage := (*DamageError)(nil); errors.As(err, &damage) {
		if !errors.Is(err, ErrDamaged) || damage.File == "" || damage.Reason == "" {
			t.Errorf("incomplete error %#v", damage)
		}
		if !errors.Is(verdict, ErrDamaged) {
			t.Errorf("Open refuses with %v, Verify with %v", damage, verdict)
		}
		return r, nil, damage
	}
	if err != nil {
		t.Fatal(err)
	}
	if verdict != nil {
		t.Errorf("Open accepts what Verify refuses with %v", verdict)
	}
	got := contents(t, l)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return r, got, nil
}

func segmentNames(files map[string][]byte) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(files)), func(name string) bool { return filepath.Ext(name) != segmentSuffix })
}

// Where a byte was written, a changed one is refused. Where none was, in the zeros behind the last frame, it looks
// like the rest of a torn write: it is reported and cut off, and no record is missing. In the place of the next
// frame's header it is refused.
func TestEveryChangedByteIsFound(t *testing.T) {
	t.Parallel()
	files, want := smallLog(t, "one", false)
	segments := segmentNames(files)
	newest := segments[len(segments)-1]
	end := int(endOf(t, files[newest]))
	for name, b := range files {
		for at := range b {
			for how, c := range changesOf(b[at], at) {
				changed := maps.Clone(files)
				changed[name] = slices.Clone(b)
				changed[name][at] = c
				r, got, damage := reopen(t, changed)
				unwritten := name == newest && at >= end+frameHeaderLen
				switch {
				case damage == nil && !slices.Equal(got, want):
					t.Fatalf("%s, byte %d %s: the log opens with other contents", name, at, how)
				case unwritten != (damage == nil):
					t.Fatalf("%s, byte %d of a log that ends at %d, %s: refused with %v", name, at, end, how, damage)
				case unwritten && (r.Torn == nil || r.Torn.Offset != int64(end)):
					t.Fatalf("%s, byte %d behind the end at %d, %s: reported as %+v", name, at, end, how, r.Torn)
				}
			}
		}
	}
}

// changesOf names what may come to stand in the place of a byte at an offset, by how it differs: one way in stride, so
// that an everyday run changes every byte in one way, and those beside it in others.
func changesOf(b byte, at int) map[string]byte {
	ways := []string{"inverted", "one bit", "zeroed"} // where it is zero already, it becomes one
	changes := map[string]byte{}
	for i, c := range []byte{^b, b ^ 1<<(at%8), 0} {
		if (at+i)%stride > 0 {
			continue
		}
		if c == b {
			c = 1
		}
		changes[ways[i]] = c
	}
	return changes
}

// endOf finds where the frames of a segment end.
func endOf(t *testing.T, b []byte) int64 {
	t.Helper()
	_, end := framesOf(t, b)
	return end
}

// framesOf finds where the frames of a segment begin, and where they end.
func framesOf(t *testing.T, b []byte) (frames []int64, end int64) {
	t.Helper()
	h, err := decodeSegmentHeader(b[:sectorSize])
	if err != nil {
		t.Fatal(err)
	}
	s := scanner{file: bytesHandle{bytes.NewReader(b)}, seed: h.seed, pos: h.length, limit: int64(len(b)), next: h.first}
	for {
		at := s.pos
		if _, _, err := s.frame(); err != nil {
			return frames, s.pos
		}
		frames = append(frames, at)
	}
}

// bytesHandle is a read-only file in memory.
type bytesHandle struct{ *bytes.Reader }

func (h bytesHandle) Size() (int64, error)               { return h.Reader.Size(), nil }
func (h bytesHandle) WriteAt([]byte, int64) (int, error) { return 0, errors.ErrUnsupported }
func (h bytesHandle) Sync() error                        { return nil }
func (h bytesHandle) Named() (bool, error)               { return true, nil }
func (h bytesHandle) Close() error                       { return nil }

// A sector that went missing can look like one that was never written, but not where commits were on disk, shown or not.
func TestLostSectorsAndCutFilesAreRefused(t *testing.T) {
	for _, marked := range []bool{true, false} {
		files, want := smallLog(t, "one", marked)
		lostSectorsAreRefused(t, files, want)
	}
}

func lostSectorsAreRefused(t *testing.T, files map[string][]byte, want []string) {
	t.Helper()
	for _, name := range segmentNames(files) {
		b := files[name]
		for at := 0; at < len(b); at += sectorSize {
			zeroed := maps.Clone(files)
			zeroed[name] = slices.Clone(b)
			clear(zeroed[name][at:min(at+sectorSize, len(b))])
			cut := maps.Clone(files)
			cut[name] = b[:at]
			for how, changed := range map[string]map[string][]byte{"lost": zeroed, "and all after it cut off": cut} {
				if _, got, damage := reopen(t, changed); damage == nil && !slices.Equal(got, want) {
					t.Errorf("%s, sector at %d %s: the log opens with %d of %d records", name, at, how, len(got), len(want))
				}
			}
		}
	}
}

func TestDamageIsRefused(t *testing.T) {
	mark := filepath.Join(crashDir, committedName)
	clean, records := smallLog(t, "one", true)
	foreign, _ := smallLog(t, "two", true)
	segments := segmentNames(clean)
	first, second, newest := segments[0], segments[1], segments[len(segments)-1]
	for name, damage := range map[string]struct {
		change func(files map[string][]byte)
		file   string // that the error names
	}{
		"first segment missing":  {func(f map[string][]byte) { delete(f, first) }, first},
		"middle segment missing": {func(f map[string][]byte) { delete(f, second) }, second},
		"newest segment missing": {func(f map[string][]byte) { delete(f, newest) }, newest},
		"all segments missing": {func(f map[string][]byte) {
			for _, name := range segments {
				delete(f, name)
			}
		}, crashDir},
		"segments swapped":       {func(f map[string][]byte) { f[first], f[second] = f[second], f[first] }, first},
		"foreign segment":        {func(f map[string][]byte) { f[second] = foreign[second] }, second},
		"foreign newest segment": {func(f map[string][]byte) { f[newest] = foreign[newest] }, newest},
		"foreign frames": {func(f map[string][]byte) {
			f[second] = append(f[second][:sectorSize:sectorSize], foreign[second][sectorSize:]...)
		}, second},
		"frame header lost":      {func(f map[string][]byte) { clear(f[first][sectorSize:][:frameHeaderLen]) }, first},
		"empty segment":          {func(f map[string][]byte) { f[second] = nil }, second},
		"header of another kind": {func(f map[string][]byte) { f[second] = bytes.Repeat([]byte("x"), 1024) }, second},
		"seal lost":              {func(f map[string][]byte) { clearSeal(t, f[first]) }, first},
		"segment renamed": {func(f map[string][]byte) {
			f[segmentPath(crashDir, 999)] = f[newest]
			delete(f, newest)
		}, segmentPath(crashDir, 999)},
		"committed file missing":  {func(f map[string][]byte) { delete(f, mark) }, mark},
		"committed file foreign":  {func(f map[string][]byte) { f[mark] = foreign[mark] }, mark},
		"committed file too long": {func(f map[string][]byte) { f[mark] = append(f[mark], 0) }, mark},
		"committed beyond the end": {func(f map[string][]byte) {
			encodeCommitMark((*[sectorSize]byte)(f[mark]), commitMark{"one", uint64(len(records) + 1), 0})
		}, newest},
		"durable beyond the end": {func(f map[string][]byte) {
			encodeCommitMark((*[sectorSize]byte)(f[mark]), commitMark{"one", 1, uint64(len(records) + 1)})
		}, newest},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string][]byte{}
			for name, b := range clean {
				files[name] = slices.Clone(b)
			}
			damage.change(files)
			_, got, err := reopen(t, files)
			if err == nil {
				t.Fatalf("the log opens with %d records", len(got))
			}
			if err.File != damage.file {
				t.Errorf("the error names %s, want %s: %v", err.File, damage.file, err)
			}
		})
	}
}

// clearSeal removes the seal of a segment.
func clearSeal(t *testing.T, b []byte) {
	end := endOf(t, b)
	clear(b[end-frameHeaderLen : end])
}

// What looks like a torn write is none when a later frame is there: that one was only written when the first was durable.
func TestNothingIsTornBeforeAWholeFrame(t *testing.T) {
	d := newDisk(1)
	l, _, err := Open(crashDir, Options{FS: d})
	if err != nil {
		t.Fatal(err)
	}
	var h history
	if err := h.append(l, [][]int{{20}, {2000}, {30}, {700, 700}, {10}}); err != nil {
		t.Fatal(err)
	}
	frames, end := l.active.segment.length, l.active.end
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	d.rewriteMark(commitMark{epoch: l.epoch()})
	files := d.image()
	name := segmentPath(crashDir, 1)
	last := end - 64 // the frame of the last group
	refused := func(what string, from, to int64) {
		changed := maps.Clone(files)
		changed[name] = slices.Clone(files[name])
		clear(changed[name][from:to])
		if r, got, damage := reopen(t, changed); damage == nil {
			t.Errorf("%s at %d: the log opens with %d of %d records, torn %+v", what, from, len(got), len(h.acked), r.Torn)
		}
	}
	for s := frames; s+sectorSize <= last; s += sectorSize {
		refused("sector lost", s, s+sectorSize)
	}
	in := scanner{file: bytesHandle{bytes.NewReader(files[name])}, seed: l.active.seed, pos: frames, limit: last, next: 1}
	for in.pos < last {
		at := in.pos
		if _, _, err := in.frame(); err != nil {
			t.Fatal(err)
		}
		refused("frame header lost", at, at+frameHeaderLen)
	}
}

// rewriteMark replaces the committed file's content.
func (d *disk) rewriteMark(m commitMark) {
	encodeCommitMark((*[sectorSize]byte)(d.names[filepath.Join(crashDir, committedName)].cache), m)
}

func TestRefusalChangesNothing(t *testing.T) {
	files, _ := smallLog(t, "one", true)
	newest := segmentNames(files)[len(segmentNames(files))-1]
	clear(files[newest][sectorSize:]) // torn in looks, but shown
	d := diskOf(files)
	before := d.image()
	if _, _, err := Open(crashDir, Options{FS: d}); !errors.Is(err, ErrDamaged) {
		t.Fatalf("Open: %v, want ErrDamaged", err)
	}
	if !maps.EqualFunc(before, d.image(), bytes.Equal) {
		t.Error("the refused Open changed files")
	}
}

func TestReadFindsLaterDamage(t *testing.T) {
	d := newDisk(1)
	l, _, err := Open(crashDir, Options{FS: d})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for n := range uint64(3) {
		if err := l.Append(n+1, Records(record(n+1, 40)), n); err != nil {
			t.Fatal(err)
		}
	}
	file := segmentPath(crashDir, 1)
	d.names[file].cache[sectorSize+96+frameHeaderLen] ^= 1 // in the second record
	read := 0
	err = l.Read(0, func(uint64, []byte) error { read++; return nil })
	if damage := (*DamageError)(nil); !errors.As(err, &damage) || damage.SeqNo != 2 || damage.Offset != sectorSize+96 || damage.File != file {
		t.Errorf("Read: %v, want damage at seq_no 2", err)
	}
	if read != 1 {
		t.Errorf("%d records were read, want the one before the damage", read)
	}
}

func TestTornWritesAreReportedAndCut(t *testing.T) {
	files, want := smallLog(t, "one", false)
	newest := segmentNames(files)[len(segmentNames(files))-1]
	b := files[newest]
	end := endOf(t, b)
	h, err := decodeSegmentHeader(b[:sectorSize])
	if err != nil {
		t.Fatal(err)
	}
	next := uint64(len(want) + 1)
	frame, _ := wholeFrame(h.seed, next, 0, [][]byte{record(next, 3000)})
	whole := append(slices.Clone(b[:end]), frame...)
	sectors := (len(whole) + sectorSize - 1) / sectorSize
	from := int(end) / sectorSize
	// Every way in which the frame's sectors can be missing, but not none.
	for missing := 1; missing < 1<<(sectors-from); missing++ {
		torn := slices.Clone(whole)
		for s := from; s < sectors; s++ {
			if missing&(1<<(s-from)) != 0 {
				clear(torn[max(int(end), s*sectorSize):min(len(torn), (s+1)*sectorSize)])
			}
		}
		all := missing == 1<<(sectors-from)-1
		files[newest] = torn
		r, got, damage := reopen(t, files)
		if damage != nil || !slices.Equal(got, want) {
			t.Fatalf("sectors %b missing: %d records and %v, want %d", missing, len(got), damage, len(want))
		}
		if all != (r.Torn == nil) {
			t.Errorf("sectors %b missing: reported as %+v", missing, r.Torn)
		}
		if r.Torn != nil && (r.Torn.File != newest || r.Torn.Offset != end || r.Torn.SeqNo != next || r.Torn.Reason == "") {
			t.Errorf("sectors %b missing: reported as %+v, want offset %d and seq_no %d", missing, r.Torn, end, next)
		}
	}
}

func TestErrorsNameThePlace(t *testing.T) {
	for file, want := range map[string]string{
		"/data/00000000000000000001.log": "/data/00000000000000000001.log: damaged at offset 544, seq_no 2: why",
		"":                               "snapshot: damaged at offset 544, seq_no 2: why",
	} {
		if got := (&DamageError{File: file, Offset: 544, SeqNo: 2, Reason: "why"}).Error(); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	if fmt.Sprint(ErrLocked) != "folder is in use by another gateway" {
		t.Errorf("ErrLocked says %q", ErrLocked)
	}
}
