package wal

import (
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"testing"
)

func TestWhatStaysOfSnapshots(t *testing.T) {
	for name, c := range map[string]struct {
		stored  []uint64
		damaged []uint64
		window  uint64
		stay    []uint64
		upTo    uint64 // records may go up to here
	}{
		"none":                                {nil, nil, 9, nil, 0},
		"one":                                 {[]uint64{5}, nil, 9, []uint64{5}, 5},
		"one after the window":                {[]uint64{5}, nil, 4, []uint64{5}, 0},
		"the window's own":                    {[]uint64{5}, nil, 5, []uint64{5}, 5},
		"two":                                 {[]uint64{5, 8}, nil, 9, []uint64{5, 8}, 5},
		"three before the window":             {[]uint64{2, 5, 8}, nil, 9, []uint64{5, 8}, 5},
		"one for the window":                  {[]uint64{2, 5, 8, 9}, nil, 6, []uint64{5, 8, 9}, 5},
		"the next one for the window":         {[]uint64{2, 3, 6, 7, 8, 9}, nil, 4, []uint64{3, 6, 8, 9}, 3},
		"none for the window yet":             {[]uint64{4, 5, 6, 7}, nil, 3, []uint64{4, 6, 7}, 0},
		"window before the first record":      {[]uint64{4, 5, 6}, nil, 0, []uint64{4, 5, 6}, 0},
		"snapshot before the first record":    {[]uint64{0, 4, 5, 6}, nil, 0, []uint64{0, 4, 5, 6}, 0},
		"window beyond all":                   {[]uint64{4, 5, 6}, nil, math.MaxUint64, []uint64{5, 6}, 5},
		"newest damaged":                      {[]uint64{2, 5, 8}, []uint64{8}, 9, []uint64{2, 5}, 2},
		"the window's damaged":                {[]uint64{2, 5, 8, 9}, []uint64{5}, 6, []uint64{2, 8, 9}, 2},
		"all damaged":                         {[]uint64{2, 5}, []uint64{2, 5}, 9, []uint64{2, 5}, 0},
		"all for the window damaged":          {[]uint64{2, 5}, []uint64{2}, 3, []uint64{5}, 0},
		"all but the one for the window gone": {[]uint64{2, 5, 6}, []uint64{5, 6}, 9, []uint64{2}, 2},
	} {
		var snapshots []stored
		for _, seqNo := range c.stored {
			snapshots = append(snapshots, stored{seqNo, slices.Contains(c.damaged, seqNo)})
		}
		stay, upTo := retain(snapshots, c.window)
		var got []uint64
		for _, s := range stay {
			got = append(got, s.seqNo)
		}
		if !slices.Equal(got, c.stay) || upTo != c.upTo {
			t.Errorf("%s: %v stay and records go up to %d, want %v and %d", name, got, upTo, c.stay, c.upTo)
		}
	}
}

// However often snapshots come in proportion to the window, there is one at or before it in the end, few stay, and the
// log does not grow for ever.
func TestTheLogIsCutHoweverSnapshotsFall(t *testing.T) {
	const window = 1000
	for _, every := range []uint64{1, 7, 100, 300, 500, 999, 1000, 1001, 5000} {
		var snapshots []stored
		for seqNo := every; seqNo < 100*max(every, window); seqNo += every {
			snapshots = append(snapshots, stored{seqNo: seqNo})
			from := uint64(0)
			if seqNo > window {
				from = seqNo - window
			}
			stay, upTo := retain(snapshots, from)
			snapshots = stay
			if len(stay) > 4 || upTo > from {
				t.Fatalf("every %d, at %d: %d snapshots stay, cut up to %d with a window from %d on", every, seqNo, len(stay), upTo, from)
			}
			if held := seqNo - upTo; seqNo > 3*max(every, window) && held > 2*window+2*every {
				t.Fatalf("every %d, at %d: %d records are still held", every, seqNo, held)
			}
		}
	}
}

