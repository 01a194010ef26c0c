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
	"strings"
	"testing"
)

// cutLog is the files of a log with two snapshots, of 20 and 31, that was cut to what follows the first of them, and
// that has had two epochs. Its records are those of appendRecords, 40 of them.
func cutLog(t testing.TB, epoch string) map[string][]byte {
	t.Helper()
	d := newDisk(1)
	l, _, err := Open(crashDir, Options{FS: d, SegmentSize: smallSegment, NewEpoch: func() string { return epoch }})
	if err != nil {
		t.Fatal(err)
	}
	add := func(until uint64) {
		for n := l.Last() + 1; n <= until; n++ {
			err = errors.Join(err, l.Append(n, Records(record(n, 100)), n))
		}
	}
	add(20)
	err = errors.Join(err, save(l, 20), l.BeginEpoch(epoch+"-2"))
	add(31)
	err = errors.Join(err, save(l, 31))
	add(40)
	if err := errors.Join(err, l.MarkCommitted(40), l.Cut(25), l.Close()); err != nil {
		t.Fatal(err)
	}
	return d.image()
}

// checkedFiles verifies files and returns what was reported of each, progress apart, by name.
func checkedFiles(t *testing.T, d FS) (map[string]Checked, error) {
	t.Helper()
	files := map[string]Checked{}
	err := Verify(crashDir, d, func(c Checked) {
		if !c.Done {
			return
		}
		name := filepath.Base(c.Path)
		if c.Kind == WholeLog {
			name += " in its place"
		}
		if _, twice := files[name]; twice {
			t.Errorf("%s is reported twice", name)
		}
		files[name] = c
	})
	damages := 0
	for _, c := range files {
		if c.Damage != nil {
			damages++
		}
	}
	if (damages > 0) != errors.Is(err, ErrDamaged) {
		t.Errorf("%d faults were reported, Verify returns %v", damages, err)
	}
	return files, err
}

func TestVerifySaysWhatIsThere(t *testing.T) {
	d := diskOf(cutLog(t, "one"))
	before := d.image()
	files, err := checkedFiles(t, d)
	if err != nil {
		t.Fatal(err)
	}
	next := uint64(0)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		c := files[name]
		size := int64(len(before[filepath.Join(crashDir, name)]))
		if c.Bytes != size || c.Size != size || c.Torn != nil || c.Damage != nil {
			t.Errorf("%s of %d bytes: %+v", name, size, c)
		}
		switch c.Kind {
		case SegmentFile:
			if next > 0 && c.First != next || c.Records != c.Last-c.First+1 {
				t.Errorf("%s: %+v, want it to begin with %d", name, c, next)
			}
			next = c.Last + 1
		case SnapshotFile:
			if c.First != 0 || c.Records != c.Last {
				t.Errorf("%s: %+v", name, c)
			}
		case CommittedFile:
			if c.Last != 40 {
				t.Errorf("%s: %+v, want 40", name, c)
			}
		default:
			t.Errorf("%s: %+v", name, c)
		}
	}
	if next != 41 || len(files) != len(before) {
		t.Errorf("%d of %d files, records up to %d of 40: %v", len(files), len(before), next-1, slices.Sorted(maps.Keys(files)))
	}
	if !maps.EqualFunc(before, d.image(), bytes.Equal) {
		t.Error("Verify changed files")
	}
}

// One fault hides no other that can be told.
func TestVerifyGoesOn(t *testing.T) {
	files := cutLog(t, "one")
	segments := segmentNames(files)
	if len(segments) < 4 {
		t.Fatalf("segments %q", segments)
	}
	files[segments[0]][sectorSize+200] ^= 1
	files[segments[1]][30] ^= 1
	delete(files, segments[2])
	files[snapshotPath(crashDir, 20)][20] ^= 1
	files[snapshotPath(crashDir, 31)] = append(files[snapshotPath(crashDir, 31)], 0)
	files[filepath.Join(crashDir, committedName)][16] ^= 1
	found, err := checkedFiles(t, diskOf(files))
	if err == nil {
		t.Fatal("no damage is found")
	}
	for _, name := range []string{segments[0], segments[1], snapshotPath(crashDir, 20), snapshotPath(crashDir, 31), committedName} {
		name = filepath.Base(name)
		if c := found[name]; c.Damage == nil || filepath.Base(c.Damage.File) != name || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %+v", name, c)
		}
	}
	if c := found[filepath.Base(segments[0])]; c.Records == 0 || c.Last != c.First+c.Records-1 || c.Bytes != c.Damage.Offset {
		t.Errorf("before the damage of %s: %+v", segments[0], c)
	}
	if c := found[filepath.Base(segments[3])]; c.Damage != nil || c.Records == 0 {
		t.Errorf("a sound segment between others: %+v", c)
	}
}

