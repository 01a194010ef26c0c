package wal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// openLog opens a log and appends so many records.
func openLog(t *testing.T, fsys FS, records int) *File {
	t.Helper()
	l, _, err := Open(crashDir, Options{FS: fsys, SegmentSize: smallSegment, NewEpoch: func() string { return "one" }})
	if err != nil {
		t.Fatal(err)
	}
	appendRecords(t, l, records)
	return l
}

// appendRecords appends so many records of 100 bytes, each by itself. A small segment holds ten or so.
func appendRecords(t *testing.T, l Log, records int) {
	t.Helper()
	for range records {
		if err := l.Append(l.Last()+1, Records(record(l.Last()+1, 100)), 0); err != nil {
			t.Fatal(err)
		}
	}
}

// closeLog closes a log.
func closeLog(t *testing.T, l Log) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

// stateAt is what the tests take for the rows of the state at a seq_no.
func stateAt(seqNo uint64) []byte { return bytes.Repeat(fmt.Appendf(nil, "state at %d\n", seqNo), 20) }

// save stores the snapshot of a seq_no.
func save(l Log, seqNo uint64) error {
	return l.SaveSnapshot(Snapshot{SeqNo: seqNo, Rows: seqNo, Digest: ^seqNo}, writeInPieces(stateAt(seqNo)))
}

func mustSave(t *testing.T, l Log, seqNos ...uint64) {
	t.Helper()
	for _, seqNo := range seqNos {
		if err := save(l, seqNo); err != nil {
			t.Fatal(err)
		}
	}
}

// readWhole reads a snapshot that must be as save stored it.
func readWhole(l Log, seqNo uint64) error {
	return l.ReadSnapshot(seqNo, func(s Snapshot, r io.Reader) error {
		rows, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		if s.SeqNo != seqNo || s.Rows != seqNo || s.Digest != ^seqNo || !bytes.Equal(rows, stateAt(seqNo)) {
			return fmt.Errorf("snapshot %+v with %.40q", s, rows)
		}
		return nil
	})
}

func wantSnapshots(t *testing.T, l Log, want ...uint64) {
	t.Helper()
	if got := l.Snapshots(); !slices.Equal(got, want) {
		t.Fatalf("snapshots %v, want %v", got, want)
	}
	for _, seqNo := range want {
		if err := readWhole(l, seqNo); err != nil {
			t.Errorf("snapshot of %d: %v", seqNo, err)
		}
	}
}

func TestSnapshotsKnowTheirHistory(t *testing.T) {
	d := newDisk(1)
	l := openLog(t, d, 5)
	defer func() { closeLog(t, l) }()
	lineage := func(seqNo uint64) (got []Epoch) {
		t.Helper()
		if err := l.ReadSnapshot(seqNo, func(s Snapshot, _ io.Reader) error { got = s.Lineage; return nil }); err != nil {
			t.Fatal(err)
		}
		return got
	}
	mustSave(t, l, 5)
	for _, name := range []string{"two", "three"} {
		if err := l.BeginEpoch(name); err != nil {
			t.Fatal(err)
		}
	}
	appendRecords(t, l, 3)
	if err := l.BeginEpoch("four"); err != nil {
		t.Fatal(err)
	}
	s := Snapshot{SeqNo: 7, Lineage: []Epoch{{Name: "of no account"}}}
	if err := l.SaveSnapshot(s, func(io.Writer) error { return nil }); err != nil {
		t.Fatal(err)
	}
	mustSave(t, l, 8)
	three := []Epoch{{"one", 0}, {"two", 5}, {"three", 5}}
	for seqNo, want := range map[uint64][]Epoch{5: three[:1], 7: three, 8: append(three, Epoch{"four", 8})} {
		if got := lineage(seqNo); !slices.Equal(got, want) {
			t.Errorf("snapshot of %d: lineage %v, want %v", seqNo, got, want)
		}
	}
	closeLog(t, l)
	l = openLog(t, d, 0)
	if got := l.Snapshots(); !slices.Equal(got, []uint64{8, 7, 5}) {
		t.Errorf("opened again: snapshots %v", got)
	}
}

// Whatever goes wrong with a snapshot, the log goes on and nothing of the snapshot is left.
func TestAFailedSnapshotCostsNothingElse(t *testing.T) {
	refusal := errors.New("no rows today")
	for step := 0; ; step++ {
		d := newDisk(1)
		l := openLog(t, d, 12)
		mustSave(t, l, 6)
		names := len(d.names)
		d.failed, d.steps, d.failAt = false, 0, step
		rows := writeInPieces(bytes.Repeat([]byte("row "), 100))
		want := errFault
		if step == 0 {
			rows, want = func(w io.Writer) error { _, _ = w.Write([]byte("half")); return refusal }, refusal
		}
		err := l.SaveSnapshot(Snapshot{SeqNo: 12}, rows)
		if err == nil {
			if step < 6 {
				t.Errorf("only %d steps were seen", step)
			}
			closeLog(t, l)
			return
		}
		if !errors.Is(err, want) || errors.Is(err, ErrFailed) {
			t.Errorf("step %d: %v, want %v", step, err, want)
		}
		if len(d.names) != names {
			t.Errorf("step %d: %d files are left, before %d", step, len(d.names), names)
		}
		wantSnapshots(t, l, 6)
		appendRecords(t, l, 1)
		mustSave(t, l, 12, 13)
		wantSnapshots(t, l, 13, 12, 6)
		closeLog(t, l)
		d.powerCut(func() bool { return false })
		l = openLog(t, d, 0)
		wantSnapshots(t, l, 13, 12, 6)
		closeLog(t, l)
	}
}