func TestCut(t *testing.T) {
	d := newDisk(1)
	l := openLog(t, d, 60)
	if err := l.Cut(60); err != nil || l.First() != 1 {
		t.Fatalf("cut without a snapshot: %v, the log begins with %d", err, l.First())
	}
	mustSave(t, l, 15, 25, 35, 45)
	if err := l.Cut(10); err != nil || l.First() != 1 {
		t.Fatalf("cut with a window before all snapshots: %v, the log begins with %d", err, l.First())
	}
	wantSnapshots(t, l, 45, 35, 15)
	if err := l.Cut(30); err != nil {
		t.Fatal(err)
	}
	wantSnapshots(t, l, 45, 35, 15)
	first := l.First()
	if first == 1 || first > 16 {
		t.Errorf("the log begins with %d, want it cut, but not beyond 16", first)
	}
	names := len(d.names)
	if err := l.Cut(30); err != nil || l.First() != first || len(d.names) != names {
		t.Errorf("cut again: %v, the log begins with %d", err, l.First())
	}
	if err := l.Cut(40); err != nil {
		t.Fatal(err)
	}
	wantSnapshots(t, l, 45, 35)
	if first := l.First(); first <= 16 || first > 36 {
		t.Errorf("the log begins with %d", first)
	}
	before := l.Size()
	appendRecords(t, l, 5)
	mustSave(t, l, 65)
	if err := l.Cut(65); err != nil || l.Size() >= before {
		t.Errorf("cut: %v, the records take %d bytes, before %d", err, l.Size(), before)
	}
	wantFrom(t, l)
	first = l.First()
	closeLog(t, l)

	d.powerCut(func() bool { return false })
	l, r, err := Open(crashDir, Options{FS: d, SegmentSize: smallSegment})
	if err != nil {
		t.Fatal(err)
	}
	if r.First != first || r.Last != 65 || r.Snapshots != 2 || l.First() != first {
		t.Errorf("opened again: %+v, want the log from %d on", r, first)
	}
	wantFrom(t, l)
	wantSnapshots(t, l, 65, 45)
	appendRecords(t, l, 15)
	wantFrom(t, l)
	closeLog(t, l)
	for name, err := range map[string]error{"Cut": l.Cut(65), "SaveSnapshot": save(l, 70), "BeginEpoch": l.BeginEpoch("two")} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%s after Close: %v", name, err)
		}
	}
}

// wantFrom reads a log of appendRecords from each of its places and from before its beginning.
func wantFrom(t *testing.T, l Log) {
	t.Helper()
	for after := range l.Last() + 2 {
		next := after + 1
		err := l.Read(after, func(seqNo uint64, r []byte) error {
			if seqNo != next || string(r) != string(record(seqNo, 100)) {
				return fmt.Errorf("seq_no %d, %.20q at the place of %d", seqNo, r, next)
			}
			next++
			return nil
		})
		switch {
		case after+1 < l.First():
			if !errors.Is(err, ErrCut) || next != after+1 {
				t.Errorf("read after %d of a log that begins with %d: %v, want ErrCut", after, l.First(), err)
			}
		case err != nil || next != max(l.Last(), after)+1:
			t.Errorf("read after %d came to %d of %d: %v", after, next-1, l.Last(), err)
		}
	}
}