func TestVerifyAndTornEnds(t *testing.T) {
	files := cutLog(t, "one")
	segments := segmentNames(files)
	newest := segments[len(segments)-1]
	end := endOf(t, files[newest])
	copy(files[newest][end+frameHeaderLen:], "the rest of a write")
	found, err := checkedFiles(t, diskOf(files))
	if c := found[filepath.Base(newest)]; err != nil || c.Torn == nil || c.Torn.Offset != end || c.Torn.SeqNo != 41 || c.Last != 40 {
		t.Errorf("%+v, %v, want a torn end at %d", c, err, end)
	}
	r, got, err := dumped(diskOf(files), 0)
	if err != nil || r.Torn == nil || r.Last != 40 || got[len(got)-1] != string(record(40, 100)) {
		t.Errorf("dump: %+v with %d records, %v", r, len(got), err)
	}
}

func TestVerifyLooksIntoSnapshots(t *testing.T) {
	d := diskOf(cutLog(t, "one"))
	refusal := errors.New("31 rows, but the header says 30")
	seen := map[uint64]string{}
	err := VerifyRows(crashDir, d, nil, func(s Snapshot, r io.Reader) error {
		rows, err := io.ReadAll(r)
		if seen[s.SeqNo] = string(rows); s.SeqNo == 31 {
			return refusal
		}
		return err
	})
	damage := (*DamageError)(nil)
	if !errors.As(err, &damage) || damage.File != snapshotPath(crashDir, 31) || damage.SeqNo != 31 || damage.Reason != refusal.Error() {
		t.Errorf("VerifyRows: %v, want the refusal as damage", err)
	}
	if len(seen) != 2 || seen[20] != string(stateAt(20)) || seen[31] != string(stateAt(31)) {
		t.Errorf("rows was called with %v", slices.Collect(maps.Keys(seen)))
	}
}

