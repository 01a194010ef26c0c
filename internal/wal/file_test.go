package wal_test

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/replication-gateway/gateway/internal/wal"
	"github.com/replication-gateway/gateway/internal/wal/waltest"
)

// segmentSizes are one that hardly a test fills and one that makes every test roll.
var segmentSizes = map[string]int64{"one segment": 64 << 10, "many segments": 4096}

func TestFileIsALog(t *testing.T) {
	for name, size := range segmentSizes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			waltest.Run(t, func(t testing.TB) waltest.Store { return store(t.TempDir(), wal.Options{SegmentSize: size}) })
		})
	}
}

func TestFileIsLikeASlice(t *testing.T) {
	for name, size := range segmentSizes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			waltest.Model(t, func(testing.TB) waltest.Store {
				return store("/data/log", wal.Options{SegmentSize: size, FS: wal.NewTestDisk()})
			})
		})
	}
}

func store(dir string, o wal.Options) waltest.Store {
	return func() (wal.Log, error) {
		l, _, err := wal.Open(dir, o)
		return l, err
	}
}

// Frames of 100 KiB pass the filling now and then; segments end where they should.
func TestFilledSegmentsOnDisk(t *testing.T) {
	const segmentSize = 6 << 20
	dir := filepath.Join(t.TempDir(), "made", "by", "open")
	l, r, err := wal.Open(dir, wal.Options{SegmentSize: segmentSize, NewEpoch: func() string { return "e-1" }})
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(r, wal.Recovery{Segments: 1, First: 1, Began: true}) || l.Lineage()[0].Name != "e-1" {
		t.Errorf("a new log: %+v, %v", r, l.Lineage())
	}
	record := make([]byte, 100<<10)
	for i := range record {
		record[i] = 'x'
	}
	const groups = 130
	for n := range uint64(groups) {
		if err := l.Append(n+1, wal.Records(record), n); err != nil {
			t.Fatal(err)
		}
	}
	if l.Size() < groups*int64(len(record)) {
		t.Errorf("Size %d", l.Size())
	}
	size := l.Size()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob(filepath.Join(dir, "*.log"))
	if err != nil || len(names) != 3 {
		t.Fatalf("segments %q, %v", names, err)
	}
	for _, name := range names {
		info, err := os.Stat(name)
		if err != nil || info.Size() > segmentSize || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %d bytes, mode %v, %v", name, info.Size(), info.Mode(), err)
		}
	}
	l, r, err = wal.Open(dir, wal.Options{SegmentSize: segmentSize})
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(r, wal.Recovery{Segments: 3, First: 1, Last: groups}) || l.Size() != size || l.Committed() != groups-1 {
		t.Errorf("opened again: %+v, size %d, committed %d", r, l.Size(), l.Committed())
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}
