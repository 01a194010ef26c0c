package wal

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestEpochsBegin(t *testing.T) {
	d := newDisk(1)
	l := openLog(t, d, 0)
	want := []Epoch{{"one", 0}}
	begin := func(name string) {
		t.Helper()
		if err := l.BeginEpoch(name); err != nil {
			t.Fatal(err)
		}
		want = append(want, Epoch{name, l.Last()})
		if got := l.Lineage(); !slices.Equal(got, want) {
			t.Errorf("lineage %v, want %v", got, want)
		}
	}
	again := func(segments int) {
		t.Helper()
		closeLog(t, l)
		var r Recovery
		var err error
		if l, r, err = Open(crashDir, Options{FS: d, SegmentSize: smallSegment}); err != nil {
			t.Fatal(err)
		}
		if got := l.Lineage(); !slices.Equal(got, want) || r.Segments != segments {
			t.Errorf("opened again: lineage %v and %d segments, want %v and %d", got, r.Segments, want, segments)
		}
		wantFrom(t, l)
	}
	begin("two") // before the first record
	again(1)
	appendRecords(t, l, 3)
	begin("three")
	again(2)
	begin("four") // at the same place, after a restart
	begin("five")
	again(2)
	appendRecords(t, l, 20)
	begin("six")
	d.powerCut(func() bool { return false })
	_ = l.Close() // of a process that is dead
	l = openLog(t, d, 1)
	again(6)
	closeLog(t, l)
}

// The committed file follows: it names the newest epoch, and marks go on.
func TestMarksAcrossEpochs(t *testing.T) {
	d := newDisk(1)
	l := openLog(t, d, 5)
	if err := errors.Join(l.MarkCommitted(4), l.BeginEpoch("two")); err != nil {
		t.Fatal(err)
	}
	named := func(want commitMark) {
		t.Helper()
		m, err := decodeCommitMark((*[sectorSize]byte)(d.names[crashDir+"/"+committedName].cache))
		if err != nil || m != want {
			t.Errorf("the committed file says %+v, %v, want %+v", m, err, want)
		}
	}
	named(commitMark{"two", 4, 5})
	if err := l.MarkCommitted(5); err != nil {
		t.Fatal(err)
	}
	named(commitMark{"two", 5, 5})
	closeLog(t, l)
	l = openLog(t, d, 0)
	if l.Committed() != 5 {
		t.Errorf("Committed %d, want 5", l.Committed())
	}
	closeLog(t, l)
}

func TestUnusableEpochsAreRefused(t *testing.T) {
	t.Parallel()
	l := openLog(t, newDisk(1), 2)
	if err := l.BeginEpoch("two"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", "a b", "ä", "one", "two", strings.Repeat("x", maxEpochName+1)} {
		if err := l.BeginEpoch(name); !errors.Is(err, ErrEpoch) {
			t.Errorf("epoch %q: %v, want ErrEpoch", name, err)
		}
	}
	appendRecords(t, l, 1)
	for n := len(l.Lineage()); n < maxEpochs; n++ {
		if err := l.BeginEpoch(fmt.Sprintf("epoch-%d", n)); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.BeginEpoch("last-straw"); !errors.Is(err, ErrEpoch) {
		t.Errorf("one epoch too many: %v, want ErrEpoch", err)
	}
	appendRecords(t, l, 1)
	wantFrom(t, l)
	mustSave(t, l, 4)
	wantSnapshots(t, l, 4)
	closeLog(t, l)
}

// After a failure in the middle nothing more is written, and whether the epoch began shows when the log is opened.
func TestAFailedBeginningEndsWriting(t *testing.T) {
	for _, records := range []int{0, 3} {
		for step := 1; ; step++ {
			d := newDisk(1)
			l := openLog(t, d, records)
			d.steps, d.failAt = 0, step
			err := l.BeginEpoch("two")
			if err == nil {
				closeLog(t, l)
				break
			}
			if !errors.Is(err, ErrFailed) || !errors.Is(err, errFault) {
				t.Errorf("step %d: %v, want ErrFailed and its cause", step, err)
			}
			for what, err := range map[string]error{
				"Append":       l.Append(l.Last()+1, Records([]byte("x")), 0),
				"BeginEpoch":   l.BeginEpoch("three"),
				"SaveSnapshot": save(l, 0),
				"Cut":          l.Cut(0),
			} {
				if !errors.Is(err, ErrFailed) {
					t.Errorf("step %d, %s afterwards: %v, want ErrFailed", step, what, err)
				}
			}
			_ = l.Close()
			d.powerCut(d.coin)
			l = openLog(t, d, 0)
			if got := l.Lineage(); len(got) > 2 || len(got) == 2 && got[1] != (Epoch{"two", uint64(records)}) {
				t.Errorf("step %d: lineage %v", step, got)
			}
			wantFrom(t, l)
			closeLog(t, l)
		}
	}
}
