package wal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

var newEpoch = func() string { return "restored" }

// backup is a backup of the state at 7.
func backup(t testing.TB) []byte {
	t.Helper()
	return encodeRows(t, Snapshot{SeqNo: 7, Lineage: []Epoch{{Name: "one"}, {"two", 4}}, Rows: 7, Digest: ^uint64(7)}, stateAt(7))
}

// takeAll reads the rows of a snapshot.
func takeAll(_ Snapshot, r io.Reader) error { _, err := io.Copy(io.Discard, r); return err }

// wantRestored opens a restored folder and closes it again.
func wantRestored(t *testing.T, d *disk, what string) {
	t.Helper()
	l, r, err := Open(crashDir, Options{FS: d, SegmentSize: smallSegment})
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	defer closeLog(t, l)
	if r.Segments != 1 || r.First != 8 || r.Last != 7 || r.Snapshots != 1 || r.Torn != nil || len(r.Unreadable) > 0 {
		t.Errorf("%s: %+v", what, r)
	}
	if l.Committed() != 7 || l.Last() != 7 || l.First() != 8 {
		t.Errorf("%s: First %d, Last %d, Committed %d", what, l.First(), l.Last(), l.Committed())
	}
	if got := l.Lineage(); !slices.Equal(got, []Epoch{{"one", 0}, {"two", 4}, {"restored", 7}}) {
		t.Errorf("%s: lineage %v", what, got)
	}
	wantSnapshots(t, l, 7)
}

func TestRestore(t *testing.T) {
	d := newDisk(1)
	s, err := Restore(crashDir, Options{FS: d, SegmentSize: smallSegment, NewEpoch: newEpoch}, bytes.NewReader(backup(t)), func(s Snapshot, r io.Reader) error {
		rows, err := io.ReadAll(r)
		if s.SeqNo != 7 || !bytes.Equal(rows, stateAt(7)) {
			t.Errorf("rows was given %+v and %.40q", s, rows)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if s.SeqNo != 7 || s.Rows != 7 || !slices.Equal(s.Lineage, []Epoch{{"one", 0}, {"two", 4}, {"restored", 7}}) {
		t.Errorf("Restore returned %+v", s)
	}
	d.powerCut(func() bool { return false })
	wantRestored(t, d, "restored")
	l := openLog(t, d, 0)
	appendRecords(t, l, 20)
	wantFrom(t, l)
	mustSave(t, l, 15, 20)
	if err := l.Cut(20); err != nil {
		t.Fatal(err)
	}
	closeLog(t, l)
	l = openLog(t, d, 0)
	wantSnapshots(t, l, 20, 15)
	wantFrom(t, l)
	closeLog(t, l)
}

// The state before the first record can be backed up as well.
func TestRestoreOfNothing(t *testing.T) {
	d := newDisk(1)
	empty := encodeRows(t, Snapshot{Lineage: []Epoch{{Name: "one"}}}, nil)
	if _, err := Restore(crashDir, Options{FS: d, NewEpoch: newEpoch}, bytes.NewReader(empty), takeAll); err != nil {
		t.Fatal(err)
	}
	l, r, err := Open(crashDir, Options{FS: d, SegmentSize: smallSegment})
	if err != nil || r.First != 1 || r.Last != 0 || !slices.Equal(l.Lineage(), []Epoch{{"one", 0}, {"restored", 0}}) {
		t.Fatalf("%+v, %v", r, err)
	}
	appendRecords(t, l, 3)
	wantFrom(t, l)
	closeLog(t, l)
}

func TestRestoreNeedsAnEmptyFolder(t *testing.T) {
	for name, files := range map[string][]string{
		"a file":       {"something"},
		"an old log":   {"00000000000000000001.log", "committed", "lock"},
		"the old lock": {"lock"},
		"nothing":      {},
		"no folder":    nil,
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "a", "b")
			for _, f := range append(files, "") {
				if files == nil {
					break
				}
				if err := errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(filepath.Join(dir, f), []byte(f), 0o600)); f != "" && err != nil {
					t.Fatal(err)
				}
			}
			_, err := Restore(dir, Options{NewEpoch: newEpoch}, bytes.NewReader(backup(t)), takeAll)
			if vacant := len(files) == 0 || files[0] == "lock"; vacant {
				if err != nil {
					t.Fatal(err)
				}
				l, _, err := Open(dir, Options{})
				if err != nil {
					t.Fatal(err)
				}
				wantSnapshots(t, l, 7)
				closeLog(t, l)
				return
			}
			if !errors.Is(err, ErrNotEmpty) {
				t.Errorf("%v, want ErrNotEmpty", err)
			}
			entries, err := os.ReadDir(dir)
			if err != nil || len(entries) != len(files) {
				t.Errorf("the folder holds %v, %v, before %q", entries, err, files)
			}
		})
	}
}

