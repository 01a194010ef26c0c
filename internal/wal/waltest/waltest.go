// Package waltest holds the tests that every wal.Log must pass, whatever it keeps its records in.
package waltest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/replication-gateway/gateway/internal/wal"
)

// Store opens one log, again and again: empty the first time, then with what was written before. A log is closed
// before it is opened again.
type Store func() (wal.Log, error)

// Run runs the tests of single promises. newStore gives each of them a store of its own.
func Run(t *testing.T, newStore func(t testing.TB) Store) {
	for name, test := range map[string]func(*testing.T, Store){
		"EmptyLog":              testEmptyLog,
		"AppendAndRead":         testAppendAndRead,
		"RefusalsChangeNothing": testRefusals,
		"MarksNeverStepBack":    testMarks,
		"ReadEndsWithYield":     testReadEndsWithYield,
		"BytesStayTheCallers":   testBytes,
		"ReadWhileAppending":    testReadWhileAppending,
		"MarkWhileAppending":    testMarkWhileAppending,
		"Epochs":                testEpochs,
		"Snapshots":             testSnapshots,
		"SnapshotRefusals":      testSnapshotRefusals,
		"RowsFail":              testRowsFail,
		"Cut":                   testCut,
		"KeepWhileAppending":    testKeepWhileAppending,
		"Replace":               testReplace,
		"ReplaceRefusals":       testReplaceRefusals,
		"ReadWhileReplaced":     testReadWhileReplaced,
		"Follow":                testFollow,
		"Closed":                testClosed,
	} {
		t.Run(name, func(t *testing.T) { test(t, newStore(t)) })
	}
}

func testEmptyLog(t *testing.T, store Store) {
	var lineage []wal.Epoch
	for round := range 2 {
		l := open(t, store)
		if l.Last() != 0 || l.Committed() != 0 {
			t.Errorf("Last %d, Committed %d, want 0", l.Last(), l.Committed())
		}
		wantRecords(t, l, 0, nil)
		if round == 0 {
			lineage = l.Lineage()
		}
		if got := l.Lineage(); len(got) != 1 || got[0].Name == "" || got[0].SeqNo != 0 || !slices.Equal(got, lineage) {
			t.Errorf("lineage %v, at first %v", got, lineage)
		}
		l.Lineage()[0].Name = "changed by the caller"
		if !slices.Equal(l.Lineage(), lineage) {
			t.Error("the slice that Lineage returned is the log's own")
		}
		closeLog(t, l)
	}
}

func testAppendAndRead(t *testing.T, store Store) {
	l := open(t, store)
	var all []string
	for _, n := range []int{1, 3, 1, 200, 2} {
		all = append(all, appendGroup(t, l, n)...)
	}
	for after := range uint64(len(all) + 2) {
		wantRecords(t, l, after, all)
	}
	closeLog(t, l)
	l = open(t, store)
	if l.Last() != uint64(len(all)) {
		t.Errorf("Last after opening again is %d, want %d", l.Last(), len(all))
	}
	for after := range uint64(len(all) + 2) {
		wantRecords(t, l, after, all)
	}
	all = append(all, appendGroup(t, l, 2)...)
	wantRecords(t, l, 0, all)
	closeLog(t, l)
}