// A long file tells how far it is; so does opening.
func TestProgress(t *testing.T) {
	t.Parallel()
	d := newDisk(1)
	l, _, err := Open(crashDir, Options{FS: d})
	if err != nil {
		t.Fatal(err)
	}
	for n := range uint64(9) {
		if err := l.Append(n+1, Records(record(n+1, 1<<20)), 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.SaveSnapshot(Snapshot{SeqNo: 9}, writeInPieces(noise(progressEvery+pace))); err != nil {
		t.Fatal(err)
	}
	closeLog(t, l)
	steps, at := map[FileKind]int{}, int64(0)
	err = Verify(crashDir, d, func(c Checked) {
		if c.Done {
			at = 0
			return
		}
		if c.Bytes <= at || c.Bytes > c.Size {
			t.Errorf("%d of %d bytes after %d: %+v", c.Bytes, c.Size, at, c)
		}
		at = c.Bytes
		steps[c.Kind]++
	})
	if err != nil || steps[SegmentFile] < 1 || steps[SnapshotFile] < 1 {
		t.Errorf("%v steps were told, %v", steps, err)
	}
	opening, last, all := 0, int64(0), int64(-1)
	l, _, err = Open(crashDir, Options{FS: d, Progress: func(done, total int64) {
		if done < last || done > total || all >= 0 && total != all {
			t.Errorf("%d of %d bytes after %d of %d", done, total, last, all)
		}
		opening, last, all = opening+1, done, total
	}})
	if err != nil || opening < 2 || last != all || all < 9<<20 {
		t.Errorf("%d steps were told, up to %d of %d bytes, %v", opening, last, all, err)
	}
	closeLog(t, l)
}

func TestNothingToVerify(t *testing.T) {
	dir := t.TempDir()
	if err := Verify(filepath.Join(dir, "none"), nil, nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
	if err := Verify(dir, nil, nil); !errors.Is(err, ErrNoLog) {
		t.Errorf("an empty folder: %v, want ErrNoLog", err)
	}
	if _, err := Dump(dir, nil, 0, nil); !errors.Is(err, ErrNoLog) {
		t.Errorf("dump of an empty folder: %v, want ErrNoLog", err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("the folder now holds %v, %v", entries, err)
	}
	l, _, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := Verify(dir, nil, nil); !errors.Is(err, ErrLocked) {
		t.Errorf("an open log: %v, want ErrLocked", err)
	}
	if _, err := Dump(dir, nil, 0, nil); !errors.Is(err, ErrLocked) {
		t.Errorf("dump of an open log: %v, want ErrLocked", err)
	}
	closeLog(t, l)
	if err := Verify(dir, nil, nil); err != nil {
		t.Errorf("a stopped log: %v", err)
	}
	if l, _, err = Open(dir, Options{}); err != nil {
		t.Fatalf("opened after Verify: %v", err)
	}
	closeLog(t, l)
}

// What cannot be read now is no damage, and nothing stays open or locked.
func TestFailedVerifyAndDump(t *testing.T) {
	files := cutLog(t, "one")
	files[filepath.Join(crashDir, lockName)] = nil
	for what, run := range map[string]func(FS) error{
		"Verify": func(d FS) error { return Verify(crashDir, d, nil) },
		"Dump":   func(d FS) error { _, _, err := dumped(d, 0); return err },
	} {
		for call := 1; ; call++ {
			d := &countingFS{FS: diskOf(files), failAt: call}
			err := run(d)
			if d.isOpen() != 0 {
				t.Errorf("%s, call %d: %d files are open", what, call, d.isOpen())
			}
			if err == nil {
				if call < 20 {
					t.Errorf("%s: only %d calls were seen", what, call)
				}
				break
			}
			if !errors.Is(err, errFault) || errors.Is(err, ErrDamaged) {
				t.Errorf("%s, call %d: %v, want the fault alone", what, call, err)
			}
		}
	}
}

// dumped dumps a log.
func dumped(d FS, after uint64) (Recovery, []string, error) {
	var got []string
	first := uint64(0)
	r, err := Dump(crashDir, d, after, func(seqNo uint64, record []byte) error {
		if got = append(got, string(record)); len(got) == 1 {
			first = seqNo
		}
		if seqNo != first+uint64(len(got))-1 {
			return fmt.Errorf("seq_no %d at place %d after %d", seqNo, len(got), first)
		}
		return nil
	})
	return r, got, err
}

func TestDump(t *testing.T) {
	files := cutLog(t, "one")
	d := diskOf(files)
	for after := range uint64(42) {
		r, got, err := dumped(d, after)
		from := max(after+1, r.First)
		if err != nil || r.Last != 40 || r.First == 1 || r.First > 21 || r.Snapshots != 2 {
			t.Fatalf("after %d: %+v, %v", after, r, err)
		}
		if want := 41 - min(from, 41); uint64(len(got)) != want || want > 0 && got[0] != string(record(from, 100)) {
			t.Errorf("after %d of a log that begins with %d: %d records, want %d", after, r.First, len(got), want)
		}
	}
	if !maps.EqualFunc(files, d.image(), bytes.Equal) {
		t.Error("Dump changed files")
	}
	stop := errors.New("enough")
	if _, err := Dump(crashDir, d, 0, func(uint64, []byte) error { return stop }); err != stop {
		t.Errorf("Dump returned %v, want yield's own error", err)
	}
}

// A damaged log gives all that comes before the damage.
func TestDumpOfADamagedLog(t *testing.T) {
	clean := cutLog(t, "one")
	foreign := cutLog(t, "two")
	segments := segmentNames(clean)
	first, _ := numberedName(filepath.Base(segments[0]), segmentSuffix)
	second, _ := numberedName(filepath.Base(segments[1]), segmentSuffix)
	third, _ := numberedName(filepath.Base(segments[2]), segmentSuffix)
	for name, c := range map[string]struct {
		change func(files map[string][]byte)
		next   uint64 // the first record that is not given
	}{
		"first record":      {func(f map[string][]byte) { f[segments[0]][sectorSize+40] ^= 1 }, first},
		"third record":      {func(f map[string][]byte) { f[segments[1]][sectorSize+2*160+40] ^= 1 }, second + 2},
		"header":            {func(f map[string][]byte) { f[segments[1]][20] ^= 1 }, second},
		"missing segment":   {func(f map[string][]byte) { delete(f, segments[1]) }, second},
		"foreign segment":   {func(f map[string][]byte) { f[segments[2]] = foreign[segments[2]] }, third},
		"seal":              {func(f map[string][]byte) { clearSeal(t, f[segments[1]]) }, third},
		"committed file":    {func(f map[string][]byte) { f[filepath.Join(crashDir, committedName)][3] ^= 1 }, 41},
		"no committed file": {func(f map[string][]byte) { delete(f, filepath.Join(crashDir, committedName)) }, 41},
		"snapshot too new":  {func(f map[string][]byte) { f[snapshotPath(crashDir, 50)] = f[snapshotPath(crashDir, 31)] }, 41},
		"last segment":      {func(f map[string][]byte) { delete(f, segments[len(segments)-1]) }, 0},
		"beginning": {func(f map[string][]byte) {
			delete(f, snapshotPath(crashDir, 20))
			delete(f, snapshotPath(crashDir, 31))
		}, 1},
		"all of the records": {func(f map[string][]byte) {
			maps.DeleteFunc(f, func(name string, _ []byte) bool { return slices.Contains(segments, name) })
		}, 1},
	} {
		files := map[string][]byte{}
		for name, b := range clean {
			files[name] = slices.Clone(b)
		}
		c.change(files)
		if c.next == 0 {
			c.next, _ = numberedName(filepath.Base(segments[len(segments)-1]), segmentSuffix)
		}
		_, got, err := dumped(diskOf(files), 0)
		if damage := (*DamageError)(nil); !errors.As(err, &damage) {
			t.Errorf("%s: %v, want damage", name, err)
		}
		if want := c.next - min(first, c.next); uint64(len(got)) != want {
			t.Errorf("%s: %d records, want those from %d up to %d", name, len(got), first, c.next-1)
		}
	}
}
