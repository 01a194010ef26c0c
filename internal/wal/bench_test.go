package wal

import (
	"bytes"
	"fmt"
	"testing"
)

func BenchmarkAppend(b *testing.B) {
	for _, n := range []int{1, 64} {
		b.Run(fmt.Sprintf("records=%d", n), func(b *testing.B) {
			l, _, err := Open(b.TempDir(), Options{})
			if err != nil {
				b.Fatal(err)
			}
			defer l.Close()
			group := make([][]byte, n)
			for i := range group {
				group[i] = bytes.Repeat([]byte("x"), 150)
			}
			last := uint64(0)
			b.ReportAllocs()
			for b.Loop() {
				if err := l.Append(last+1, Records(group...), last); err != nil {
					b.Fatal(err)
				}
				last += uint64(n)
			}
			b.ReportMetric(float64(last)/b.Elapsed().Seconds(), "records/s")
		})
	}
}

func BenchmarkMarkCommitted(b *testing.B) {
	l, _, err := Open(b.TempDir(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	if err := l.Append(1, Records([]byte("x")), 0); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		l.mark.written = 0 // so that each call writes
		if err := l.MarkCommitted(1); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	dir := b.TempDir()
	l, _, err := Open(dir, Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	group := make([][]byte, 1000)
	for i := range group {
		group[i] = bytes.Repeat([]byte("x"), 150)
	}
	for range 200 {
		if err := l.Append(l.Last()+1, Records(group...), 0); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("all", func(b *testing.B) {
		n := 0
		for b.Loop() {
			if err := l.Read(0, func(uint64, []byte) error { n++; return nil }); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "records/s")
	})
	b.Run("newest", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := l.Read(l.Last()-1, func(uint64, []byte) error { return nil }); err != nil {
				b.Fatal(err)
			}
		}
	})
}
