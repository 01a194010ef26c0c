package waltest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"

	"github.com/replication-gateway/gateway/internal/wal"
)

// stateAt is what the tests take for the state at a seq_no of a history: an epoch and a seq_no name one state.
func stateAt(seqNo uint64, lineage []wal.Epoch) []byte {
	epoch := ""
	for _, e := range lineage {
		if e.SeqNo <= seqNo {
			epoch = e.Name
		}
	}
	return bytes.Repeat(fmt.Appendf(nil, "state at %d of %s. ", seqNo, epoch), 100)
}

// snapshotOf is what the tests say of the state at a seq_no, and its rows.
func snapshotOf(seqNo uint64, lineage []wal.Epoch) (wal.Snapshot, func(io.Writer) error) {
	return wal.Snapshot{SeqNo: seqNo, Lineage: lineage, Rows: seqNo + 1, Digest: ^seqNo}, func(w io.Writer) error {
		_, err := w.Write(stateAt(seqNo, lineage))
		return err
	}
}

// saveState stores the snapshot of a seq_no.
func saveState(l wal.Log, seqNo uint64) error { return l.SaveSnapshot(snapshotOf(seqNo, l.Lineage())) }

// readState reads a snapshot that must be as snapshotOf made it, of a history that the log's goes on.
func readState(l wal.Log, seqNo uint64) error {
	called := false
	err := l.ReadSnapshot(seqNo, func(s wal.Snapshot, r io.Reader) error {
		called = true
		rows, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		lineage, n := l.Lineage(), len(s.Lineage)
		if s.SeqNo != seqNo || s.Rows != seqNo+1 || s.Digest != ^seqNo || !bytes.Equal(rows, stateAt(seqNo, s.Lineage)) ||
			n == 0 || n > len(lineage) || !slices.Equal(s.Lineage, lineage[:n]) || s.Lineage[n-1].SeqNo > seqNo {
			return fmt.Errorf("snapshot of %d: %+v with %.40q in a history of %v", seqNo, s, rows, lineage)
		}
		return nil
	})
	if err == nil && !called {
		return fmt.Errorf("rows of the snapshot of %d was not called", seqNo)
	}
	return err
}

// wantSnapshots compares what is stored with the seq_nos of saveState, oldest first.
func wantSnapshots(t tester, l wal.Log, want []uint64) {
	t.Helper()
	got := l.Snapshots()
	slices.Reverse(got)
	if !slices.Equal(got, want) {
		t.Fatal(fmt.Sprintf("snapshots of %v are stored, want %v", got, want))
	}
	for _, seqNo := range want {
		if err := readState(l, seqNo); err != nil {
			t.Errorf("%v", err)
		}
	}
}

// stay tells which snapshots a cut leaves.
func stay(snapshots []uint64, window uint64) []uint64 {
	after := slices.IndexFunc(snapshots, func(seqNo uint64) bool { return seqNo > window })
	if after < 0 {
		after = len(snapshots)
	}
	var left []uint64
	for i, seqNo := range snapshots {
		if i == after-1 || i == after || i >= len(snapshots)-2 {
			left = append(left, seqNo)
		}
	}
	return left
}

func testEpochs(t *testing.T, store Store) {
	l := open(t, store)
	want := l.Lineage()
	begin := func(name string) {
		t.Helper()
		if err := l.BeginEpoch(name); err != nil {
			t.Fatal(err)
		}
		want = append(want, wal.Epoch{Name: name, SeqNo: l.Last()})
		if got := l.Lineage(); !slices.Equal(got, want) {
			t.Errorf("lineage %v, want %v", got, want)
		}
	}
	begin("at-the-beginning")
	all := appendGroup(t, l, 3)
	begin("two")
	begin("three")
	for _, name := range []string{"", "a b", "two", want[0].Name} {
		if err := l.BeginEpoch(name); !errors.Is(err, wal.ErrEpoch) {
			t.Errorf("epoch %q: %v, want ErrEpoch", name, err)
		}
	}
	closeLog(t, l)
	l = open(t, store)
	if got := l.Lineage(); !slices.Equal(got, want) {
		t.Errorf("opened again: lineage %v, want %v", got, want)
	}
	all = append(all, appendGroup(t, l, 2)...)
	begin("four")
	all = append(all, appendGroup(t, l, 1)...)
	for after := range uint64(len(all)) {
		wantRecords(t, l, after, all)
	}
	closeLog(t, l)
}

func testSnapshots(t *testing.T, store Store) {
	l := open(t, store)
	wantSnapshots(t, l, nil)
	var want []uint64
	for _, seqNo := range []uint64{0, 2, 3, 9} {
		all := int(l.Last())
		appendGroup(t, l, max(1, int(seqNo)-all))
		if err := saveState(l, seqNo); err != nil {
			t.Fatal(err)
		}
		want = append(want, seqNo)
		wantSnapshots(t, l, want)
		if err := l.BeginEpoch(fmt.Sprintf("after-%d", seqNo)); err != nil {
			t.Fatal(err)
		}
	}
	closeLog(t, l)
	l = open(t, store)
	wantSnapshots(t, l, want)
	l.Snapshots()[0] = 77
	wantSnapshots(t, l, want)
	closeLog(t, l)
}