func testRefusals(t *testing.T, store Store) {
	l := open(t, store)
	all := appendGroup(t, l, 3)
	one := wal.Records([]byte("x"))
	for name, c := range map[string]struct {
		first     uint64
		records   []wal.Record
		committed uint64
		want      error
	}{
		"number taken":         {3, one, 0, wal.ErrOrder},
		"number left out":      {5, one, 0, wal.ErrOrder},
		"no records":           {4, nil, 0, wal.ErrOrder},
		"committed beyond":     {4, one, 5, wal.ErrOrder},
		"empty record":         {4, wal.Records([]byte("x"), nil), 0, wal.ErrRecord},
		"record with a zero":   {4, wal.Records([]byte("a\x00b")), 0, wal.ErrRecord},
		"no byte in any piece": {4, []wal.Record{{nil, {}}}, 0, wal.ErrRecord},
		"a zero in a piece":    {4, []wal.Record{{[]byte("a"), []byte("b\x00")}}, 0, wal.ErrRecord},
		"both wrong, in order": {9, wal.Records(nil), 0, wal.ErrOrder},
	} {
		if err := l.Append(c.first, c.records, c.committed); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if err := l.MarkCommitted(4); !errors.Is(err, wal.ErrOrder) {
		t.Errorf("mark beyond the end: %v, want ErrOrder", err)
	}
	wantRecords(t, l, 0, all)
	all = append(all, appendGroup(t, l, 1)...)
	closeLog(t, l)
	l = open(t, store)
	wantRecords(t, l, 0, all)
	closeLog(t, l)
}

func testMarks(t *testing.T, store Store) {
	l := open(t, store)
	want := func(committed uint64) {
		t.Helper()
		if got := l.Committed(); got != committed {
			t.Errorf("Committed %d, want %d", got, committed)
		}
	}
	appendGroup(t, l, 10)
	want(0)
	for _, step := range []struct{ mark, want uint64 }{{4, 4}, {2, 4}, {4, 4}, {7, 7}} {
		if err := l.MarkCommitted(step.mark); err != nil {
			t.Fatal(err)
		}
		want(step.want)
	}
	closeLog(t, l)

	l = open(t, store)
	want(7)
	if err := l.MarkCommitted(5); err != nil {
		t.Fatal(err)
	}
	want(7)
	closeLog(t, l)

	l = open(t, store)
	want(7)
	// A group may bring its own mark, the lowest and the highest that there can be.
	if err := l.Append(11, wal.Records([]byte("x")), 0); err != nil {
		t.Fatal(err)
	}
	want(7)
	if err := l.Append(12, wal.Records([]byte("x"), []byte("y")), 13); err != nil {
		t.Fatal(err)
	}
	want(13)
	closeLog(t, l)

	l = open(t, store)
	want(13)
	closeLog(t, l)
}

func testReadEndsWithYield(t *testing.T, store Store) {
	l := open(t, store)
	appendGroup(t, l, 5)
	stop := errors.New("stop")
	calls := 0
	err := l.Read(1, func(seqNo uint64, _ []byte) error {
		if calls++; seqNo == 3 {
			return stop
		}
		return nil
	})
	if err != stop || calls != 2 {
		t.Errorf("Read: %v after %d calls, want yield's own error after 2", err, calls)
	}
	closeLog(t, l)
}

func testBytes(t *testing.T, store Store) {
	l := open(t, store)
	group := [][]byte{[]byte("first"), []byte("second")}
	if err := l.Append(1, wal.Records(group...), 0); err != nil {
		t.Fatal(err)
	}
	for _, r := range group {
		copy(r, "XXXXXX")
	}
	err := l.Read(0, func(_ uint64, record []byte) error {
		copy(record, "YYYYYY") // valid, and the reader's, during the call
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	wantRecords(t, l, 0, []string{"first", "second"})
	closeLog(t, l)
}

func testReadWhileAppending(t *testing.T, store Store) {
	const total = 150
	l := open(t, store)
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			// Each reader follows the log to its end, as a standby that catches up does.
			for at := uint64(0); at < total; {
				last := l.Last()
				err := l.Read(at, func(seqNo uint64, record []byte) error {
					if seqNo != at+1 || !bytes.Equal(record, text(seqNo)) {
						return fmt.Errorf("after %d: seq_no %d, %.60q", at, seqNo, record)
					}
					at = seqNo
					return nil
				})
				if err == nil && at < last {
					err = fmt.Errorf("read up to %d, but %d was durable", at, last)
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for n := 0; n < total; {
		n += len(appendGroup(t, l, min(1+n%4, total-n)))
	}
	readers.Wait()
	closeLog(t, l)
}

func testMarkWhileAppending(t *testing.T, store Store) {
	const total = 60
	l := open(t, store)
	var marking sync.WaitGroup
	marking.Go(func() {
		for marked := uint64(0); marked < total; marked = l.Committed() {
			if err := l.MarkCommitted(l.Last()); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for range total {
		appendGroup(t, l, 1)
	}
	marking.Wait()
	closeLog(t, l)
	l = open(t, store)
	if l.Committed() != total {
		t.Errorf("Committed after opening again is %d, want %d", l.Committed(), total)
	}
	closeLog(t, l)
}

func testClosed(t *testing.T, store Store) {
	l := open(t, store)
	appendGroup(t, l, 2)
	closeLog(t, l)
	if err := l.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	if err := l.Append(3, wal.Records([]byte("x")), 0); !errors.Is(err, wal.ErrClosed) {
		t.Errorf("Append: %v, want ErrClosed", err)
	}
	if err := l.MarkCommitted(1); !errors.Is(err, wal.ErrClosed) {
		t.Errorf("MarkCommitted: %v, want ErrClosed", err)
	}
	if err := l.Read(0, func(uint64, []byte) error { return nil }); !errors.Is(err, wal.ErrClosed) {
		t.Errorf("Read: %v, want ErrClosed", err)
	}
	if err := saveState(l, 2); !errors.Is(err, wal.ErrClosed) {
		t.Errorf("SaveSnapshot: %v, want ErrClosed", err)
	}
	if err := readState(l, 2); !errors.Is(err, wal.ErrClosed) {
		t.Errorf("ReadSnapshot: %v, want ErrClosed", err)
	}
	if err := l.Cut(2); !errors.Is(err, wal.ErrClosed) {
		t.Errorf("Cut: %v, want ErrClosed", err)
	}
	if err := l.Replace(snapshotOf(2, []wal.Epoch{{Name: "late"}})); !errors.Is(err, wal.ErrClosed) {
		t.Errorf("Replace: %v, want ErrClosed", err)
	}
	if err := l.BeginEpoch("late"); !errors.Is(err, wal.ErrClosed) {
		t.Errorf("BeginEpoch: %v, want ErrClosed", err)
	}
}

// tester is what testing.T and rapid.T have in common.
type tester interface {
	Helper()
	Errorf(format string, args ...any)
	Fatal(args ...any)
}

func open(t tester, store Store) wal.Log {
	t.Helper()
	l, err := store()
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func closeLog(t tester, l wal.Log) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

// text is the record that appendGroup writes under a seq_no.
func text(seqNo uint64) []byte {
	return bytes.Repeat(fmt.Appendf(nil, "record %d.", seqNo), int(1+seqNo%17))
}

// appendGroup appends n records and returns them.
func appendGroup(t tester, l wal.Log, n int) []string {
	t.Helper()
	first := l.Last() + 1
	var group [][]byte
	var texts []string
	for i := range uint64(n) {
		group = append(group, text(first+i))
		texts = append(texts, string(text(first+i)))
	}
	if err := l.Append(first, wal.Records(group...), 0); err != nil {
		t.Fatal(err)
	}
	return texts
}

// wantRecords compares what Read yields after a seq_no with all records that the log has had.
func wantRecords(t tester, l wal.Log, after uint64, all []string) {
	t.Helper()
	next := after + 1
	err := l.Read(after, func(seqNo uint64, record []byte) error {
		if seqNo != next || seqNo > uint64(len(all)) || string(record) != all[seqNo-1] {
			return fmt.Errorf("read after %d: seq_no %d, %.60q at the place of %d", after, seqNo, record, next)
		}
		next++
		return nil
	})
	if after+1 < l.First() {
		if !errors.Is(err, wal.ErrCut) || next != after+1 {
			t.Errorf("read after %d of a log that begins with %d: %v, want ErrCut", after, l.First(), err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if want := max(uint64(len(all)), after); next != want+1 {
		t.Errorf("read after %d came to %d, want %d", after, next-1, want)
	}
}
