package wal

import (
	"bytes"
	"errors"
	"os"
	"syscall"
	"testing"
)

const aheadFile = "/data/segment"

func startAhead(t *testing.T, d *disk, size int64, failed func(error)) (*zeroAhead, Handle) {
	t.Helper()
	f, err := d.Open(aheadFile, os.O_RDWR|os.O_CREATE)
	if err != nil {
		t.Fatal(err)
	}
	z, err := startZeroAhead(d, aheadFile, 0, size, failed)
	if err != nil {
		t.Fatal(err)
	}
	return z, f
}

func TestFillingGoesAheadOfTheWriter(t *testing.T) {
	const size = 10 << 20
	d := newDisk(1)
	z, f := startAhead(t, d, size, func(err error) { t.Error(err) })
	written := bytes.Repeat([]byte{'x'}, 1<<20)
	if err := z.write(f, 0, [][]byte{written}); err != nil {
		t.Fatal(err)
	}
	if err := z.stop(); err != nil {
		t.Fatal(err)
	}
	got := d.names[aheadFile].platter
	if len(got) != len(written)+fillAhead {
		t.Errorf("the file has %d bytes on disk, want %d", len(got), len(written)+fillAhead)
	}
	if !isZero(got[len(written):]) {
		t.Error("what is filled is not zero")
	}
}

func TestFillingNeverFallsOnWhatWasWritten(t *testing.T) {
	const size, frame = 5 << 20, 96 << 10
	d := newDisk(1)
	z, f := startAhead(t, d, size, func(err error) { t.Error(err) })
	var want []byte
	for i := range size / frame {
		b := bytes.Repeat([]byte{byte(1 + i%255)}, frame)
		if err := z.write(f, int64(len(want)), [][]byte{b}); err != nil {
			t.Fatal(err)
		}
		want = append(want, b...)
	}
	if err := z.stop(); err != nil {
		t.Fatal(err)
	}
	if got := d.names[aheadFile].cache; len(got) > size || !bytes.Equal(got[:len(want)], want) {
		t.Errorf("the file of %d bytes does not hold what was written", len(got))
	}
}

func TestFailedFillingIsReported(t *testing.T) {
	d := newDisk(1)
	failure := make(chan error, 1)
	z, f := startAhead(t, d, 10<<20, func(err error) { failure <- err })
	d.failAt = d.steps + 3 // past the write: in the filling
	if err := z.write(f, 0, [][]byte{[]byte("x")}); err != nil {
		t.Fatal(err)
	}
	if err := <-failure; !errors.Is(err, errFault) {
		t.Errorf("reported %v, want the fault", err)
	}
	// A write that is under way when filling fails still gets through, with nobody left to wake.
	for at := range int64(3) {
		if err := z.write(f, 1+at, [][]byte{[]byte("x")}); err != nil {
			t.Error(err)
		}
	}
	if err := z.stop(); err != nil {
		t.Fatal(err)
	}
}

// fullFS has no room for the zeros of the filling, and none for more than part of them.
type fullFS struct{ *disk }

func (d fullFS) Open(path string, flag int) (Handle, error) {
	h, err := d.disk.Open(path, flag)
	return fullHandle{h}, err
}

type fullHandle struct{ Handle }

func (h fullHandle) WriteAt(b []byte, at int64) (int, error) {
	if at < firstFill || !isZero(b) {
		return h.Handle.WriteAt(b, at)
	}
	n, _ := h.Handle.WriteAt(b[:len(b)/3], at)
	return n, syscall.ENOSPC
}

// Where there is no room to fill ahead, the writer goes on as long as there is room for what it writes.
func TestTheWriterGoesOnWithoutFilling(t *testing.T) {
	d := newDisk(1)
	l, _, err := Open(crashDir, Options{FS: fullFS{d}, Failed: func(err error) { t.Error(err) }})
	if err != nil {
		t.Fatal(err)
	}
	var h history
	var groups [][]int
	for range 40 {
		groups = append(groups, []int{100 << 10})
	}
	if err := h.append(l, groups); err != nil {
		t.Fatal(err)
	}
	closeLog(t, l)
	d.powerCut(func() bool { return false })
	h.check(t, d, "written on a disk that is full ahead", h.committed)
}
