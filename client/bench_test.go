package client

import (
	"context"
	"fmt"
	"strings"
	"testing"
)

// entriesOf is a delta of n commits of one entry each, after seq_no after.
func entriesOf(after, n int) string {
	var entries []string
	for i := range n {
		entries = append(entries, fmt.Sprintf(`{"seq_no":%d,"type":"node.put","node_id":%d,"at":"2026-01-02T03:04:05.678Z","actor":"token:0123456789abcdef",`+
			`"data":{"node_id":%d,"hostname":"host-%d.example","external_id":"person%d@corp.example","tags":["a","b"],"created_at":"2026-01-02T03:04:05.678Z"}}`,
			after+i+1, i+1, i+1, after+i, i))
	}
	return fmt.Sprintf(`{"type":"delta","epoch":"e","prev_seq_no":%d,"seq_no":%d,"entries":[%s]}`, after, after+n, strings.Join(entries, ","))
}

// BenchmarkAccept checks deltas and groups their entries, decoding none.
func BenchmarkAccept(b *testing.B) {
	for _, n := range []int{1, 800} {
		b.Run(fmt.Sprint(n, " entries"), func(b *testing.B) {
			frame := []byte(entriesOf(4, n))
			b.SetBytes(int64(len(frame)))
			b.ReportAllocs()
			for b.Loop() {
				s := stream{epoch: "e", seqNo: 4, based: true}
				if _, err := s.accept(frame); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "entries/s")
		})
	}
}

// BenchmarkState applies deltas to a copy of 100,000 nodes.
func BenchmarkState(b *testing.B) {
	for _, n := range []int{1, 800} {
		b.Run(fmt.Sprint(n, " entries"), func(b *testing.B) {
			s := stream{epoch: "e", seqNo: 0, based: true}
			state := NewState()
			take := func(frame string) {
				f, err := s.accept([]byte(frame))
				if err == nil {
					err = state.Delta(context.Background(), f.(*Delta))
				}
				if err != nil {
					b.Fatal(err)
				}
			}
			take(entriesOf(0, 100_000))
			frames := []string{entriesOf(100_000, n), entriesOf(100_000, n)}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				s.seqNo = 100_000
				take(frames[i%2])
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "entries/s")
		})
	}
}

// BenchmarkSnapshot loads a snapshot part after part.
func BenchmarkSnapshot(b *testing.B) {
	const parts, rows = 50, 1000
	var frames []*SnapshotPart
	s := stream{epoch: "e"}
	for p := range parts {
		var list []string
		for i := range rows {
			list = append(list, fmt.Sprintf(`{"node_id":%d,"hostname":"host-%d.example","external_id":"person%d@corp.example","tags":["a","b"],"created_at":"2026-01-02T03:04:05.678Z"}`,
				p*rows+i+1, i, p*rows+i))
		}
		f, err := s.accept(fmt.Appendf(nil, `{"type":"snapshot","epoch":"e","seq_no":4,"snapshot":{"nodes":[%s]},"more":%t}`, strings.Join(list, ","), p < parts-1))
		if err != nil {
			b.Fatal(err)
		}
		frames = append(frames, f.(*SnapshotPart))
	}
	state := NewState()
	b.ReportAllocs()
	for b.Loop() {
		for _, part := range frames {
			if err := state.Snapshot(context.Background(), part); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(parts*rows*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
