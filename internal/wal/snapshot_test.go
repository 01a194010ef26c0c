package wal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/zstd"
	"pgregory.net/rapid"
)

var someSnapshot = Snapshot{SeqNo: 9, Lineage: []Epoch{{Name: "one"}, {Name: "two", SeqNo: 9}}, Rows: 3, Digest: 1 << 60}

// encodeRows encodes a snapshot with these rows.
func encodeRows(t testing.TB, s Snapshot, rows []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := EncodeSnapshot(&b, s, writeInPieces(rows)); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// decodeRows decodes a snapshot whole.
func decodeRows(b []byte) (Snapshot, []byte, error) {
	var got Snapshot
	var rows []byte
	err := DecodeSnapshot(bytes.NewReader(b), func(s Snapshot, r io.Reader) (err error) {
		got = s
		rows, err = io.ReadAll(r)
		return err
	})
	return got, rows, err
}

func sameSnapshot(a, b Snapshot) bool {
	return a.SeqNo == b.SeqNo && a.Rows == b.Rows && a.Digest == b.Digest && slices.Equal(a.Lineage, b.Lineage)
}

func TestSnapshotRoundTrip(t *testing.T) {
	t.Parallel()
	sizes := rapid.OneOf(rapid.IntRange(0, 2000), rapid.SampledFrom([]int{blockRows - 1, blockRows, blockRows + 1, 2 * blockRows, 3*blockRows + 7}))
	rapid.Check(t, func(t *rapid.T) {
		want := Snapshot{SeqNo: rapid.Uint64Range(1<<10, maxSeqNo).Draw(t, "seq_no"), Rows: rapid.Uint64().Draw(t, "rows"), Digest: rapid.Uint64().Draw(t, "digest")}
		for i, name := range drawEpochs.Draw(t, "epochs") {
			want.Lineage = append(want.Lineage, Epoch{Name: name, SeqNo: uint64(i)})
		}
		rows := make([]byte, sizes.Draw(t, "size"))
		// From what cannot be compressed to what is all the same.
		rng, kinds := rand.New(rand.NewPCG(1, 2)), rapid.SampledFrom([]int{1, 4, 256}).Draw(t, "kinds of bytes")
		for i := range rows {
			rows[i] = byte(rng.IntN(kinds))
		}
		piece := rapid.IntRange(1, 2*blockRows).Draw(t, "piece")
		var b bytes.Buffer
		err := EncodeSnapshot(&b, want, func(w io.Writer) error {
			for p := range slices.Chunk(rows, piece) {
				if n, err := w.Write(p); err != nil || n != len(p) {
					return fmt.Errorf("%d of %d bytes written, %w", n, len(p), err)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		got, read, err := decodeRows(b.Bytes())
		if err != nil || !sameSnapshot(got, want) || !bytes.Equal(read, rows) {
			t.Fatalf("got %+v with %d bytes of rows, %v, want %+v with %d", got, len(read), err, want, len(rows))
		}
		if len(rows) > blockRows/10 {
			return
		}
		// However the bytes arrive, and however they are taken.
		err = DecodeSnapshot(iotest.HalfReader(&b), func(_ Snapshot, r io.Reader) error {
			return iotest.TestReader(io.LimitReader(r, 1<<20), rows)
		})
		if err != nil {
			t.Fatalf("in small pieces: %v", err)
		}
	})
}

// smallRows fill three blocks and are small when compressed.
var smallRows = bytes.Repeat([]byte("row after row after row\n"), 2*blockRows/24+100)

func TestEveryChangedByteOfASnapshotIsFound(t *testing.T) {
	t.Parallel()
	whole := encodeRows(t, someSnapshot, smallRows)
	refused := func(what string, b []byte) {
		t.Helper()
		_, _, err := decodeRows(b)
		if damage := (*DamageError)(nil); !errors.As(err, &damage) || !errors.Is(err, ErrDamaged) || damage.Reason == "" || damage.Offset > int64(len(b)) {
			t.Fatalf("%s of %d bytes: %v, want a DamageError", what, len(whole), err)
		}
	}
	for at := range whole {
		for how, c := range changesOf(whole[at], at) {
			changed := slices.Clone(whole)
			changed[at] = c
			refused(fmt.Sprintf("byte %d %s", at, how), changed)
		}
		refused(fmt.Sprintf("cut off at %d", at), whole[:at])
	}
	refused("a byte more", append(slices.Clone(whole), 0))
	refused("twice", slices.Concat(whole, whole))
}

// blocksOf cuts a snapshot into its header, its blocks and its end.
func blocksOf(t testing.TB, b []byte) [][]byte {
	t.Helper()
	n, err := headerLen(b, snapshotMagic, snapshotVersion)
	if err != nil {
		t.Fatal(err)
	}
	parts := [][]byte{b[:n]}
	for b = b[n:]; len(b) > 0; {
		n := blockHeadLen + int(binary.LittleEndian.Uint32(b))
		parts, b = append(parts, b[:n]), b[n:]
	}
	return parts
}

func TestBlocksOutOfPlaceAreFound(t *testing.T) {
	t.Parallel()
	rows := snapshotRows(4 * blockRows)
	parts := blocksOf(t, encodeRows(t, someSnapshot, rows))
	later := someSnapshot
	later.SeqNo++
	foreign := blocksOf(t, encodeRows(t, later, rows))
	if len(parts) != 7 {
		t.Fatalf("%d parts, want a header, five blocks and an end", len(parts))
	}
	end := len(parts) - 1
	for name, order := range map[string][][]byte{
		"first block left out": slices.Concat(parts[:1], parts[2:]),
		"block left out":       slices.Concat(parts[:2], parts[3:]),
		"last block left out":  slices.Concat(parts[:end-1], parts[end:]),
		"blocks swapped":       slices.Concat(parts[:2], [][]byte{parts[3], parts[2]}, parts[4:]),
		"block twice":          slices.Concat(parts[:3], parts[2:]),
		"end left out":         parts[:end],
		"end too early":        slices.Concat(parts[:3], parts[end:]),
		"end twice":            slices.Concat(parts, parts[end:]),
		"foreign header":       slices.Concat(foreign[:1], parts[1:]),
		"foreign first block":  slices.Concat(parts[:1], foreign[1:2], parts[2:]),
		"foreign block":        slices.Concat(parts[:2], foreign[2:3], parts[3:]),
		"foreign end":          slices.Concat(parts[:end], foreign[end:]),
		"no header":            parts[1:],
		"nothing":              nil,
	} {
		if _, got, err := decodeRows(slices.Concat(order...)); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %d bytes of rows and %v, want ErrDamaged", name, len(got), err)
		}
	}
}

// endOfRows makes an end that says so many blocks and bytes.
func endOfRows(blocks, length uint64, seed uint32) []byte {
	b := binary.LittleEndian.AppendUint64(make([]byte, blockHeadLen), blocks)
	b = binary.LittleEndian.AppendUint64(b, length)
	sealBlock(b, 0, seed)
	return b
}

func TestTheEndKnowsWhatCameBefore(t *testing.T) {
	parts := blocksOf(t, encodeRows(t, someSnapshot, smallRows))
	last := parts[len(parts)-2]
	seed := binary.LittleEndian.Uint32(last[12:])
	blocks, length := uint64(len(parts)-2), uint64(len(smallRows))
	for name, c := range map[string]struct {
		blocks, length uint64
		want           error
	}{
		"as it was":       {blocks, length, nil},
		"one block more":  {blocks + 1, length, ErrDamaged},
		"one block fewer": {blocks - 1, length, ErrDamaged},
		"a byte more":     {blocks, length + 1, ErrDamaged},
		"a byte fewer":    {blocks, length - 1, ErrDamaged},
	} {
		whole := slices.Concat(append(parts[:len(parts)-1:len(parts)-1], endOfRows(c.blocks, c.length, seed))...)
		if _, _, err := decodeRows(whole); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// A block may be large only when it is decompressed, which its head must not hide.
func TestABlockIsNeverLargerThanItMayBe(t *testing.T) {
	z, err := zstd.NewWriter(nil, zstd.WithWindowSize(blockRows))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		content []byte
		rows    int
	}{
		"more rows than announced":   {z.EncodeAll(make([]byte, blockRows), nil), blockRows - 1},
		"fewer rows than announced":  {z.EncodeAll(make([]byte, 100), nil), 101},
		"far more than a block":      {z.EncodeAll(make([]byte, 64<<20), nil), blockRows},
		"several frames, all in all": {bytes.Repeat(z.EncodeAll(make([]byte, blockRows), nil), 500), blockRows},
		"no zstd frame":              {[]byte("rows as they are"), 16},
		"nothing":                    {nil, 1},
	} {
		header, sum := encodeSnapshotHeader(someSnapshot)
		block := append(make([]byte, blockHeadLen), c.content...)
		sum = sealBlock(block, c.rows, sum)
		whole := slices.Concat(header, block, endOfRows(1, uint64(c.rows), sum))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _, err := decodeRows(whole)
		runtime.ReadMemStats(&after)
		if !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v, want ErrDamaged", name, err)
		}
		if took := after.TotalAlloc - before.TotalAlloc; took > 16<<20 {
			t.Errorf("%s: %d bytes of memory were taken", name, took)
		}
	}
}

func TestWhatRowsMakesOfASnapshot(t *testing.T) {
	whole := encodeRows(t, someSnapshot, smallRows)
	damaged := slices.Clone(whole)
	damaged[len(damaged)-endLen-blockHeadLen-1] ^= 1 // in the last block
	refusal := errors.New("refused")
	one := make([]byte, 1)
	for name, c := range map[string]struct {
		snapshot io.Reader
		rows     func(io.Reader) error
		want     error // nil, a sentinel, or the very error when it is refusal or io.EOF
	}{
		"reads nothing":                      {bytes.NewReader(whole), func(io.Reader) error { return nil }, nil},
		"reads a little":                     {bytes.NewReader(whole), func(r io.Reader) error { _, err := r.Read(one); return err }, nil},
		"reads nothing of a damaged one":     {bytes.NewReader(damaged), func(io.Reader) error { return nil }, ErrDamaged},
		"hides the damage":                   {bytes.NewReader(damaged), func(r io.Reader) error { _, _ = io.Copy(io.Discard, r); return nil }, ErrDamaged},
		"has its own word for the damage":    {bytes.NewReader(damaged), func(r io.Reader) error { _, _ = io.Copy(io.Discard, r); return refusal }, ErrDamaged},
		"refuses what is sound":              {bytes.NewReader(whole), func(r io.Reader) error { _, _ = io.Copy(io.Discard, r); return refusal }, refusal},
		"refuses before the damage":          {bytes.NewReader(damaged), func(r io.Reader) error { _, _ = r.Read(one); return refusal }, refusal},
		"returns the end as an error":        {bytes.NewReader(whole), func(r io.Reader) error { return io.EOF }, io.EOF},
		"comes from a reader that fails":     {io.MultiReader(bytes.NewReader(whole[:len(whole)-20]), iotest.ErrReader(errFault)), func(io.Reader) error { return nil }, errFault},
		"comes from a reader that ends soon": {io.MultiReader(bytes.NewReader(whole[:len(whole)-20]), iotest.ErrReader(io.ErrUnexpectedEOF)), func(io.Reader) error { return nil }, ErrDamaged},
	} {
		err := DecodeSnapshot(c.snapshot, func(_ Snapshot, r io.Reader) error { return c.rows(r) })
		if ok := errors.Is(err, c.want); !ok || (c.want == refusal || c.want == io.EOF) && err != c.want {
			t.Errorf("rows %s: %v, want %v", name, err, c.want)
		}
		if errors.Is(c.want, errFault) && errors.Is(err, ErrDamaged) {
			t.Errorf("rows %s: %v is taken for damage", name, err)
		}
	}
}

func TestAFailedWriterEndsTheSnapshot(t *testing.T) {
	rows := snapshotRows(4 * blockRows)
	size := len(encodeRows(t, someSnapshot, rows))
	for _, room := range []int{0, sectorSize, sectorSize + 1, size / 2, size - 1} {
		w := &limitedWriter{room: room}
		calls := 0
		err := EncodeSnapshot(w, someSnapshot, func(w io.Writer) error {
			for range 2 { // the second one learns of it, even when the first did not
				calls++
				_, _ = w.Write(rows[:2*blockRows])
			}
			return nil
		})
		if !errors.Is(err, errFault) {
			t.Errorf("room for %d of %d bytes: %v, want the writer's error", room, size, err)
		}
		if w.after > 0 {
			t.Errorf("room for %d bytes: written to %d times after the failure", room, w.after)
		}
	}
}

// limitedWriter fails when it has no room left.
type limitedWriter struct {
	room  int
	after int // calls after it failed
	done  bool
}

func (w *limitedWriter) Write(p []byte) (int, error) {
	if w.done {
		w.after++
	}
	n := min(len(p), w.room)
	w.room -= n
	if n < len(p) {
		w.done = true
		return n, errFault
	}
	return n, nil
}

func TestUnusableSnapshotsAreNotEncoded(t *testing.T) {
	for name, c := range map[string]struct {
		lineage []Epoch
		seqNo   uint64
		want    error
	}{
		"no epoch":            {nil, 1, ErrEpoch},
		"unusable name":       {[]Epoch{{Name: "a b"}}, 1, ErrEpoch},
		"one after the state": {[]Epoch{{Name: "a"}, {Name: "b", SeqNo: 2}}, 1, ErrEpoch},
		"out of order":        {[]Epoch{{Name: "a", SeqNo: 1}, {Name: "b"}}, 1, ErrEpoch},
		"one twice":           {[]Epoch{{Name: "a"}, {Name: "a", SeqNo: 1}}, 1, ErrEpoch},
		"beyond all numbers":  {[]Epoch{{Name: "a"}}, maxSeqNo + 1, ErrOrder},
	} {
		err := EncodeSnapshot(io.Discard, Snapshot{SeqNo: c.seqNo, Lineage: c.lineage}, func(io.Writer) error { return nil })
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// FuzzSnapshot decodes anything as a snapshot: no panic, no memory beyond what a block takes, and what is accepted
// encodes to a snapshot of the same. The input is a header and contents of blocks, each with the length of rows that
// it claims; checksums are made to hold, so that the fuzzer reaches what lies behind them.
func FuzzSnapshot(f *testing.F) {
	for _, rows := range [][]byte{nil, []byte("row\n"), smallRows} {
		parts := blocksOf(f, encodeRows(f, someSnapshot, rows))
		var blocks []byte
		for _, p := range parts[1:] {
			blocks = binary.LittleEndian.AppendUint32(blocks, uint32(len(p)-blockHeadLen))
			blocks = append(blocks, p[4:8]...)
			blocks = append(blocks, p[blockHeadLen:]...)
		}
		f.Add(parts[0], blocks)
		f.Add(parts[0], blocks[:len(blocks)/2])
	}
	f.Fuzz(func(t *testing.T, header, blocks []byte) {
		if len(header) < sectorSize {
			return
		}
		b := slices.Clone(header)
		sum := sumAround(b, 44)
		binary.LittleEndian.PutUint32(b[44:], sum)
		for len(blocks) >= 8 {
			n, rows := binary.LittleEndian.Uint32(blocks), binary.LittleEndian.Uint32(blocks[4:])
			blocks = blocks[8:]
			content := blocks[:min(int(n), len(blocks))]
			blocks = blocks[len(content):]
			block := append(make([]byte, blockHeadLen), content...)
			sum = sealBlock(block, int(rows), sum)
			b = append(b, block...)
		}
		s, rows, err := decodeRows(b)
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Fatalf("error %v", err)
			}
			return
		}
		again, rowsAgain, err := decodeRows(encodeRows(t, s, rows))
		if err != nil || !sameSnapshot(again, s) || !bytes.Equal(rowsAgain, rows) {
			t.Fatalf("%+v with %d bytes of rows became %+v with %d, %v", s, len(rows), again, len(rowsAgain), err)
		}
	})
}
