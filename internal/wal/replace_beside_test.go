package wal

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"testing"
)

// Who reads a log that is replaced is told so, is given nothing of the new one, and takes nothing of it for damage.
func TestReadersOfALogThatIsReplaced(t *testing.T) {
	files := toReplace(t)
	for name, s := range replacements {
		for _, at := range []uint64{1, 7, 20, 21, 40} { // in the first segment, at its end and behind, at the very end
			l := openLog(t, diskOf(files), 0)
			last := uint64(0)
			err := l.Read(0, func(seqNo uint64, r []byte) error {
				if last = seqNo; seqNo == at {
					return replace(l, s)
				}
				return nil
			})
			if !errors.Is(err, ErrReplaced) || errors.Is(err, ErrDamaged) || last != at {
				t.Errorf("%s: read up to %d, then %v, want up to %d and ErrReplaced", name, last, err, at)
			}
			wantReplaced(t, name, l, s)
			appendRecords(t, l, 3)
			wantFrom(t, l)
			closeLog(t, l)
		}
		for _, at := range []uint64{20, 31, 40} {
			l := openLog(t, diskOf(files), 0)
			err := l.ReadSnapshot(at, func(_ Snapshot, r io.Reader) error {
				if err := replace(l, s); err != nil {
					return err
				}
				_, err := io.ReadAll(r)
				return err
			})
			if !errors.Is(err, ErrReplaced) || errors.Is(err, ErrDamaged) {
				t.Errorf("%s: the snapshot of %d: %v, want ErrReplaced", name, at, err)
			}
			wantReplaced(t, name, l, s)
			closeLog(t, l)
		}
	}
	// Their own errors stay theirs.
	l, own := openLog(t, diskOf(files), 0), errors.New("enough")
	s := replacements["at the end, gone on"]
	enough := func() error { return errors.Join(replace(l, s), own) }
	if err := l.Read(0, func(uint64, []byte) error { return enough() }); !errors.Is(err, own) {
		t.Errorf("Read: %v, want the error of yield", err)
	}
	if err := l.ReadSnapshot(s.SeqNo, func(Snapshot, io.Reader) error { return enough() }); !errors.Is(err, own) {
		t.Errorf("ReadSnapshot: %v, want the error of rows", err)
	}
	closeLog(t, l)
}

// hookedFS calls before each renaming.
type hookedFS struct {
	*disk
	before func(to string)
}

func (f *hookedFS) Rename(from, to string) error {
	if f.before != nil {
		f.before(filepath.Base(to))
	}
	return f.disk.Rename(from, to)
}

// While files change places nobody can read, and everything else is still said of the old log. A mark then goes into
// its file, not into that of the new one.
func TestBetweenTwoLogs(t *testing.T) {
	s := replacements["at the first snapshot, shared"]
	d := &hookedFS{disk: diskOf(toReplace(t))}
	l := openLog(t, d, 0)
	seen := map[string]bool{}
	d.before = func(to string) {
		seen[to] = true
		said := fmt.Sprint(l.First(), l.Last(), l.Committed(), l.Lineage(), l.Snapshots())
		if want := "1 40 40 [{one 0} {two 20} {three 40}] [40 31 20]"; said != want {
			t.Errorf("before %s is there: %s, want %s", to, said, want)
		}
		read := l.Read(0, func(uint64, []byte) error { return nil })
		snapshot := readWhole(l, 20)
		switch _, decided := d.names[filepath.Join(crashDir, replacingName)]; {
		case !decided && errors.Join(read, snapshot) != nil:
			t.Errorf("before %s is there: %v, %v", to, read, snapshot)
		case decided && !(errors.Is(read, ErrReplaced) && errors.Is(snapshot, ErrReplaced)):
			t.Errorf("before %s is there: %v and %v, want ErrReplaced", to, read, snapshot)
		}
		if err := l.MarkCommitted(40); err != nil {
			t.Errorf("before %s is there: %v", to, err)
		}
	}
	if err := replace(l, s); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{replacingName, committedName, filepath.Base(segmentPath("", 21)), filepath.Base(snapshotPath("", 20))} {
		if !seen[name] {
			t.Errorf("%s was not renamed to, but %v", name, seen)
		}
	}
	wantReplaced(t, "afterwards", l, s)
	d.before = nil
	closeLog(t, l)
	l = openLog(t, d, 0)
	wantReplaced(t, "opened again", l, s)
	closeLog(t, l)
}

