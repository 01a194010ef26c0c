package wal

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// badSectorFS has one sector that the disk does not give out.
type badSectorFS struct {
	FS
	file string
	at   int64 // where the sector begins
}

func (f badSectorFS) Open(path string, flag int) (Handle, error) {
	h, err := f.FS.Open(path, flag)
	if err == nil && path == f.file {
		h = badSectorHandle{h, f.at}
	}
	return h, err
}

type badSectorHandle struct {
	Handle
	at int64
}

// ReadAt gives, as the kernel does, what lies before the sector.
func (h badSectorHandle) ReadAt(b []byte, at int64) (int, error) {
	if at+int64(len(b)) <= h.at || at >= h.at+sectorSize {
		return h.Handle.ReadAt(b, at)
	}
	n, _ := h.Handle.ReadAt(b[:max(0, h.at-at)], at)
	return n, syscall.EIO
}

// A sector of the log that cannot be read is damage like any other: the place is named, and every record before it can
// be had.
func TestALostSectorOfTheLogIsRefused(t *testing.T) {
	files, want := smallLog(t, "one", true)
	for _, name := range segmentNames(files) {
		frames, end := framesOf(t, files[name])
		for at := int64(0); at < end; at += sectorSize {
			fs := badSectorFS{diskOf(files), name, at}
			_, _, err := Open(crashDir, Options{FS: fs, SegmentSize: smallSegment})
			damage := (*DamageError)(nil)
			place := int64(0) // of the frame that reaches into the sector, of the header
			for i, frame := range frames {
				if i+1 == len(frames) || frames[i+1] > at {
					place = frame
					break
				}
			}
			if at < sectorSize {
				place = 0
			}
			if !errors.As(err, &damage) || damage.File != name || damage.Offset != place || !strings.Contains(damage.Reason, syscall.EIO.Error()) {
				t.Fatalf("%s, sector at %d: Open: %v, want damage at %d", name, at, err, place)
			}
			if err := Verify(crashDir, fs, nil); !errors.Is(err, ErrDamaged) {
				t.Errorf("%s, sector at %d: Verify: %v, want damage", name, at, err)
			}
			next := uint64(1)
			_, err = Dump(crashDir, fs, 0, func(seqNo uint64, record []byte) error {
				if seqNo != next || string(record) != want[seqNo-1] {
					t.Errorf("%s, sector at %d: Dump yields %d as %.20q", name, at, seqNo, record)
				}
				next++
				return nil
			})
			if !errors.Is(err, ErrDamaged) || next != damage.SeqNo {
				t.Errorf("%s, sector at %d: Dump goes up to %d, %v; the damage is at %d", name, at, next-1, err, damage.SeqNo)
			}
		}
	}
}

// A snapshot of which a sector cannot be read is passed over like any that is damaged.
func TestALostSectorOfASnapshot(t *testing.T) {
	files := cutLog(t, "one")
	name := snapshotPath(crashDir, 31)
	for at := int64(0); at < int64(len(files[name])); at += sectorSize {
		l, r, err := Open(crashDir, Options{FS: badSectorFS{diskOf(files), name, at}, SegmentSize: smallSegment})
		if err != nil {
			t.Fatalf("sector at %d: %v", at, err)
		}
		if inHeader := at < sectorSize; inHeader != (len(r.Unreadable) == 1) {
			t.Errorf("sector at %d: opened with %+v", at, r)
		}
		if err := readWhole(l, 31); !errors.Is(err, ErrDamaged) {
			t.Errorf("sector at %d: the snapshot is read: %v", at, err)
		}
		if err := readWhole(l, 20); err != nil {
			t.Errorf("sector at %d: the other snapshot: %v", at, err)
		}
		closeLog(t, l)
	}
}

// What stands in a file's place is not taken for the file, nor for the file being away.
func TestSomethingElseInAFilesPlace(t *testing.T) {
	for place, stand := range map[string]func(path string) error{
		"a folder":                  func(path string) error { return os.Mkdir(path, 0o700) },
		"a link that leads nowhere": func(path string) error { return os.Symlink("nowhere", path) },
		"a link to itself":          func(path string) error { return os.Symlink(path, path) },
	} {
		for _, name := range []string{segmentPath("", 1), committedName, snapshotPath("", 2)} {
			dir := t.TempDir()
			l, _, err := Open(dir, Options{})
			if err != nil {
				t.Fatal(err)
			}
			appendRecords(t, l, 3)
			mustSave(t, l, 1, 2)
			if err := l.MarkCommitted(3); err != nil {
				t.Fatal(err)
			}
			closeLog(t, l)
			path := filepath.Join(dir, name)
			if err := errors.Join(os.Remove(path), stand(path)); err != nil {
				t.Fatal(err)
			}
			damage := (*DamageError)(nil)
			if err := Verify(dir, nil, nil); !errors.As(err, &damage) || damage.File != path {
				t.Errorf("%s in the place of %s: Verify: %v, want damage", place, name, err)
			}
			l, _, err = Open(dir, Options{})
			if name == snapshotPath("", 2) {
				if err != nil {
					t.Fatalf("%s in the place of %s: %v", place, name, err)
				}
				if err := readWhole(l, 1); err != nil {
					t.Error(err)
				}
				closeLog(t, l)
				continue
			}
			if !errors.As(err, &damage) || damage.File != path {
				t.Errorf("%s in the place of %s: Open: %v, want damage", place, name, err)
			}
		}
	}
}