func testSnapshotRefusals(t *testing.T, store Store) {
	l := open(t, store)
	appendGroup(t, l, 5)
	if err := saveState(l, 3); err != nil {
		t.Fatal(err)
	}
	for _, seqNo := range []uint64{0, 2, 3, 6} {
		err := l.SaveSnapshot(wal.Snapshot{SeqNo: seqNo}, func(io.Writer) error {
			t.Errorf("rows was called for a snapshot of %d", seqNo)
			return nil
		})
		if !errors.Is(err, wal.ErrOrder) {
			t.Errorf("snapshot of %d: %v, want ErrOrder", seqNo, err)
		}
		if seqNo == 3 {
			continue
		}
		if err := readState(l, seqNo); !errors.Is(err, wal.ErrNoSnapshot) {
			t.Errorf("reading a snapshot of %d: %v, want ErrNoSnapshot", seqNo, err)
		}
	}
	wantSnapshots(t, l, []uint64{3})
	closeLog(t, l)
}

func testRowsFail(t *testing.T, store Store) {
	l := open(t, store)
	appendGroup(t, l, 5)
	refusal := errors.New("refused")
	err := l.SaveSnapshot(wal.Snapshot{SeqNo: 4}, func(w io.Writer) error {
		_, _ = w.Write([]byte("half"))
		return refusal
	})
	if err != refusal {
		t.Errorf("SaveSnapshot: %v, want the error of rows", err)
	}
	wantSnapshots(t, l, nil)
	appendGroup(t, l, 1)
	if err := saveState(l, 4); err != nil {
		t.Fatal(err)
	}
	one := make([]byte, 1)
	for what, c := range map[string]struct {
		rows func(r io.Reader) error
		want error
	}{
		"refuses":       {func(r io.Reader) error { _, _ = r.Read(one); return refusal }, refusal},
		"reads nothing": {func(io.Reader) error { return nil }, nil},
		"reads a byte":  {func(r io.Reader) error { _, err := r.Read(one); return err }, nil},
	} {
		if err := l.ReadSnapshot(4, func(_ wal.Snapshot, r io.Reader) error { return c.rows(r) }); err != c.want {
			t.Errorf("rows %s: %v, want %v", what, err, c.want)
		}
	}
	closeLog(t, l)
	l = open(t, store)
	wantSnapshots(t, l, []uint64{4})
	closeLog(t, l)
}

func testCut(t *testing.T, store Store) {
	l := open(t, store)
	var all []string
	var snapshots []uint64
	for range 8 {
		for range 25 {
			all = append(all, appendGroup(t, l, 1)...)
		}
		snapshots = append(snapshots, l.Last())
		if err := saveState(l, l.Last()); err != nil {
			t.Fatal(err)
		}
	}
	for _, window := range []uint64{0, 10, 60, 60, 100, 130, 199, 200, 1000} {
		if err := l.Cut(window); err != nil {
			t.Fatal(err)
		}
		snapshots = stay(snapshots, window)
		for range 2 {
			wantSnapshots(t, l, snapshots)
			if first := l.First(); first > 1 && (first-1 > window || first-1 > snapshots[0]) {
				t.Errorf("window %d: the log begins with %d, snapshots are %v", window, first, snapshots)
			}
			for after := uint64(0); after <= uint64(len(all)); after += 7 {
				wantRecords(t, l, after, all)
			}
			first := l.First()
			closeLog(t, l)
			if l = open(t, store); l.First() != first || l.Last() != uint64(len(all)) {
				t.Errorf("window %d, opened again: %d to %d, want %d to %d", window, l.First(), l.Last(), first, len(all))
			}
		}
		all = append(all, appendGroup(t, l, 2)...)
	}
	closeLog(t, l)
}

// A reader that starts at the window is never sent away, whatever is saved, cut and appended meanwhile.
func testKeepWhileAppending(t *testing.T, store Store) {
	const total, window = 120, 30
	l := open(t, store)
	var working sync.WaitGroup
	kept := make(chan struct{}) // closed when a snapshot is there, or none will be
	closeKept := sync.OnceFunc(func() { close(kept) })
	working.Go(func() {
		defer closeKept()
		for l.Last() < total {
			last := l.Last()
			if n := l.Snapshots(); len(n) > 0 && n[0] >= last {
				continue
			}
			if err := saveState(l, last); err != nil {
				t.Error(err)
				return
			}
			if err := l.Cut(last - min(last, window)); err != nil {
				t.Error(err)
				return
			}
			closeKept()
		}
	})
	working.Go(func() {
		for at := uint64(0); at < total; {
			last := l.Last()
			err := l.Read(at, func(seqNo uint64, record []byte) error {
				if seqNo != at+1 || !bytes.Equal(record, text(seqNo)) {
					return fmt.Errorf("after %d: seq_no %d, %.60q", at, seqNo, record)
				}
				at = seqNo
				return nil
			})
			if errors.Is(err, wal.ErrCut) && at+window < l.Last() {
				at = l.First() - 1 // it fell out of the window, and would take a snapshot
				continue
			}
			if err == nil && at < last {
				err = fmt.Errorf("read up to %d, but %d was durable", at, last)
			}
			if err != nil {
				t.Error(err)
				return
			}
		}
	})
	for i := range total {
		if i == 1 {
			<-kept
		}
		appendGroup(t, l, 1)
	}
	working.Wait()
	if n := l.Snapshots(); len(n) == 0 || len(n) > 5 {
		t.Errorf("snapshots of %v are stored", n)
	}
	closeLog(t, l)
}
