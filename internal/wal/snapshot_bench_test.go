package wal

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
)

// snapshotRows makes rows as a gateway stores them, about so many bytes.
func snapshotRows(size int) []byte {
	rng := rand.New(rand.NewPCG(1, 1))
	teams := []string{"platform", "payments", "search", "people", "field"}
	var b bytes.Buffer
	for id := 1; b.Len() < size; id++ {
		team := teams[rng.IntN(len(teams))]
		at := fmt.Sprintf("2026-%02d-%02dT%02d:%02d:%02d.%03dZ", 1+rng.IntN(12), 1+rng.IntN(28), rng.IntN(24), rng.IntN(60), rng.IntN(60), rng.IntN(1000))
		fmt.Fprintf(&b, `node {"node_id":%d,"hostname":"%s-%06x","external_id":"%x@corp.example","tags":["%s"],"created_at":"%s"}`+"\n",
			id, team, rng.IntN(1<<24), rng.Uint64N(1<<40), team, at)
		fmt.Fprintf(&b, `member {"network_id":%d,"node_id":%d,"role":"member","joined_at":"%s"}`+"\n", 1+rng.IntN(10), id, at)
	}
	return b.Bytes()
}

// writeInPieces writes rows as an encoder does, some thousand bytes at a time.
func writeInPieces(rows []byte) func(io.Writer) error {
	return func(w io.Writer) error {
		for rest := rows; len(rest) > 0; {
			n := min(len(rest), 4<<10)
			if _, err := w.Write(rest[:n]); err != nil {
				return err
			}
			rest = rest[n:]
		}
		return nil
	}
}

func BenchmarkSaveSnapshot(b *testing.B) {
	rows := snapshotRows(64 << 20)
	l, _, err := Open(b.TempDir(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	b.SetBytes(int64(len(rows)))
	b.ReportAllocs()
	for b.Loop() {
		seqNo := l.Last() + 1
		if err := l.Append(seqNo, Records([]byte("x")), 0); err != nil {
			b.Fatal(err)
		}
		if err := l.SaveSnapshot(Snapshot{SeqNo: seqNo}, writeInPieces(rows)); err != nil {
			b.Fatal(err)
		}
		if err := l.Cut(seqNo); err != nil {
			b.Fatal(err)
		}
	}
	size, err := fileSize(OSFS, snapshotPath(l.dir, l.Last()))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(len(rows))/float64(size), "ratio")
}

func BenchmarkReadSnapshot(b *testing.B) {
	rows := snapshotRows(64 << 20)
	l, _, err := Open(b.TempDir(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	if err := l.SaveSnapshot(Snapshot{}, writeInPieces(rows)); err != nil {
		b.Fatal(err)
	}
	buf := make([]byte, 64<<10)
	b.SetBytes(int64(len(rows)))
	b.ReportAllocs()
	for b.Loop() {
		err := l.ReadSnapshot(0, func(_ Snapshot, r io.Reader) error {
			for {
				if _, err := r.Read(buf); err != nil {
					return nil // what comes of it is ReadSnapshot's to say
				}
			}
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}
