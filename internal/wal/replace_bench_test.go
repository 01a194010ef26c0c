package wal

import (
	"io"
	"testing"
	"time"
)

// What Replace takes beyond the rows, and how long of that nothing can be written or read is "switch".
func BenchmarkReplace(b *testing.B) {
	rows := snapshotRows(64 << 20)
	l, _, err := Open(b.TempDir(), Options{SegmentSize: 4 << 20})
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	record := make([]byte, 1<<20)
	for i := range record {
		record[i] = 'x'
	}
	b.SetBytes(int64(len(rows)))
	b.ReportAllocs()
	switching := time.Duration(0)
	n := 0
	for b.Loop() {
		b.StopTimer()
		for range 64 { // an old log of 16 segments or more
			if err := l.Append(l.Last()+1, Records(record), 0); err != nil {
				b.Fatal(err)
			}
		}
		b.StartTimer()
		written := time.Time{}
		s := Snapshot{SeqNo: l.Last(), Lineage: l.Lineage()}
		err := l.Replace(s, func(w io.Writer) error {
			err := writeInPieces(rows)(w)
			written = time.Now()
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
		switching += time.Since(written)
		n++
	}
	b.ReportMetric(float64(switching.Microseconds())/1000/float64(n), "switch-ms/op")
}