// Marks, reads and looks go on beside a log that is replaced again and again, each time by a shorter one.
func TestReplaceBesideEverything(t *testing.T) {
	t.Parallel()
	d := newDisk(1)
	l := openLog(t, d, 0)
	var beside sync.WaitGroup
	done := make(chan struct{})
	again := func(do func() error, may ...error) {
		beside.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				err := do()
				for _, m := range may {
					if errors.Is(err, m) {
						err = nil
					}
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	again(func() error { return l.MarkCommitted(l.Last()) }, ErrOrder, ErrReplaced)
	again(func() error { return l.Read(l.First()-1, func(uint64, []byte) error { return nil }) }, ErrCut, ErrReplaced)
	again(func() error {
		for _, seqNo := range l.Snapshots() {
			if err := l.ReadSnapshot(seqNo, takeAll); err != nil {
				return err
			}
		}
		return nil
	}, ErrNoSnapshot, ErrReplaced)
	again(func() error { return save(l, l.Last()) }, ErrOrder)
	again(func() error { return l.Cut(l.Committed()) })
	for n := range uint64(8) {
		appendRecords(t, l, 12)
		s := Snapshot{SeqNo: 1000 - 13*n, Lineage: []Epoch{{fmt.Sprintf("epoch-%d", n), 0}}}
		if err := replace(l, s); err != nil {
			t.Fatal(err)
		}
		if l.Last() != s.SeqNo || l.Committed() != s.SeqNo || l.First() != s.SeqNo+1 {
			t.Fatalf("First %d, Last %d, Committed %d after %d came in the place of the log", l.First(), l.Last(), l.Committed(), s.SeqNo)
		}
	}
	close(done)
	beside.Wait()
	last := l.Last()
	closeLog(t, l)
	if err := Verify(crashDir, d, nil); err != nil {
		t.Error(err)
	}
	l = openLog(t, d, 0)
	if l.Last() != last || l.Committed() != last {
		t.Errorf("opened again: Last %d, Committed %d, want %d", l.Last(), l.Committed(), last)
	}
	closeLog(t, l)
}

// What is begun while rows are written counts for the new log.
func TestWritingWaitsForReplace(t *testing.T) {
	l := openLog(t, diskOf(toReplace(t)), 0)
	s := replacements["beyond the end, gone on elsewhere"]
	var begun sync.WaitGroup
	errs := map[string]error{"Append": nil, "SaveSnapshot": nil, "Cut": nil}
	var mu sync.Mutex
	try := func(what string, do func() error) {
		begun.Add(1)
		started := make(chan struct{})
		go func() {
			defer begun.Done()
			close(started)
			err := do()
			mu.Lock()
			defer mu.Unlock()
			errs[what] = err
		}()
		<-started
	}
	err := l.Replace(s, func(w io.Writer) error {
		try("Append", func() error { return l.Append(41, Records([]byte("x")), 0) })
		try("SaveSnapshot", func() error { return save(l, 40) })
		try("Cut", func() error { return l.Cut(40) })
		for range 50 {
			if _, err := w.Write(noise(1 << 16)); err != nil {
				return err
			}
			if l.Last() != 40 || l.First() != 1 || len(l.Snapshots()) != 3 {
				t.Errorf("while rows are written the log holds %d to %d and snapshots of %v", l.First(), l.Last(), l.Snapshots())
			}
		}
		return l.Read(0, func(uint64, []byte) error { return nil })
	})
	if err != nil {
		t.Fatal(err)
	}
	begun.Wait()
	if !errors.Is(errs["Append"], ErrOrder) || !errors.Is(errs["SaveSnapshot"], ErrOrder) || errs["Cut"] != nil {
		t.Errorf("what waited ended with %v", errs)
	}
	closeLog(t, l)
}

func TestCloseEndsAReplaceUnderWay(t *testing.T) {
	files := toReplace(t)
	old, _ := outcomes(t, files)
	d := diskOf(files)
	l := openLog(t, d, 0)
	begun, closed := make(chan struct{}), make(chan error)
	go func() {
		<-begun
		closed <- l.Close()
	}()
	rows := noise(1 << 20)
	err := l.Replace(replacements["at the end, gone on"], func(w io.Writer) error {
		close(begun)
		for {
			if _, err := w.Write(rows); err != nil {
				return err
			}
		}
	})
	if !errors.Is(err, ErrClosed) {
		t.Errorf("Replace: %v, want ErrClosed", err)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if names, err := listFolder(d, crashDir); err != nil || len(names.halves) > 0 {
		t.Errorf("left: %+v, %v", names, err)
	}
	l = openLog(t, d, 0)
	if described(t, l) != old {
		t.Error("the log has changed")
	}
	closeLog(t, l)
}
