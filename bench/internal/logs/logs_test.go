package logs

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// groups cuts records into groups of 1, 2, 3 … records.
func groups(records [][]byte) [][][]byte {
	var all [][][]byte
	for n := 1; len(records) > 0; n++ {
		n = min(n, len(records))
		all = append(all, records[:n])
		records = records[n:]
	}
	return all
}

func appendAll(t *testing.T, l Log, records [][]byte) {
	t.Helper()
	first := uint64(1)
	for _, g := range groups(records) {
		if err := l.Append(first, g); err != nil {
			t.Fatalf("append %d records from %d on: %v", len(g), first, err)
		}
		first += uint64(len(g))
	}
}

// mustHold fails unless a reader on dir yields exactly these records.
func mustHold(t *testing.T, c Candidate, dir string, want [][]byte) {
	t.Helper()
	r, err := c.Reader(dir)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	err = r.Each(func(record []byte) error {
		if n < len(want) && !bytes.Equal(record, want[n]) {
			return fmt.Errorf("record %d is %.60q, want %.60q", n+1, record, want[n])
		}
		n++
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if n != len(want) {
		t.Errorf("read %d records, want %d", n, len(want))
	}
	if c.Cut != nil && c.Cut(r) {
		t.Error("the log says that it cut off a write")
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

func TestPeersGiveBackWhatTheyTook(t *testing.T) {
	records := Records(rand.New(rand.NewPCG(1, 1)), 300, 200)
	for _, c := range Peers() {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			l, err := c.Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			appendAll(t, l, records)
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			mustHold(t, c, dir, records)
		})
	}
}

func TestPeersKeepNoSlices(t *testing.T) {
	records := Records(rand.New(rand.NewPCG(1, 2)), 50, 200)
	for _, c := range Peers() {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			l, err := c.Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			buf := make([]byte, 200)
			for i, r := range records {
				copy(buf, r)
				if err := l.Append(uint64(i)+1, [][]byte{buf}); err != nil {
					t.Fatal(err)
				}
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			mustHold(t, c, dir, records)
		})
	}
}

func TestPebbleRolls(t *testing.T) {
	records := Records(rand.New(rand.NewPCG(1, 3)), 2000, 200)
	dir := t.TempDir()
	l, err := openPebble(dir, 64<<10, false)
	if err != nil {
		t.Fatal(err)
	}
	appendAll(t, l, records)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if l.num < 3 {
		t.Errorf("400 KB went into %d files of 64 KiB", l.num)
	}
	mustHold(t, pebbleLog, dir, records)
}

func TestPebbleRecycles(t *testing.T) {
	records := Records(rand.New(rand.NewPCG(1, 4)), 2000, 200)
	dir := t.TempDir()
	l, err := openPebble(dir, 64<<10, true)
	if err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(l.path)
	if err != nil {
		t.Fatal(err)
	}
	if before.Size() < 64<<10 {
		t.Errorf("the file in use holds %d bytes before anything is written, want one that was filled", before.Size())
	}
	appendAll(t, l, records)
	after, err := os.Stat(l.path)
	if err != nil {
		t.Fatal(err)
	}
	if !os.SameFile(before, after) {
		t.Error("a new file was made where one could be written over")
	}
	if l.num < 4 {
		t.Errorf("400 KB went into %d files of 64 KiB", l.num)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if names, err := os.ReadDir(dir); err != nil || len(names) != 1 {
		t.Errorf("%d files are there (%v), want the one that is written over", len(names), err)
	}
}

func TestRawWritesTheBareRecords(t *testing.T) {
	dir := t.TempDir()
	l, err := openRaw(dir, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := l.Append(1, [][]byte{[]byte("one"), []byte("two")}); err != nil {
		t.Fatal(err)
	}
	if err := l.Append(3, [][]byte{[]byte("three")}); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "raw"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := bytes.TrimRight(b, "\x00"), "onetwothree"; string(got) != want || len(b) != 1<<20 {
		t.Errorf("the file begins with %q and holds %d bytes, want %q and %d", got, len(b), want, 1<<20)
	}
}

func TestRawBeginsAgainAtTheFront(t *testing.T) {
	l, err := openRaw(t.TempDir(), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	group := [][]byte{bytes.Repeat([]byte("x"), 700<<10)}
	for range 3 {
		if err := l.Append(1, group); err != nil {
			t.Fatal(err)
		}
		if l.pos != 700<<10 {
			t.Errorf("the next write goes to %d, want %d", l.pos, 700<<10)
		}
	}
	if err := l.Append(1, [][]byte{make([]byte, 2<<20)}); err == nil {
		t.Error("a group larger than the file was taken")
	}
	if info, err := l.file.Stat(); err != nil || info.Size() != 1<<20 {
		t.Errorf("the file grew: %v, %v", info.Size(), err)
	}
}

func TestRecordsAreOfTheSizeAndDiffer(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range Records(rand.New(rand.NewPCG(1, 5)), 100, 120) {
		if len(r) != 120 || bytes.IndexByte(r, 0) >= 0 || seen[string(r)] {
			t.Errorf("record %q: %d bytes, seen before: %v", r, len(r), seen[string(r)])
		}
		seen[string(r)] = true
	}
}
