package wal

import (
	"bytes"
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"testing"
)

// A mark that does not belong there, or is damaged, ends no look at the log, and nothing takes what it holds for what may
// go.
func TestMisplacedMarks(t *testing.T) {
	clean, want := smallLog(t, "one", true)
	restoring, replacing := filepath.Join(crashDir, restoringName), filepath.Join(crashDir, replacingName)
	committed := clean[filepath.Join(crashDir, committedName)]
	for name, c := range map[string]struct {
		mark    string
		content []byte
		file    string // that the error names
	}{
		"mark of a restore":             {restoring, nil, restoring},
		"empty mark of a replacement":   {replacing, nil, replacing},
		"damaged mark of a replacement": {replacing, append([]byte{1}, committed[1:]...), replacing},
		"mark of no replacement at all": {replacing, committed, segmentPath(crashDir, uint64(len(want)+1))},
	} {
		files := maps.Clone(clean)
		files[c.mark] = c.content
		d := diskOf(files)
		before := d.image()
		damage := (*DamageError)(nil)
		if _, _, err := Open(crashDir, Options{FS: d, SegmentSize: smallSegment}); !errors.As(err, &damage) || damage.File != c.file {
			t.Errorf("%s: Open: %v, want damage of %s", name, err, c.file)
		}
		checked := 0
		if err := Verify(crashDir, d, func(Checked) { checked++ }); !errors.Is(err, ErrDamaged) || checked < len(clean) {
			t.Errorf("%s: Verify: %v, of %d files, want damage and all of them looked at", name, err, checked)
		}
		var got []string
		_, err := Dump(crashDir, d, 0, func(_ uint64, record []byte) error { got = append(got, string(record)); return nil })
		if !errors.As(err, &damage) || damage.File != c.file || !slices.Equal(got, want) {
			t.Errorf("%s: Dump yields %d of %d records, %v", name, len(got), len(want), err)
		}
		if _, err := Restore(crashDir, Options{FS: d, NewEpoch: newEpoch}, bytes.NewReader(backup(t)), takeAll); !errors.Is(err, ErrNotEmpty) || errors.Is(err, ErrDamaged) {
			t.Errorf("%s: Restore: %v, want ErrNotEmpty", name, err)
		}
		if !maps.EqualFunc(before, d.image(), bytes.Equal) {
			t.Errorf("%s: files were changed", name)
		}
		delete(d.names, c.mark)
		if _, got, err := reopen(t, d.image()); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: without it the log opens with %d records, %v", name, len(got), err)
		}
	}
}
