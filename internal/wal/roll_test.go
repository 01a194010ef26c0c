package wal

import (
	"bytes"
	"testing"
)

// A segment ends within its size, seal included, however the frames fall. A frame that is larger than a segment has
// one of its own.
func TestSegmentsKeepTheirSize(t *testing.T) {
	const size = 1024
	for length := 1; length < size; length += 7 {
		d := newDisk(1)
		l, _, err := Open(crashDir, Options{FS: d, SegmentSize: size})
		if err != nil {
			t.Fatal(err)
		}
		for i, n := range []int{length, 100, 2000, 3000, 60} {
			if err := l.Append(uint64(i+1), Records(bytes.Repeat([]byte("x"), n)), 0); err != nil {
				t.Fatal(err)
			}
		}
		next := l.Last() + 1
		for i := len(l.segments) - 1; i >= 0; i-- {
			s := l.segments[i]
			if s.first >= next {
				t.Fatalf("first record of %d bytes: a segment of seq_no %d to %d", length, s.first, next-1)
			}
			if s.end > size && next-s.first > 1 {
				t.Errorf("first record of %d bytes: the segment of seq_no %d to %d ends at %d", length, s.first, next-1, s.end)
			}
			if got := len(d.names[s.path].cache); int64(got) < s.end || s.end <= size && got > size {
				t.Errorf("first record of %d bytes: the file of seq_no %d has %d bytes, its frames end at %d", length, s.first, got, s.end)
			}
			next = s.first
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// slowDisk holds each sync until it is told to go on.
type slowDisk struct {
	*disk
	syncing chan struct{} // nil: syncs go through
	release chan struct{}
}

func (d *slowDisk) Open(path string, flag int) (Handle, error) {
	h, err := d.disk.Open(path, flag)
	return slowHandle{h, d}, err
}

type slowHandle struct {
	Handle
	disk *slowDisk
}

func (h slowHandle) Sync() error {
	if h.disk.syncing != nil {
		h.disk.syncing <- struct{}{}
		<-h.disk.release
	}
	return h.Handle.Sync()
}

func TestMarksAndReadersDoNotWaitForTheDisk(t *testing.T) {
	d := &slowDisk{disk: newDisk(1)}
	l, _, err := Open(crashDir, Options{FS: d})
	if err != nil {
		t.Fatal(err)
	}
	var h history
	if err := h.append(l, [][]int{{20, 20, 20, 20}}); err != nil {
		t.Fatal(err)
	}
	d.syncing, d.release = make(chan struct{}), make(chan struct{})
	done := make(chan error)
	go func() { done <- l.Append(5, Records([]byte("x"), []byte("y")), 5) }()
	<-d.syncing
	if got := contents(t, l); len(got) != 4 {
		t.Errorf("%d records can be read while the fifth is being written", len(got))
	}
	if err := l.MarkCommitted(5); err == nil {
		t.Error("a commit was marked before it was durable")
	}
	if l.Committed() != 4 {
		t.Errorf("Committed %d before the group is durable, want 4", l.Committed())
	}
	d.release <- struct{}{}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if l.Last() != 6 || l.Committed() != 5 {
		t.Errorf("Last %d, Committed %d, want 6 and 5", l.Last(), l.Committed())
	}

	// A mark that overtakes a group stays.
	go func() { done <- l.Append(7, Records([]byte("z")), 0) }()
	<-d.syncing
	if err := l.MarkCommitted(6); err != nil {
		t.Fatal(err)
	}
	d.release <- struct{}{}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if l.Committed() != 6 {
		t.Errorf("Committed %d after a mark that came while a group was written, want 6", l.Committed())
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}