// A backup that does not hold what it must leaves a folder into which a good one can be restored.
func TestRestoreRefusesAndLeavesNothing(t *testing.T) {
	good := backup(t)
	refusal := errors.New("the digest is another one")
	for name, c := range map[string]struct {
		from  io.Reader
		epoch string
		rows  func(Snapshot, io.Reader) error
		want  error
	}{
		"flipped":            {bytes.NewReader(slices.Concat(good[:540], []byte{good[540] ^ 1}, good[541:])), "x", takeAll, ErrDamaged},
		"cut short":          {bytes.NewReader(good[:len(good)-1]), "x", takeAll, ErrDamaged},
		"empty":              {bytes.NewReader(nil), "x", takeAll, ErrDamaged},
		"not read to end":    {bytes.NewReader(append(slices.Clone(good), 0)), "x", func(Snapshot, io.Reader) error { return nil }, ErrDamaged},
		"refused":            {bytes.NewReader(good), "x", func(Snapshot, io.Reader) error { return refusal }, refusal},
		"epoch that was had": {bytes.NewReader(good), "two", takeAll, ErrEpoch},
		"unusable epoch":     {bytes.NewReader(good), "", takeAll, ErrEpoch},
	} {
		d := newDisk(1)
		s, err := Restore(crashDir, Options{FS: d, NewEpoch: func() string { return c.epoch }}, c.from, c.rows)
		if !errors.Is(err, c.want) || s.SeqNo != 0 {
			t.Errorf("%s: %+v, %v, want %v", name, s, err, c.want)
		}
		if len(d.names) != 0 {
			t.Errorf("%s: left %q", name, slices.Collect(maps.Keys(d.names)))
		}
		if _, err := Restore(crashDir, Options{FS: d, NewEpoch: newEpoch}, bytes.NewReader(good), takeAll); err != nil {
			t.Errorf("%s, restored again: %v", name, err)
		}
		wantRestored(t, d, name)
	}
}

func TestRestoreTakesTheLock(t *testing.T) {
	dir := t.TempDir()
	l, _, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer closeLog(t, l)
	for _, name := range []string{segmentPath(dir, 1), filepath.Join(dir, committedName)} {
		if err := os.Remove(name); err != nil { // so that the folder looks empty
			t.Fatal(err)
		}
	}
	if _, err := Restore(dir, Options{}, bytes.NewReader(backup(t)), takeAll); !errors.Is(err, ErrLocked) {
		t.Errorf("into a folder that is in use: %v, want ErrLocked", err)
	}
}

// After an accident at any step the folder is refused as unfinished, or whole, or as empty as before; and a restore can
// be run again.
func TestAccidentWhileRestoring(t *testing.T) {
	good := backup(t)
	restoring := func(d *disk) error {
		_, err := Restore(crashDir, Options{FS: d, SegmentSize: smallSegment, NewEpoch: newEpoch}, bytes.NewReader(good), takeAll)
		return err
	}
	seen := map[string]int{}
	for name, accident := range accidents {
		for seed := range uint64(seeds) {
			for step := 1; ; step++ {
				what := fmt.Sprintf("%s, seed %d, step %d", name, seed, step)
				d := newDisk(seed)
				accident.set(d, step)
				err := restoring(d)
				if err == nil && !d.failed {
					if step < 15 {
						t.Fatalf("%s: only %d steps were seen", what, step)
					}
					break
				}
				if errors.Is(err, ErrDamaged) || errors.Is(err, ErrNotEmpty) {
					t.Fatalf("%s: an accident is taken for something else: %v", what, err)
				}
				accident.after(d)
				before := len(d.names)
				l, r, opening := Open(crashDir, Options{FS: d, SegmentSize: smallSegment})
				switch {
				case opening == nil && r.Last == 7:
					seen["whole"]++
					closeLog(t, l)
					wantRestored(t, d, what)
					continue
				case opening == nil && before == 0:
					seen["empty"]++ // and a new log now
					closeLog(t, l)
					continue
				case errors.Is(opening, ErrUnfinished):
					seen["unfinished"]++
				default:
					t.Fatalf("%s: %v, %+v, %v", what, err, r, opening)
				}
				if err := Verify(crashDir, d, nil); !errors.Is(err, ErrUnfinished) {
					t.Errorf("%s: Verify: %v, want ErrUnfinished", what, err)
				}
				if err := restoring(d); err != nil {
					t.Fatalf("%s: once more: %v", what, err)
				}
				d.powerCut(func() bool { return false })
				wantRestored(t, d, what+", restored again")
			}
		}
	}
	if seen["whole"] == 0 || seen["empty"] == 0 || seen["unfinished"] < 30 {
		t.Errorf("the accidents left %v", seen)
	}
}
