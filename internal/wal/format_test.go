package wal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

var (
	drawRecord = rapid.SliceOfN(rapid.ByteRange(1, 255), 1, 1500)
	drawGroup  = rapid.SliceOfN(drawRecord, 1, 8)
	drawEpochs = rapid.SliceOfNDistinct(rapid.StringMatching(`[0-9A-Za-z-]{1,64}`), 1, 30, rapid.ID[string])
)

func TestSegmentHeaderRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := segmentHeader{first: rapid.Uint64Range(1<<20, 1<<60).Draw(t, "first")}
		for i, name := range drawEpochs.Draw(t, "epochs") {
			want.lineage = append(want.lineage, Epoch{Name: name, SeqNo: uint64(i)})
		}
		b := encodeSegmentHeader(&want)
		n, err := headerLen(b, segmentMagic, segmentVersion)
		if err != nil || n != int64(len(b)) || n%sectorSize != 0 {
			t.Fatalf("length %d of %d bytes: %v", n, len(b), err)
		}
		got, err := decodeSegmentHeader(b)
		if err != nil {
			t.Fatal(err)
		}
		if got.first != want.first || got.seed != want.seed || got.length != want.length || !slices.Equal(got.lineage, want.lineage) {
			t.Fatalf("got %+v, want %+v", got, want)
		}
	})
}

func TestFrameRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		records := drawGroup.Draw(t, "records")
		seed := rapid.Uint32().Draw(t, "seed")
		first := rapid.Uint64Range(1, 1<<60).Draw(t, "first")
		for i := range records {
			if rapid.IntRange(0, 9).Draw(t, "long") == 0 {
				records[i] = bytes.Repeat([]byte("long"), ownPiece/4+rapid.IntRange(-1, 9).Draw(t, "longer by"))
			}
		}
		b, h := wholeFrame(seed, first, first-1, records)
		if n, err := bodyLen(Records(records...)); err != nil || n != h.bodyLen || int64(len(b)) != h.size() || len(b)%frameAlign != 0 {
			t.Fatalf("frame of %d bytes, size %d, body %d, foreseen %d, %v", len(b), h.size(), h.bodyLen, n, err)
		}
		got, err := decodeFrameHeader(b, seed)
		if err != nil || got != h {
			t.Fatalf("got %+v, %v, want %+v", got, err, h)
		}
		if bytes.IndexByte(b[frameHeaderLen:], 0) >= 0 {
			t.Fatal("the body holds a zero byte")
		}
		if _, err := decodeFrameHeader(b, seed+1); err == nil {
			t.Fatal("the header is taken for one of another segment")
		}
		if checkBody(h, b[frameHeaderLen:], seed+1) {
			t.Fatal("the body is taken for one of another segment")
		}
		n := 0
		err = eachRecord(h, b[frameHeaderLen:][:h.bodyLen], func(seqNo uint64, record []byte) error {
			if seqNo != first+uint64(n) || !bytes.Equal(record, records[n]) {
				t.Fatalf("record %d: seq_no %d, %q, want %q", n, seqNo, record, records[n])
			}
			n++
			return nil
		})
		if err != nil || n != len(records) {
			t.Fatalf("%d of %d records, %v", n, len(records), err)
		}
	})
}

func TestNeverWritten(t *testing.T) {
	for name, c := range map[string]struct {
		offset  int64
		content []int // lengths of runs, ones and zeros in turn
		want    bool
	}{
		"written":                 {32, []int{2000}, false},
		"zeros within a sector":   {0, []int{1, 510, 1}, false},
		"zeros across an edge":    {0, []int{256, 512, 256}, false},
		"first part missing":      {480, []int{0, 32, 512}, true},
		"middle sector missing":   {32, []int{480, 512, 100}, true},
		"last part missing":       {32, []int{480, 32}, true},
		"all but one byte lost":   {0, []int{1, 511, 0, 512}, true},
		"nothing there to judge":  {32, nil, false},
		"last byte of a sector":   {0, []int{0, 511, 1}, false},
		"alone in its own sector": {512, []int{0, 32}, true},
	} {
		var b []byte
		for i, n := range c.content {
			b = append(b, bytes.Repeat([]byte{byte(1 - i%2)}, n)...)
		}
		if got := neverWritten(b, c.offset); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestLimitsAreCheckedBeforeWriting(t *testing.T) {
	half := make([]byte, maxBody/2)
	if _, err := bodyLen(Records(half, half)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a body with its lengths over the limit: %v, want ErrTooLarge", err)
	}
	if n, err := bodyLen(Records(half)); err != nil || n != maxBody/2 {
		t.Errorf("a body within the limit: %d, %v", n, err)
	}
	if _, err := bodyLen(make([]Record, maxRecords+1)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("too many records: %v, want ErrTooLarge", err)
	}
}

// FuzzFrame decodes anything as a frame: no panic, and what is accepted encodes to the same bytes.
func FuzzFrame(f *testing.F) {
	const seed = 7
	for _, records := range [][][]byte{{[]byte("one")}, {[]byte("one"), []byte("two")}, {bytes.Repeat([]byte("long"), 200), []byte("x")}} {
		b, _ := wholeFrame(seed, 5, 4, records)
		f.Add(b)
	}
	seal, _ := appendSeal(nil, seed, 9, 8)
	f.Add(seal)
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < frameHeaderLen {
			return
		}
		// A checksum that holds lets the fuzzer reach what lies behind it.
		h, err := decodeFrameHeader(withHeaderSum(b, seed), seed)
		if err != nil || h.size() > int64(len(b)) || h.kind == kindSeal {
			return
		}
		var records [][]byte
		err = eachRecord(h, b[frameHeaderLen:][:h.bodyLen], func(_ uint64, record []byte) error {
			records = append(records, record)
			return nil
		})
		if err != nil {
			if !errors.Is(err, errFormat) {
				t.Fatalf("error %v", err)
			}
			return
		}
		if _, again := wholeFrame(seed, h.first, h.committed, records); again.count != h.count || again.bodyLen > h.bodyLen {
			t.Fatalf("%+v encodes to %+v", h, again)
		}
	})
}

