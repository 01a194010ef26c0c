package wal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// replacements of the log of toReplace, by where they leave it. Some take names that old files have.
var replacements = map[string]Snapshot{
	"before everything":                 {SeqNo: 0, Lineage: []Epoch{{"other", 0}}},
	"at the first snapshot, shared":     {SeqNo: 20, Lineage: []Epoch{{"one", 0}}},
	"between, unrelated":                {SeqNo: 33, Lineage: []Epoch{{"other", 0}, {"another", 30}}},
	"at the end, gone on":               {SeqNo: 40, Lineage: []Epoch{{"one", 0}, {"two", 20}, {"three", 40}, {"four", 40}}},
	"beyond the end, gone on elsewhere": {SeqNo: 90, Lineage: []Epoch{{"one", 0}, {"two", 20}, {"other", 35}}},
}

// toReplace is the files of a log of 40 records, all of them committed, in many segments, with snapshots of 20, 31 and
// 40. Epochs begin behind 20 and behind 40, so that segments begin with 1, 21 and 41.
func toReplace(t testing.TB) map[string][]byte {
	t.Helper()
	d := newDisk(1)
	l, _, err := Open(crashDir, Options{FS: d, SegmentSize: smallSegment, NewEpoch: func() string { return "one" }})
	if err != nil {
		t.Fatal(err)
	}
	for n := uint64(1); n <= 40; n++ {
		err = errors.Join(err, l.Append(n, Records(record(n, 100)), n))
		switch n {
		case 20:
			err = errors.Join(err, save(l, n), l.BeginEpoch("two"))
		case 31:
			err = errors.Join(err, save(l, n))
		case 40:
			err = errors.Join(err, save(l, n), l.BeginEpoch("three"))
		}
	}
	if err := errors.Join(err, l.Close()); err != nil {
		t.Fatal(err)
	}
	return d.image()
}

// replace replaces a log by a snapshot whose rows nobody else writes.
func replace(l Log, s Snapshot) error {
	s.Rows, s.Digest = 1000+s.SeqNo, 77
	return l.Replace(s, writeInPieces(bytes.Repeat([]byte("a row of the other log\n"), 30)))
}

