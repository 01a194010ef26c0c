package waltest

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"github.com/replication-gateway/gateway/internal/wal"
)

// wantOnly wants a log that holds a snapshot of a history and no record.
func wantOnly(t tester, l wal.Log, seqNo uint64, lineage []wal.Epoch) {
	t.Helper()
	if l.First() != seqNo+1 || l.Last() != seqNo || l.Committed() != seqNo || !slices.Equal(l.Lineage(), lineage) {
		t.Errorf("First %d, Last %d, Committed %d, lineage %v, want no record behind %d and %v",
			l.First(), l.Last(), l.Committed(), l.Lineage(), seqNo, lineage)
	}
	wantSnapshots(t, l, []uint64{seqNo})
	wantRecords(t, l, seqNo, make([]string, seqNo))
	if seqNo > 0 {
		wantRecords(t, l, seqNo-1, nil)
	}
}

// Each history takes the place of the one before, wherever it stands, and is one to go on with.
func testReplace(t *testing.T, store Store) {
	l := open(t, store)
	appendGroup(t, l, 30)
	for _, seqNo := range []uint64{10, 20, 30} {
		if err := saveState(l, seqNo); err != nil {
			t.Fatal(err)
		}
	}
	own := l.Lineage()
	for n, c := range []struct {
		seqNo   uint64
		lineage []wal.Epoch
	}{
		{20, own}, // where this log has stood itself
		{20, []wal.Epoch{{Name: "other"}}},
		{55, []wal.Epoch{{Name: "other"}, {Name: "gone-on", SeqNo: 30}, {Name: "twice", SeqNo: 55}}},
		{55, []wal.Epoch{{Name: "other"}}},
		{0, []wal.Epoch{{Name: "from-the-start"}}},
		{7, []wal.Epoch{{Name: "late", SeqNo: 7}}},
	} {
		if err := l.Replace(snapshotOf(c.seqNo, c.lineage)); err != nil {
			t.Fatal(err)
		}
		wantOnly(t, l, c.seqNo, c.lineage)
		closeLog(t, l)
		l = open(t, store)
		wantOnly(t, l, c.seqNo, c.lineage)
		if n%2 == 0 {
			continue // replaced again as it is
		}
		all := append(make([]string, c.seqNo), appendGroup(t, l, 12)...)
		if err := l.MarkCommitted(c.seqNo + 5); err != nil {
			t.Fatal(err)
		}
		epoch := wal.Epoch{Name: fmt.Sprintf("begun-%d", n), SeqNo: c.seqNo + 12}
		if err := errors.Join(l.BeginEpoch(epoch.Name), saveState(l, c.seqNo+12)); err != nil {
			t.Fatal(err)
		}
		closeLog(t, l)
		l = open(t, store)
		wantRecords(t, l, c.seqNo, all)
		wantSnapshots(t, l, []uint64{c.seqNo, c.seqNo + 12})
		if want := append(slices.Clone(c.lineage), epoch); !slices.Equal(l.Lineage(), want) || l.Committed() != c.seqNo+5 {
			t.Errorf("lineage %v, Committed %d, want %v and %d", l.Lineage(), l.Committed(), want, c.seqNo+5)
		}
	}
	closeLog(t, l)
}

