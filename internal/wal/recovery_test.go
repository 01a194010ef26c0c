package wal

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
)

// Recovery writes too. An accident in the middle of it loses nothing either, and is not taken for damage by the next.
func TestAccidentWhileRecovering(t *testing.T) {
	die := func(d *disk, n int) { d.dieAt = n }
	fail := func(d *disk, n int) { d.failAt = n }
	powerCut := func(d *disk) { d.powerCut(d.coin) }
	for name, accident := range map[string]struct {
		set   func(d *disk, step int)
		after func(d *disk)
	}{
		"kill":                  {die, (*disk).restart},
		"power cut":             {die, powerCut},
		"failure":               {fail, (*disk).restart},
		"failure and power cut": {fail, powerCut},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			recovering := 0 // accidents that fell into a recovery
			for step := 1; ; step++ {
				for second := 1; ; second++ {
					what := fmt.Sprintf("accidents at step %d and at step %d of recovering", step, second)
					d, h := newDisk(uint64(step)), &history{}
					accident.set(d, step)
					if err := h.work(d, 2048, smallGroups); err == nil {
						if recovering < 100 {
							t.Errorf("only %d accidents fell into a recovery", recovering)
						}
						return
					}
					accident.after(d)
					accident.set(d, second)
					l, _, err := Open(crashDir, Options{FS: d, SegmentSize: 2048})
					if err == nil {
						_ = l.Close()
						break
					}
					if errors.Is(err, ErrDamaged) {
						t.Fatalf("%s: an accident is taken for damage: %v", what, err)
					}
					recovering++
					accident.after(d)
					h.check(t, d, what, 0)
					d.powerCut(func() bool { return false })
					h.check(t, d, what+", after another power cut", h.committed)
					for file := range d.image() {
						if filepath.Ext(file) == tempSuffix {
							t.Fatalf("%s: %s was left", what, file)
						}
					}
				}
			}
		})
	}
}

// countingFS fails one of its calls that read or open, and knows what is open.
type countingFS struct {
	FS
	mu     sync.Mutex
	calls  int
	failAt int // the call that fails, 0 for none
	opened int // what is open now
}

// call counts one call and tells whether it may happen.
func (c *countingFS) call() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.calls++; c.calls == c.failAt {
		return errFault
	}
	return nil
}

func (c *countingFS) isOpen() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.opened
}

func (c *countingFS) MkdirAll(dir string) error { return errors.Join(c.call(), c.FS.MkdirAll(dir)) }

func (c *countingFS) List(dir string) ([]string, error) {
	if err := c.call(); err != nil {
		return nil, err
	}
	return c.FS.List(dir)
}

func (c *countingFS) Open(path string, flag int) (Handle, error) {
	if err := c.call(); err != nil {
		return nil, err
	}
	h, err := c.FS.Open(path, flag)
	if err != nil {
		return nil, err
	}
	return &countedHandle{h, c.count(h)}, nil
}

func (c *countingFS) Lock(path string) (io.Closer, error) {
	if err := c.call(); err != nil {
		return nil, err
	}
	lock, err := c.FS.Lock(path)
	if err != nil {
		return nil, err
	}
	return c.count(lock), nil
}

func (c *countingFS) count(closer io.Closer) *counted {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.opened++
	return &counted{fs: c, closer: closer}
}

// counted is something open. Closing it twice is an error, as it is with real files.
type counted struct {
	fs     *countingFS
	closer io.Closer
	closed bool
}

func (c *counted) Close() error {
	c.fs.mu.Lock()
	defer c.fs.mu.Unlock()
	if c.closed {
		return os.ErrClosed
	}
	c.closed = true
	c.fs.opened--
	return c.closer.Close()
}

type countedHandle struct {
	Handle
	*counted
}

func (h *countedHandle) Close() error { return h.counted.Close() }

func (h *countedHandle) Size() (int64, error) {
	if err := h.fs.call(); err != nil {
		return 0, err
	}
	return h.Handle.Size()
}

func (h *countedHandle) ReadAt(b []byte, at int64) (int, error) {
	if err := h.fs.call(); err != nil {
		return 0, err
	}
	return h.Handle.ReadAt(b, at)
}

// A file that cannot be read now is no damage: an operator who is told so would throw away a good log. The failed Open
// leaves nothing open and nothing changed, so that the next one finds all.
func TestFailedOpenLeavesNothingBehind(t *testing.T) {
	old, records := smallLog(t, "one", true)
	for name, c := range map[string]struct {
		files map[string][]byte
		want  []string
	}{"new log": {nil, nil}, "old log": {old, records}} {
		t.Run(name, func(t *testing.T) {
			for call := 1; ; call++ {
				d := &countingFS{FS: diskOf(c.files), failAt: call}
				l, _, err := Open(crashDir, Options{FS: d, SegmentSize: smallSegment})
				if err == nil {
					if call < 7 {
						t.Errorf("only %d calls were seen", call)
					}
					if err := l.Close(); err != nil || d.isOpen() != 0 {
						t.Errorf("Close: %v, and %d files are still open", err, d.isOpen())
					}
					return
				}
				if !errors.Is(err, errFault) || errors.Is(err, ErrDamaged) || errors.Is(err, os.ErrClosed) {
					t.Errorf("call %d: %v, want the fault alone", call, err)
				}
				if d.isOpen() != 0 {
					t.Errorf("call %d: %d files are open after a failed Open", call, d.isOpen())
				}
				if l, _, err = Open(crashDir, Options{FS: d, SegmentSize: smallSegment}); err != nil {
					t.Fatalf("call %d: opened again: %v", call, err)
				}
				if got := contents(t, l); !slices.Equal(got, c.want) {
					t.Errorf("call %d: %d records after a failed Open, want %d", call, len(got), len(c.want))
				}
				if err := l.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// A reader that fails says so, closes its files, and harms neither the next reader nor the writer.
func TestFailedReadHarmsNobody(t *testing.T) {
	files, want := smallLog(t, "one", true)
	d := &countingFS{FS: diskOf(files)}
	l, _, err := Open(crashDir, Options{FS: d, SegmentSize: smallSegment})
	if err != nil {
		t.Fatal(err)
	}
	idle := d.isOpen()
	for call := 1; ; call++ {
		d.calls, d.failAt = 0, call
		read := 0
		err := l.Read(0, func(uint64, []byte) error { read++; return nil })
		if err == nil {
			if call < 5 {
				t.Errorf("only %d calls were seen", call)
			}
			break
		}
		if !errors.Is(err, errFault) || errors.Is(err, ErrDamaged) || read == len(want) {
			t.Errorf("call %d: %v after %d records, want the fault", call, err, read)
		}
		if d.isOpen() != idle {
			t.Errorf("call %d: %d files are open, before %d", call, d.isOpen(), idle)
		}
	}
	d.failAt = 0
	next := l.Last() + 1
	if err := l.Append(next, Records(record(next, 40)), 0); err != nil {
		t.Errorf("Append after failed reads: %v", err)
	}
	if got := contents(t, l); !slices.Equal(got, append(want, string(record(next, 40)))) {
		t.Errorf("the log holds %d records, want %d", len(got), len(want)+1)
	}
	if err := l.Close(); err != nil || d.isOpen() != 0 {
		t.Errorf("Close: %v, and %d files are still open", err, d.isOpen())
	}
}
