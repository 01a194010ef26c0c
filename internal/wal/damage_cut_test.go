package wal

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"testing"
)

// inspectChanged opens and verifies changed files of cutLog. refused is the error of Open; when that is nil the log
// holds all its records.
func inspectChanged(t *testing.T, what string, files map[string][]byte) (l *File, r Recovery, refused, verdict error) {
	t.Helper()
	verdict = Verify(crashDir, diskOf(files), nil)
	l, r, refused = Open(crashDir, Options{FS: diskOf(files), SegmentSize: smallSegment})
	for _, err := range []error{refused, verdict} {
		if damage := (*DamageError)(nil); err != nil && (!errors.As(err, &damage) || damage.File == "" || damage.Reason == "") {
			t.Fatalf("%s: %v, want damage", what, err)
		}
	}
	if refused != nil {
		return nil, r, refused, verdict
	}
	next := l.First()
	err := l.Read(next-1, func(seqNo uint64, b []byte) error {
		if seqNo != next || string(b) != string(record(seqNo, 100)) {
			return fmt.Errorf("seq_no %d, %.20q at the place of %d", seqNo, b, next)
		}
		next++
		return nil
	})
	if err != nil || next != 41 {
		t.Fatalf("%s: the log opens with records up to %d of 40, %v", what, next-1, err)
	}
	return l, r, nil, verdict
}

// A changed byte of a segment or of the committed file is refused where it was written, of a snapshot found by Verify
// and when it is read.
func TestEveryChangedByteOfACutLogIsFound(t *testing.T) {
	t.Parallel()
	files := cutLog(t, "one")
	segments := segmentNames(files)
	newest := segments[len(segments)-1]
	end := int(endOf(t, files[newest]))
	for name, b := range files {
		seqNo, isSnapshot := numberedName(filepath.Base(name), snapshotSuffix)
		for at := range b {
			if !isSnapshot && at%5 > 0 || isSnapshot && at%stride > 0 {
				continue // each byte has its turn in a log that was not cut, or in a snapshot by itself
			}
			what := fmt.Sprintf("%s, byte %d", name, at)
			changed := maps.Clone(files)
			changed[name] = slices.Clone(b)
			changed[name][at] ^= 1 << (at % 8)
			l, r, refused, verdict := inspectChanged(t, what, changed)
			unwritten := name == newest && at >= end+frameHeaderLen
			if unwritten != (verdict == nil) {
				t.Fatalf("%s: Verify says %v", what, verdict)
			}
			if (refused == nil) != (unwritten || isSnapshot) {
				t.Fatalf("%s: Open says %v", what, refused)
			}
			if refused != nil {
				continue
			}
			if isSnapshot {
				if inHeader := at < sectorSize; inHeader != (len(r.Unreadable) == 1) {
					t.Fatalf("%s: opened with %+v", what, r)
				}
				if err := readWhole(l, seqNo); !errors.Is(err, ErrDamaged) {
					t.Fatalf("%s: the snapshot is read: %v", what, err)
				}
			}
			closeLog(t, l)
		}
	}
}

func TestDamageOfACutLogIsRefused(t *testing.T) {
	clean := cutLog(t, "one")
	foreign := cutLog(t, "two")
	segments := segmentNames(clean)
	mark := filepath.Join(crashDir, committedName)
	last := segments[len(segments)-1]
	old, recent := snapshotPath(crashDir, 20), snapshotPath(crashDir, 31)
	cases := map[string]struct {
		change func(f map[string][]byte)
		file   string // that the error names
	}{
		"both snapshots missing": {func(f map[string][]byte) { delete(f, old); delete(f, recent) }, segmentPath(crashDir, 1)},
		"snapshot for a longer log": {func(f map[string][]byte) {
			f[snapshotPath(crashDir, 41)] = f[recent]
		}, last},
		"snapshot renamed":          {func(f map[string][]byte) { f[snapshotPath(crashDir, 30)] = f[recent] }, snapshotPath(crashDir, 30)},
		"foreign snapshot":          {func(f map[string][]byte) { f[recent] = foreign[recent] }, recent},
		"foreign older snapshot":    {func(f map[string][]byte) { f[old] = foreign[old] }, old},
		"foreign committed file":    {func(f map[string][]byte) { f[mark] = foreign[mark] }, mark},
		"no segment, no committed":  {func(f map[string][]byte) { deleteAll(f, segments); delete(f, mark) }, crashDir},
		"no segment, but committed": {func(f map[string][]byte) { deleteAll(f, segments) }, crashDir},
		"nothing but snapshots":     {func(f map[string][]byte) { deleteAll(f, segments); delete(f, mark); delete(f, old) }, crashDir},
		"all segments of another":   {func(f map[string][]byte) { replaceAll(f, foreign, segments) }, ""},
		"all but the snapshots":     {func(f map[string][]byte) { replaceAll(f, foreign, append(segments, mark)) }, old},
	}
	for i, name := range segments {
		missing, foreigner := cases["snapshot renamed"], cases["snapshot renamed"]
		missing.change, missing.file = func(f map[string][]byte) { delete(f, name) }, name
		if i == 0 {
			missing.file = segments[1] // where the log begins now
		}
		foreigner.change, foreigner.file = func(f map[string][]byte) { f[name] = foreign[name] }, ""
		cases[fmt.Sprintf("segment %d missing", i)] = missing
		cases[fmt.Sprintf("segment %d foreign", i)] = foreigner
	}
	for name, c := range cases {
		files := map[string][]byte{}
		for name, b := range clean {
			files[name] = slices.Clone(b)
		}
		c.change(files)
		_, _, err := Open(crashDir, Options{FS: diskOf(files), SegmentSize: smallSegment})
		damage := (*DamageError)(nil)
		if !errors.As(err, &damage) {
			t.Errorf("%s: %v, want damage", name, err)
			continue
		}
		if c.file != "" && damage.File != c.file {
			t.Errorf("%s: the error names %s, want %s: %v", name, damage.File, c.file, err)
		}
		if err := Verify(crashDir, diskOf(files), nil); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: Verify says %v", name, err)
		}
	}
}

// Snapshots are more than a log needs, one of them is enough, and with it the records that it holds may be missing.
func TestWhatALogCanDoWithout(t *testing.T) {
	clean := cutLog(t, "one")
	old, recent := snapshotPath(crashDir, 20), snapshotPath(crashDir, 31)
	for name, missing := range map[string][]string{
		"newer snapshot":             {recent},
		"older snapshot":             {old},
		"older snapshot and segment": {old, segmentNames(clean)[0]},
	} {
		files := maps.Clone(clean)
		deleteAll(files, missing)
		l, _, refused, verdict := inspectChanged(t, name+" missing", files)
		if refused != nil || verdict != nil {
			t.Errorf("%s missing: %v, %v", name, refused, verdict)
			continue
		}
		closeLog(t, l)
	}
}

func deleteAll(files map[string][]byte, names []string) {
	for _, name := range names {
		delete(files, name)
	}
}

func replaceAll(files, by map[string][]byte, names []string) {
	for _, name := range names {
		files[name] = by[name]
	}
}
