package wal

import (
	"errors"
	"io"
	"path/filepath"
	"slices"
	"testing"
)

func TestDamagedSnapshots(t *testing.T) {
	d := newDisk(1)
	l := openLog(t, d, 30)
	mustSave(t, l, 5, 10, 20)
	spoil := func(seqNo uint64, at int) { d.names[snapshotPath(crashDir, seqNo)].cache[at] ^= 1 }
	refused := func(seqNo uint64) {
		t.Helper()
		err := readWhole(l, seqNo)
		if damage := (*DamageError)(nil); !errors.As(err, &damage) || damage.File != snapshotPath(crashDir, seqNo) || damage.SeqNo != seqNo {
			t.Errorf("snapshot of %d: %v, want damage of its file", seqNo, err)
		}
	}
	spoil(20, sectorSize+blockHeadLen)
	refused(20)
	// The next best one serves, and the damaged one can be stored again.
	if err := readWhole(l, 10); err != nil {
		t.Error(err)
	}
	mustSave(t, l, 20)
	wantSnapshots(t, l, 20, 10, 5)

	spoil(20, sectorSize+blockHeadLen)
	spoil(10, 50) // in the header
	closeLog(t, l)
	l, r, err := Open(crashDir, Options{FS: d, SegmentSize: smallSegment})
	if err != nil {
		t.Fatal(err)
	}
	if r.Snapshots != 3 || len(r.Unreadable) != 1 || r.Unreadable[0].SeqNo != 10 {
		t.Errorf("opened: %+v, want the header of 10 reported", r)
	}
	if got := l.Snapshots(); !slices.Equal(got, []uint64{20, 10, 5}) {
		t.Errorf("snapshots %v", got)
	}
	refused(10)
	refused(20)
	// They count for nothing: what stays is 5 and what comes.
	appendRecords(t, l, 10)
	mustSave(t, l, 40)
	if err := l.Cut(40); err != nil {
		t.Fatal(err)
	}
	wantSnapshots(t, l, 40, 5)
	if l.First() > 6 {
		t.Errorf("the log begins with %d, but the only other sound snapshot is of 5", l.First())
	}
	closeLog(t, l)
}

func TestSnapshotsThatAreNotThere(t *testing.T) {
	d := newDisk(1)
	l := openLog(t, d, 3)
	mustSave(t, l, 2)
	none := func(Snapshot, io.Reader) error { t.Error("rows was called"); return nil }
	if err := l.ReadSnapshot(1, none); !errors.Is(err, ErrNoSnapshot) {
		t.Errorf("one that was never stored: %v, want ErrNoSnapshot", err)
	}
	delete(d.names, snapshotPath(crashDir, 2))
	if err := l.ReadSnapshot(2, none); !errors.Is(err, ErrDamaged) {
		t.Errorf("one whose file is gone: %v, want ErrDamaged", err)
	}
	closeLog(t, l)
	if err := l.ReadSnapshot(2, none); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v, want ErrClosed", err)
	}
}

// A snapshot of another gateway, put under the right name while the log is open, is not taken for one of this log.
func TestASnapshotThatWasSwappedIsFound(t *testing.T) {
	d := newDisk(1)
	l := openLog(t, d, 3)
	mustSave(t, l, 2, 3)
	d.names[snapshotPath(crashDir, 2)] = d.names[snapshotPath(crashDir, 3)]
	foreign := encodeRows(t, Snapshot{SeqNo: 3, Lineage: []Epoch{{Name: "other"}}}, stateAt(3))
	d.names[snapshotPath(crashDir, 3)] = diskOf(map[string][]byte{"x": foreign}).names["x"]
	for seqNo := uint64(2); seqNo <= 3; seqNo++ {
		if err := readWhole(l, seqNo); !errors.Is(err, ErrDamaged) {
			t.Errorf("snapshot of %d: %v, want ErrDamaged", seqNo, err)
		}
	}
	closeLog(t, l)
}

func TestHalvesAreClearedAway(t *testing.T) {
	d := newDisk(1)
	l := openLog(t, d, 3)
	mustSave(t, l, 2)
	closeLog(t, l)
	files := d.image()
	halves := []string{snapshotPath(crashDir, 3) + tempSuffix, segmentPath(crashDir, 4) + tempSuffix, filepath.Join(crashDir, committedName+tempSuffix)}
	others := []string{filepath.Join(crashDir, "admin-token.tmp"), filepath.Join(crashDir, "admin-token"), filepath.Join(crashDir, "1.snapshot.tmp")}
	for _, name := range slices.Concat(halves, others) {
		files[name] = []byte("something")
	}
	d = diskOf(files)
	l = openLog(t, d, 0)
	for _, name := range halves {
		if d.names[name] != nil {
			t.Errorf("%s is still there", name)
		}
	}
	for _, name := range others {
		if d.names[name] == nil {
			t.Errorf("%s is gone", name)
		}
	}
	closeLog(t, l)
}