func testReplaceRefusals(t *testing.T, store Store) {
	l := open(t, store)
	all := appendGroup(t, l, 5)
	if err := saveState(l, 3); err != nil {
		t.Fatal(err)
	}
	lineage, refusal := l.Lineage(), errors.New("refused")
	for name, bad := range map[string][]wal.Epoch{
		"none":         nil,
		"unusable":     {{Name: "a b"}},
		"twice":        {{Name: "a"}, {Name: "a", SeqNo: 1}},
		"out of order": {{Name: "a"}, {Name: "b", SeqNo: 2}, {Name: "c", SeqNo: 1}},
		"to come":      {{Name: "a"}, {Name: "b", SeqNo: 4}},
	} {
		err := l.Replace(wal.Snapshot{SeqNo: 3, Lineage: bad}, func(io.Writer) error {
			t.Errorf("rows was called for a lineage that is %s", name)
			return nil
		})
		if !errors.Is(err, wal.ErrEpoch) {
			t.Errorf("a lineage that is %s: %v, want ErrEpoch", name, err)
		}
	}
	err := l.Replace(wal.Snapshot{SeqNo: 3, Lineage: []wal.Epoch{{Name: "other"}}}, func(w io.Writer) error {
		wantRecords(t, l, 0, all) // nothing is touched meanwhile
		wantSnapshots(t, l, []uint64{3})
		_, _ = w.Write([]byte("half"))
		return refusal
	})
	if err != refusal {
		t.Errorf("Replace: %v, want the error of rows", err)
	}
	for range 2 {
		wantRecords(t, l, 0, all)
		wantSnapshots(t, l, []uint64{3})
		if !slices.Equal(l.Lineage(), lineage) {
			t.Errorf("lineage %v, want %v", l.Lineage(), lineage)
		}
		all = append(all, appendGroup(t, l, 1)...)
		closeLog(t, l)
		l = open(t, store)
	}
	closeLog(t, l)
}

// Who reads meanwhile is told so, and is given nothing more.
func testReadWhileReplaced(t *testing.T, store Store) {
	l := open(t, store)
	appendGroup(t, l, 40)
	if err := saveState(l, 20); err != nil {
		t.Fatal(err)
	}
	other := []wal.Epoch{{Name: "other"}}
	last := uint64(0)
	err := l.Read(0, func(seqNo uint64, _ []byte) error {
		if last = seqNo; seqNo == 3 {
			return l.Replace(snapshotOf(20, other))
		}
		return nil
	})
	if !errors.Is(err, wal.ErrReplaced) || last != 3 {
		t.Errorf("read up to %d, then %v, want up to 3 and ErrReplaced", last, err)
	}
	wantOnly(t, l, 20, other)
	other = []wal.Epoch{{Name: "another"}}
	err = l.ReadSnapshot(20, func(wal.Snapshot, io.Reader) error { return l.Replace(snapshotOf(20, other)) })
	if !errors.Is(err, wal.ErrReplaced) {
		t.Errorf("ReadSnapshot: %v, want ErrReplaced", err)
	}
	wantOnly(t, l, 20, other)
	closeLog(t, l)
}

// A log that follows another, from a snapshot on, has the same lineage wherever it stands, over restarts too.
func testFollow(t *testing.T, store Store) {
	// The epochs of the log that is followed, two of which begin at the same place, one right behind the snapshot and
	// one at its end.
	ahead := []wal.Epoch{{Name: "one"}, {Name: "two", SeqNo: 4}, {Name: "three", SeqNo: 6}, {Name: "four", SeqNo: 9}, {Name: "five", SeqNo: 9}, {Name: "six", SeqNo: 12}}
	at := func(seqNo uint64) []wal.Epoch { // those that have begun
		n := slices.IndexFunc(ahead, func(e wal.Epoch) bool { return e.SeqNo > seqNo })
		if n < 0 {
			n = len(ahead)
		}
		return ahead[:n]
	}
	l := open(t, store)
	appendGroup(t, l, 8)
	if err := l.Replace(snapshotOf(6, ahead[:2])); err != nil { // the third begins behind it
		t.Fatal(err)
	}
	for seqNo := uint64(6); ; seqNo++ {
		for _, e := range ahead[len(l.Lineage()):] {
			if e.SeqNo != l.Last() {
				break
			}
			if err := l.BeginEpoch(e.Name); err != nil {
				t.Fatal(err)
			}
			closeLog(t, l)
			l = open(t, store)
		}
		if got := l.Lineage(); !slices.Equal(got, at(seqNo)) {
			t.Errorf("at %d the lineage is %v, want %v", seqNo, got, at(seqNo))
		}
		if seqNo > 6 {
			if err := saveState(l, seqNo); err != nil {
				t.Fatal(err)
			}
			if err := readState(l, seqNo); err != nil {
				t.Error(err)
			}
		}
		if seqNo == 12 {
			break
		}
		appendGroup(t, l, 1)
	}
	closeLog(t, l)
}