// A snapshot of which it is not known whether it is there is stored anew, and stays.
func TestASnapshotInDoubtIsStoredAgain(t *testing.T) {
	d := newDisk(1)
	l := openLog(t, d, 40)
	d.steps, d.failAt, d.failOn = 0, 7, true // from the sync of its new name on, the file's removal too
	if err := save(l, 10); !errors.Is(err, errFault) || d.names[snapshotPath(crashDir, 10)] == nil {
		t.Fatalf("SaveSnapshot: %v, with files %q", err, slices.Collect(maps.Keys(d.names)))
	}
	wantSnapshots(t, l)
	d.failAt, d.failOn = 0, false
	mustSave(t, l, 10, 20)
	if err := l.Cut(20); err != nil {
		t.Fatal(err)
	}
	wantSnapshots(t, l, 20, 10)

	// And when it is not stored again it goes before any record does, for which it would be too old.
	d.steps, d.failAt, d.failOn = 0, 7, true
	if err := save(l, 25); !errors.Is(err, errFault) {
		t.Fatal(err)
	}
	d.failAt, d.failOn = 0, false
	mustSave(t, l, 38, 40)
	if err := l.Cut(40); err != nil {
		t.Fatal(err)
	}
	wantSnapshots(t, l, 40, 38)
	closeLog(t, l)
	d.powerCut(d.coin)
	l = openLog(t, d, 0)
	wantSnapshots(t, l, 40, 38)
	closeLog(t, l)
}

// A large snapshot is synced as it grows, so that a sync of the log does not wait for all of it.
func TestALargeSnapshotIsSyncedAsItGrows(t *testing.T) {
	t.Parallel()
	d := &unsyncedFS{disk: newDisk(1)}
	l := openLog(t, d, 1)
	defer closeLog(t, l)
	rows := noise(3 * pace)
	if err := l.SaveSnapshot(Snapshot{SeqNo: 1}, writeInPieces(rows)); err != nil {
		t.Fatal(err)
	}
	if d.most > pace+maxContent+blockHeadLen {
		t.Errorf("up to %d bytes waited for a sync, want at most %d", d.most, pace)
	}
}

// noise is bytes that cannot be compressed.
func noise(size int) []byte {
	b := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{}).Read(b)
	return b
}

// unsyncedFS knows how many bytes of a file waited for a sync at most.
type unsyncedFS struct {
	*disk
	most int
}

func (d *unsyncedFS) Open(path string, flag int) (Handle, error) {
	h, err := d.disk.Open(path, flag)
	return &unsyncedHandle{Handle: h, fs: d}, err
}

type unsyncedHandle struct {
	Handle
	fs      *unsyncedFS
	waiting int
}

func (h *unsyncedHandle) WriteAt(b []byte, at int64) (int, error) {
	h.waiting += len(b)
	h.fs.most = max(h.fs.most, h.waiting)
	return h.Handle.WriteAt(b, at)
}

func (h *unsyncedHandle) Sync() error {
	h.waiting = 0
	return h.Handle.Sync()
}

func TestSavingGoesOnBesideAppendAndRead(t *testing.T) {
	l := openLog(t, newDisk(1), 3)
	begun, goOn := make(chan struct{}), make(chan struct{})
	done := make(chan error)
	go func() {
		done <- l.SaveSnapshot(Snapshot{SeqNo: 3, Rows: 3, Digest: ^uint64(3)}, func(w io.Writer) error {
			close(begun)
			<-goOn
			_, err := w.Write(stateAt(3))
			return err
		})
	}()
	<-begun
	appendRecords(t, l, 20)
	if got := contents(t, l); len(got) != 23 {
		t.Errorf("%d records while a snapshot is saved, want 23", len(got))
	}
	if got := l.Snapshots(); len(got) != 0 {
		t.Errorf("half a snapshot is listed: %v", got)
	}
	second := make(chan error)
	go func() { second <- save(l, 20) }()
	close(goOn)
	if err := errors.Join(<-done, <-second); err != nil { // ErrOrder if the second had not waited
		t.Fatal(err)
	}
	wantSnapshots(t, l, 20, 3)
	closeLog(t, l)
}

func TestCloseEndsASnapshotUnderWay(t *testing.T) {
	d := newDisk(1)
	l := openLog(t, d, 1)
	begun, closed := make(chan struct{}), make(chan error)
	go func() {
		<-begun
		closed <- l.Close()
	}()
	rows := noise(1 << 20)
	err := l.SaveSnapshot(Snapshot{SeqNo: 1}, func(w io.Writer) error {
		close(begun)
		for range 100 {
			if _, err := w.Write(rows); err != nil {
				return err
			}
		}
		return nil
	})
	if !errors.Is(err, ErrClosed) {
		t.Errorf("SaveSnapshot: %v, want ErrClosed", err)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
	for name := range d.names {
		if strings.Contains(name, snapshotSuffix) {
			t.Errorf("%s is left", name)
		}
	}
}