// described is all that can be told of a log from outside, and that it can be read.
func described(t testing.TB, l Log) string {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "First %d, Last %d, Committed %d, lineage %v\n", l.First(), l.Last(), l.Committed(), l.Lineage())
	for _, seqNo := range l.Snapshots() {
		err := l.ReadSnapshot(seqNo, func(s Snapshot, r io.Reader) error {
			rows, err := io.ReadAll(r)
			fmt.Fprintf(&b, "snapshot %d: %+v with %q\n", seqNo, s, bytes.TrimRight(rows, "\n"))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	err := l.Read(l.First()-1, func(seqNo uint64, record []byte) error {
		fmt.Fprintf(&b, "%d: %s\n", seqNo, record)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// wantReplaced checks a log that was just replaced.
func wantReplaced(t *testing.T, what string, l Log, s Snapshot) {
	t.Helper()
	if l.First() != s.SeqNo+1 || l.Last() != s.SeqNo || l.Committed() != s.SeqNo ||
		!slices.Equal(l.Lineage(), s.Lineage) || !slices.Equal(l.Snapshots(), []uint64{s.SeqNo}) {
		t.Errorf("%s: First %d, Last %d, Committed %d, lineage %v, snapshots of %v, want those of %+v",
			what, l.First(), l.Last(), l.Committed(), l.Lineage(), l.Snapshots(), s)
	}
	err := l.ReadSnapshot(s.SeqNo, func(got Snapshot, r io.Reader) error {
		rows, err := io.ReadAll(r)
		if got.SeqNo != s.SeqNo || got.Rows != 1000+s.SeqNo || got.Digest != 77 || !slices.Equal(got.Lineage, s.Lineage) ||
			!bytes.HasPrefix(rows, []byte("a row of the other log\n")) {
			return fmt.Errorf("it is %+v with %.40q", got, rows)
		}
		return err
	})
	if err != nil {
		t.Errorf("%s: the snapshot of %d: %v", what, s.SeqNo, err)
	}
}

func TestReplace(t *testing.T) {
	files := toReplace(t)
	for name, s := range replacements {
		t.Run(name, func(t *testing.T) {
			d := diskOf(files)
			l := openLog(t, d, 0)
			lineage := s.Lineage
			s.Lineage = slices.Clone(lineage)
			if err := replace(l, s); err != nil {
				t.Fatal(err)
			}
			wantReplaced(t, "at once", l, s)
			s.Lineage[0].Name = "changed by the caller"
			s.Lineage = lineage
			wantReplaced(t, "at once", l, s)
			segment, snapshot := segmentPath(crashDir, s.SeqNo+1), snapshotPath(crashDir, s.SeqNo)
			want := []string{segment, snapshot, filepath.Join(crashDir, committedName)}
			slices.Sort(want)
			if got := slices.Sorted(maps.Keys(d.names)); !slices.Equal(got, want) {
				t.Errorf("there are %q, want %q", got, want)
			}

			again := func(what string) {
				t.Helper()
				closeLog(t, l)
				d.powerCut(func() bool { return false })
				if err := Verify(crashDir, d, nil); err != nil {
					t.Errorf("%s: %v", what, err)
				}
				l = openLog(t, d, 0)
			}
			again("replaced")
			wantReplaced(t, "opened again", l, s)
			if err := l.Append(s.SeqNo+2, Records([]byte("x")), 0); !errors.Is(err, ErrOrder) {
				t.Errorf("a number left out: %v, want ErrOrder", err)
			}
			appendRecords(t, l, 25)
			if err := l.BeginEpoch("later"); err != nil {
				t.Fatal(err)
			}
			mustSave(t, l, l.Last()-5, l.Last())
			if err := errors.Join(l.MarkCommitted(l.Last()), l.Cut(l.Last())); err != nil {
				t.Fatal(err)
			}
			again("gone on")
			wantFrom(t, l)
			if want := append(slices.Clone(lineage), Epoch{"later", s.SeqNo + 25}); !slices.Equal(l.Lineage(), want) || l.Committed() != l.Last() {
				t.Errorf("gone on: lineage %v, Committed %d of %d, want %v", l.Lineage(), l.Committed(), l.Last(), want)
			}
			for name, s := range replacements { // once and again
				if err := replace(l, s); err != nil {
					t.Fatal(err)
				}
				wantReplaced(t, "then "+name, l, s)
			}
			closeLog(t, l)
		})
	}
}

// An epoch may begin right behind the snapshot, in the segment that Replace made.
func TestEpochsBeginAfterReplace(t *testing.T) {
	d := diskOf(toReplace(t))
	l := openLog(t, d, 0)
	s := replacements["between, unrelated"]
	if err := errors.Join(replace(l, s), l.BeginEpoch("here")); err != nil {
		t.Fatal(err)
	}
	s.Lineage = append(slices.Clone(s.Lineage), Epoch{"here", 33})
	if got := l.Lineage(); !slices.Equal(got, s.Lineage) {
		t.Errorf("lineage %v, want %v", got, s.Lineage)
	}
	want := described(t, l)
	closeLog(t, l)
	d.powerCut(func() bool { return false })
	l = openLog(t, d, 0)
	if got := described(t, l); got != want {
		t.Errorf("opened again:\n%s, want\n%s", got, want)
	}
	closeLog(t, l)
}

// What cannot be done is refused, and the log is as it was.
func TestReplaceRefusesAndChangesNothing(t *testing.T) {
	d := diskOf(toReplace(t))
	l := openLog(t, d, 0)
	refusal := errors.New("no rows today")
	never := func(io.Writer) error { t.Error("rows was called"); return nil }
	before, names := described(t, l), slices.Sorted(maps.Keys(d.names))
	many := make([]Epoch, maxEpochs+1)
	for i := range many {
		many[i].Name = fmt.Sprintf("epoch-%d", i)
	}
	for name, c := range map[string]struct {
		s    Snapshot
		rows func(io.Writer) error
		want error
	}{
		"no lineage":       {Snapshot{SeqNo: 5}, never, ErrEpoch},
		"unusable name":    {Snapshot{SeqNo: 5, Lineage: []Epoch{{"", 0}}}, never, ErrEpoch},
		"an epoch twice":   {Snapshot{SeqNo: 5, Lineage: []Epoch{{"one", 0}, {"one", 3}}}, never, ErrEpoch},
		"an epoch to come": {Snapshot{SeqNo: 5, Lineage: []Epoch{{"one", 0}, {"two", 6}}}, never, ErrEpoch},
		"too many epochs":  {Snapshot{SeqNo: 5, Lineage: many}, never, ErrEpoch},
		"beyond the last":  {Snapshot{SeqNo: maxSeqNo + 1, Lineage: many[:1]}, never, ErrOrder},
		"rows that fail": {Snapshot{SeqNo: 20, Lineage: many[:1]}, func(w io.Writer) error {
			_, _ = w.Write(noise(1 << 20))
			return refusal
		}, refusal},
	} {
		if err := l.Replace(c.s, c.rows); !errors.Is(err, c.want) || c.want == refusal && err != refusal {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if got := slices.Sorted(maps.Keys(d.names)); !slices.Equal(got, names) {
			t.Errorf("%s: there are %q, before %q", name, got, names)
		}
		if got := described(t, l); got != before {
			t.Errorf("%s: the log was\n%s, and is\n%s", name, before, got)
		}
	}
	appendRecords(t, l, 1)
	closeLog(t, l)
	if err := l.Replace(replacements["between, unrelated"], never); !errors.Is(err, ErrClosed) {
		t.Errorf("Replace after Close: %v, want ErrClosed", err)
	}
}

// Until all that is to come is there, a failure costs nothing; and nothing stays open, whatever fails.
func TestAFailedReplaceLeavesTheLog(t *testing.T) {
	files := toReplace(t)
	s := replacements["at the first snapshot, shared"]
	goneOn, ended := 0, 0
	for step := 1; ; step++ {
		d := diskOf(files)
		counting := &countingFS{FS: d}
		l := openLog(t, counting, 0)
		before, names := described(t, l), len(d.names)
		d.steps, d.failAt = 0, step
		err := replace(l, s)
		switch {
		case err == nil:
			if goneOn < 8 || ended < 8 {
				t.Errorf("%d failures left the log, %d ended it", goneOn, ended)
			}
			closeLog(t, l)
			return
		case !errors.Is(err, errFault):
			t.Fatalf("step %d: %v", step, err)
		case errors.Is(err, ErrFailed):
			ended++
			for what, err := range map[string]error{"Append": l.Append(l.Last()+1, Records([]byte("x")), 0), "Replace": replace(l, s)} {
				if !errors.Is(err, ErrFailed) {
					t.Errorf("step %d: %s afterwards: %v, want ErrFailed", step, what, err)
				}
			}
		default:
			goneOn++
			if got := described(t, l); got != before || len(d.names) != names {
				t.Errorf("step %d: %d files, before %d, and the log was\n%s, and is\n%s", step, len(d.names), names, before, got)
			}
			appendRecords(t, l, 1)
			if err := replace(l, s); err != nil {
				t.Errorf("step %d: once more: %v", step, err)
			}
			wantReplaced(t, fmt.Sprintf("step %d, once more", step), l, s)
		}
		if err := l.Close(); err != nil || counting.isOpen() != 0 {
			t.Errorf("step %d: Close: %v, and %d files are still open", step, err, counting.isOpen())
		}
	}
}

// Opening and looking fail too.
func TestAReplaceThatCannotOpenLeavesTheLog(t *testing.T) {
	files := toReplace(t)
	s := replacements["between, unrelated"]
	for call := 1; ; call++ {
		d := &countingFS{FS: diskOf(files)}
		l := openLog(t, d, 0)
		before, idle := described(t, l), d.isOpen()
		d.calls, d.failAt = 0, call
		err := replace(l, s)
		d.failAt = 0
		if err == nil {
			if call < 5 {
				t.Errorf("only %d calls were seen", call)
			}
			closeLog(t, l)
			return
		}
		if !errors.Is(err, errFault) {
			t.Fatalf("call %d: %v", call, err)
		}
		if d.isOpen() != idle {
			t.Errorf("call %d: %d files are open, before %d", call, d.isOpen(), idle)
		}
		if !errors.Is(err, ErrFailed) && described(t, l) != before {
			t.Errorf("call %d: the log has changed", call)
		}
		closeLog(t, l)
		if l = openLog(t, d, 0); errors.Is(err, ErrFailed) {
			wantReplaced(t, fmt.Sprintf("call %d, opened again", call), l, s)
		} else if described(t, l) != before {
			t.Errorf("call %d, opened again: the log has changed", call)
		}
		closeLog(t, l)
	}
}

// A file that was to go before may have the name of one that came.
func TestWhatWasToGoIsForgotten(t *testing.T) {
	d := diskOf(toReplace(t))
	l := openLog(t, d, 0)
	d.steps, d.failAt = 0, 1
	if err := l.Cut(35); !errors.Is(err, errFault) { // the snapshot of 20 goes, but its file stays
		t.Fatal(err)
	}
	s := replacements["at the first snapshot, shared"]
	if err := errors.Join(replace(l, s), l.Cut(20)); err != nil {
		t.Fatal(err)
	}
	wantReplaced(t, "cut", l, s)
	closeLog(t, l)
}