// withHeaderSum copies a frame and gives its header the checksum that it needs.
func withHeaderSum(b []byte, seed uint32) []byte {
	b = slices.Clone(b)
	binary.LittleEndian.PutUint32(b[28:], crc32.Update(seed, castagnoli, b[:28]))
	return b
}

// FuzzSegment opens a log whose only segment holds anything behind its header: no panic, it is refused or it is read,
// and what is read once is read again.
func FuzzSegment(f *testing.F) {
	h := segmentHeader{first: 1, lineage: []Epoch{{Name: "one"}}}
	head := encodeSegmentHeader(&h)
	lone, _ := wholeFrame(h.seed, 1, 1, [][]byte{[]byte("one")})
	group, _ := wholeFrame(h.seed, 2, 1, [][]byte{[]byte("two"), bytes.Repeat([]byte("three"), 200)})
	seal, _ := appendSeal(nil, h.seed, 4, 3)
	for _, frames := range [][][]byte{nil, {lone}, {lone, group}, {lone, group, seal}, {lone, make([]byte, 600), group}, {lone, group[:40]}, {group}} {
		f.Add(slices.Concat(frames...))
	}
	var mark [sectorSize]byte
	encodeCommitMark(&mark, commitMark{epoch: "one"})
	f.Fuzz(func(t *testing.T, frames []byte) {
		d := diskOf(map[string][]byte{
			segmentPath(crashDir, 1):               slices.Concat(head, frames),
			filepath.Join(crashDir, committedName): mark[:],
		})
		var before []string
		for round := range 2 {
			l, r, err := Open(crashDir, Options{FS: d, SegmentSize: smallSegment})
			if errors.Is(err, ErrDamaged) && round == 0 {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got := contents(t, l)
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			if round == 1 && (!slices.Equal(got, before) || r.Torn != nil) {
				t.Fatalf("opened again: %q, %+v, before: %q", got, r.Torn, before)
			}
			before = got
		}
	})
}

// FuzzSegmentHeader decodes anything as a header: no panic, and what is accepted encodes to the same bytes.
func FuzzSegmentHeader(f *testing.F) {
	for _, lineage := range [][]Epoch{{{Name: "one"}}, {{Name: "one"}, {Name: "two-2", SeqNo: 8}}} {
		b := encodeSegmentHeader(&segmentHeader{first: 9, lineage: lineage})
		f.Add(slices.Clone(b))
		b[fixedHeaderLen+8] = 255 // a name longer than any
		f.Add(b)
	}
	// The longest name that a byte can announce.
	long := encodeSegmentHeader(&segmentHeader{first: 9, lineage: []Epoch{{Name: "one"}}})
	long[fixedHeaderLen+8] = 255
	f.Add(long)
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < sectorSize {
			return
		}
		b = slices.Clone(b)
		n, err := headerLen(b, segmentMagic, segmentVersion)
		if err == nil && n <= int64(len(b)) {
			b = b[:n]
			// A checksum that holds lets the fuzzer reach what lies behind it.
			binary.LittleEndian.PutUint32(b[28:], sumAround(b, 28))
			var h segmentHeader
			if h, err = decodeSegmentHeader(b); err == nil && len(b) == sectorSize {
				if again := encodeSegmentHeader(&h); !bytes.Equal(again, b) {
					t.Fatalf("%+v encodes to\n%x, not\n%x", h, again, b)
				}
			}
		}
		if err != nil && !errors.Is(err, errFormat) {
			t.Fatalf("error %v", err)
		}
	})
}

// In what pieces a record is handed in cannot be seen in the file.
func TestPiecesOfRecordsDoNotShow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		whole := drawGroup.Draw(t, "records")
		cut := make([]Record, len(whole))
		for i := range whole {
			if rapid.Bool().Draw(t, "long") {
				whole[i] = bytes.Repeat([]byte("long"), ownPiece/4+rapid.IntRange(-1, 9).Draw(t, "longer by"))
			}
			rest := whole[i]
			for range rapid.IntRange(0, 4).Draw(t, "cuts") {
				at := rapid.IntRange(0, len(rest)).Draw(t, "cut")
				cut[i], rest = append(cut[i], rest[:at]), rest[at:]
			}
			cut[i] = append(cut[i], rest)
		}
		want, _ := wholeFrame(7, 1, 0, whole)
		pieces, _, _ := encodeFrame(nil, 7, 1, 0, cut)
		if got := slices.Concat(pieces...); !bytes.Equal(got, want) {
			t.Fatalf("%d bytes, not the %d of records in one piece each", len(got), len(want))
		}
		if last := pieces[len(pieces)-1]; len(pieces) > 1 && len(last) < ownTail {
			t.Fatalf("the last piece has %d bytes", len(last))
		}
	})
}

// wholeFrame is encodeFrame with the pieces in one.
func wholeFrame(seed uint32, first, committed uint64, records [][]byte) ([]byte, frameHeader) {
	pieces, h, _ := encodeFrame(nil, seed, first, committed, Records(records...))
	return slices.Concat(pieces...), h
}