// What is being read stays readable; what is gone before a reader comes to it is ErrCut.
func TestReadersWhileTheLogIsCut(t *testing.T) {
	dir := t.TempDir()
	l, _, err := Open(dir, Options{SegmentSize: smallSegment})
	if err != nil {
		t.Fatal(err)
	}
	defer closeLog(t, l)
	appendRecords(t, l, 60)
	mustSave(t, l, 30, 40)
	end := l.segments[1].first - 1
	last := uint64(0)
	err = l.Read(0, func(seqNo uint64, r []byte) error {
		if last = seqNo; seqNo == 2 {
			return l.Cut(40)
		}
		return nil
	})
	if !errors.Is(err, ErrCut) || errors.Is(err, ErrDamaged) || last != end {
		t.Errorf("read up to %d, then %v, want all of the first segment, up to %d, and ErrCut", last, err, end)
	}

	next := l.First()
	err = l.Read(next-1, func(seqNo uint64, _ []byte) error {
		if seqNo == next+1 {
			if err := save(l, 60); err != nil {
				return err
			}
			if err := l.Cut(35); err != nil { // behind the reader
				return err
			}
		}
		last = seqNo
		return nil
	})
	if err != nil || last != 60 {
		t.Errorf("read up to %d while what is behind the reader was cut: %v", last, err)
	}

	begun := false
	err = l.ReadSnapshot(40, func(s Snapshot, r io.Reader) error {
		begun = true
		appendRecords(t, l, 1)
		if err := errors.Join(save(l, 61), l.Cut(61)); err != nil {
			return err
		}
		return nil
	})
	if err != nil || !begun {
		t.Errorf("a snapshot that went while it was read: %v", err)
	}
	if err := readWhole(l, 40); !errors.Is(err, ErrNoSnapshot) {
		t.Errorf("the snapshot afterwards: %v, want ErrNoSnapshot", err)
	}
	names, err := filepath.Glob(filepath.Join(dir, "*.snapshot"))
	if err != nil || len(names) != 2 {
		t.Errorf("files %q, %v", names, err)
	}
}

// What may be shown must not be forgotten with the frames that knew it.
func TestCutKeepsTheCommittedMark(t *testing.T) {
	d := newDisk(1)
	l := openLog(t, d, 0)
	for n := range uint64(40) {
		if err := l.Append(n+1, Records(record(n+1, 100)), n+1); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.BeginEpoch("two"); err != nil { // the newest segment is empty, the seal before it goes too
		t.Fatal(err)
	}
	mustSave(t, l, 40)
	if err := l.Cut(40); err != nil || l.First() != 41 {
		t.Fatalf("cut: %v, the log begins with %d, want no record left", err, l.First())
	}
	closeLog(t, l)
	d.powerCut(func() bool { return false })
	l = openLog(t, d, 0)
	if l.Committed() != 40 {
		t.Errorf("Committed %d after a cut and a power cut, want 40", l.Committed())
	}
	closeLog(t, l)
}

// A cut that fails says so, costs nothing, and is made good by the next one.
func TestAFailedCutIsMadeGood(t *testing.T) {
	for step := 1; ; step++ {
		d := newDisk(1)
		l := openLog(t, d, 60)
		mustSave(t, l, 15, 25, 35, 45)
		d.steps, d.failAt = 0, step
		err := l.Cut(50)
		if err == nil {
			if step < 10 {
				t.Errorf("only %d steps were seen", step)
			}
			closeLog(t, l)
			return
		}
		if !errors.Is(err, errFault) || errors.Is(err, ErrFailed) {
			t.Errorf("step %d: %v, want the fault", step, err)
		}
		wantFrom(t, l)
		appendRecords(t, l, 1)
		if step%2 == 0 { // a restart in between
			closeLog(t, l)
			d.powerCut(d.coin)
			l = openLog(t, d, 0)
			wantFrom(t, l)
		}
		if err := l.Cut(50); err != nil {
			t.Errorf("step %d: the next cut: %v", step, err)
		}
		wantSnapshots(t, l, 45, 35)
		first := l.First()
		if first < 26 {
			t.Errorf("step %d: the log begins with %d", step, first)
		}
		for _, s := range segmentNames(d.image()) {
			if n, _ := numberedName(filepath.Base(s), segmentSuffix); n < first {
				t.Errorf("step %d: %s is still there", step, s)
			}
		}
		wantFrom(t, l)
		closeLog(t, l)
	}
}
