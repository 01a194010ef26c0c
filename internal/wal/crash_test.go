package wal

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

const crashDir = "/data/log"

// history is what a workload knows about its log.
type history struct {
	acked     []string // records whose Append returned nil
	inFlight  []string // of the Append that returned an error
	committed uint64   // newest that an acknowledged frame must carry
	marked    uint64   // newest that MarkCommitted returned nil for
}

// record makes a record that names its seq_no.
func record(seqNo uint64, size int) []byte {
	s := fmt.Sprintf("record %d ", seqNo)
	return []byte(s + strings.Repeat("x", max(0, size-len(s))))
}

// work opens the log, writes groups of all kinds and closes it, until something fails.
func (h *history) work(fsys FS, segmentSize int64, sizes [][]int) error {
	l, _, err := Open(crashDir, Options{FS: fsys, SegmentSize: segmentSize})
	if err != nil {
		return err
	}
	err = h.append(l, sizes)
	return errors.Join(err, l.Close())
}

func (h *history) append(l Log, sizes [][]int) error {
	for i, group := range sizes {
		last := l.Last()
		var records [][]byte
		var texts []string
		for j, size := range group {
			records = append(records, record(last+1+uint64(j), size))
			texts = append(texts, string(records[j]))
		}
		// In turn what a primary without standbys says, what one with standbys does, and nothing new.
		committed := []uint64{last + uint64(len(group)), last, 0}[i%3]
		h.inFlight = texts
		if err := l.Append(last+1, Records(records...), committed); err != nil {
			return err
		}
		h.acked, h.inFlight = append(h.acked, texts...), nil
		h.committed = max(h.committed, committed, h.marked)
		if i%2 == 0 {
			if err := l.MarkCommitted(last); err != nil {
				return err
			}
			h.marked = max(h.marked, last)
		}
	}
	return nil
}

// check opens the log after an accident and compares: all that was acknowledged, or that and the whole group that was
// in flight. It takes over what it finds.
func (h *history) check(t *testing.T, d *disk, what string, leastCommitted uint64) {
	t.Helper()
	l, _, err := Open(crashDir, Options{FS: d, SegmentSize: 2048})
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	defer func() {
		if err := l.Close(); err != nil {
			t.Errorf("%s: Close: %v", what, err)
		}
	}()
	got := contents(t, l)
	with := slices.Concat(h.acked, h.inFlight)
	if !slices.Equal(got, h.acked) && !slices.Equal(got, with) {
		t.Fatalf("%s: the log holds %d records, want %d or %d", what, len(got), len(h.acked), len(with))
	}
	if c := l.Committed(); c < leastCommitted || c > l.Last() {
		t.Fatalf("%s: committed %d, want %d to %d", what, c, leastCommitted, l.Last())
	}
	h.acked, h.inFlight = got, nil
}

// contents reads a log whole and checks its numbers.
func contents(t *testing.T, l Log) []string {
	t.Helper()
	var got []string
	err := l.Read(0, func(seqNo uint64, record []byte) error {
		got = append(got, string(record))
		if seqNo != uint64(len(got)) {
			return fmt.Errorf("seq_no %d at place %d", seqNo, len(got))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if l.Last() != uint64(len(got)) {
		t.Fatalf("Last is %d, the log holds %d records", l.Last(), len(got))
	}
	return got
}

// accidents are what can happen at a step: how it is set up, and what comes before the log is opened again.
var accidents = map[string]struct {
	set      func(d *disk, step int)
	after    func(d *disk)
	powerCut bool // what was not synced may be lost
}{
	"kill":                             {die, (*disk).restart, false},
	"power cut, nothing kept":          {die, func(d *disk) { d.powerCut(func() bool { return false }) }, true},
	"power cut, all kept":              {die, func(d *disk) { d.powerCut(func() bool { return true }) }, true},
	"power cut, some sectors":          {die, func(d *disk) { d.powerCut(d.coin) }, true},
	"failure":                          {fail, (*disk).restart, false},
	"failure and power cut":            {fail, func(d *disk) { d.powerCut(d.coin) }, true},
	"failure and power cut, none kept": {fail, func(d *disk) { d.powerCut(func() bool { return false }) }, true},
	"write that falls short":           {fallShort, func(d *disk) { d.powerCut(d.coin) }, true},
	"read-only from then on":           {failFrom, func(d *disk) { d.powerCut(d.coin) }, true},
}

func die(d *disk, step int)  { d.dieAt = step }
func fail(d *disk, step int) { d.failAt = step }

// fallShort lets a write write less than it was given and call that a success. Other steps fail.
func fallShort(d *disk, step int) { d.failAt, d.silent = step, true }

// failFrom lets a step and all after it fail, as on a file system that became read-only.
func failFrom(d *disk, step int) { d.failAt, d.failOn = step, true }

// smallGroups fill a few segments of 2048 bytes: lone records, batches, frames over several sectors, frames that end
// at a sector's edge, and one that is larger than a segment.
var smallGroups = [][]int{{20}, {20, 30, 700}, {900}, {448}, {10, 10}, {5000}, {60}, {1500}, {300, 300, 300}, {40}}

func TestAccidentAtEveryStep(t *testing.T) {
	for name, accident := range accidents {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(seeds) {
				for step := range steps(fmt.Sprint(name, seed)) {
					what := fmt.Sprintf("seed %d, step %d", seed, step)
					d, h := newDisk(seed), &history{}
					accident.set(d, step)
					err := h.work(d, 2048, smallGroups)
					if err == nil {
						err = h.work(d, 2048, smallGroups[:3])
					}
					if err == nil {
						if step < 80 {
							t.Fatalf("only %d steps were seen", step)
						}
						break
					}
					if errors.Is(err, ErrDamaged) {
						t.Fatalf("%s: an accident is taken for damage: %v", what, err)
					}
					least := h.marked
					accident.after(d)
					if accident.powerCut {
						least = h.committed
					}
					h.check(t, d, what+", opened again", least)
					// What was shown once must stay, even if no later sync took place.
					d.powerCut(func() bool { return false })
					h.check(t, d, what+", after a power cut", h.committed)
					if err := h.work(d, 2048, smallGroups[:4]); err != nil {
						t.Fatalf("%s: writing on: %v", what, err)
					}
					d.powerCut(func() bool { return false })
					h.check(t, d, what+", after writing on", 0)
				}
			}
		})
	}
}

// Long records are written from where they stand, so their frames take several writes, and end in the midst of them.
func TestAccidentInALargeGroup(t *testing.T) {
	groups := [][]int{{40}, {ownPiece + 7}, {30, ownPiece, ownPiece + ownPiece/2, 20}, {20, ownPiece}, {50}}
	for name, accident := range accidents {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for step := range steps("large group, " + name) {
				what := fmt.Sprintf("step %d", step)
				d, h := newDisk(uint64(step)), &history{}
				accident.set(d, step)
				err := h.work(d, 4*ownPiece, groups)
				if err == nil {
					if step < 50 {
						t.Fatalf("only %d steps were seen", step)
					}
					break
				}
				if errors.Is(err, ErrDamaged) {
					t.Fatalf("%s: an accident is taken for damage: %v", what, err)
				}
				accident.after(d)
				h.check(t, d, what, 0)
				d.powerCut(func() bool { return false })
				h.check(t, d, what+", after a power cut", 0)
			}
		})
	}
}

// The zero-filling runs beside the writer here, so steps differ from run to run; what must hold does not.
func TestAccidentWhileFilling(t *testing.T) {
	t.Parallel()
	groups := slices.Repeat([][]int{{30000}, {200, 50000}, {120000}}, 25)
	for step := 12; ; step += 37 {
		d, h := newDisk(uint64(step)), &history{}
		if step%2 == 0 {
			d.failAt = step
		} else {
			d.dieAt = step
		}
		err := h.work(d, 3<<20, groups)
		if err == nil && !d.failed {
			return
		}
		d.powerCut(d.coin)
		h.check(t, d, fmt.Sprintf("step %d", step), h.committed)
	}
}

func TestAfterAFailureNothingIsWritten(t *testing.T) {
	for step := 1; ; step++ {
		d := newDisk(1)
		l, _, err := Open(crashDir, Options{FS: d, SegmentSize: 2048})
		if err != nil {
			t.Fatal(err)
		}
		d.steps, d.failAt = 0, step
		var h history
		err = h.append(l, smallGroups)
		if err == nil {
			_ = l.Close()
			return
		}
		if !errors.Is(err, ErrFailed) || !errors.Is(err, errFault) {
			t.Errorf("step %d: %v, want ErrFailed and its cause", step, err)
		}
		before := d.steps
		if err := l.Append(l.Last()+1, Records([]byte("more")), 0); !errors.Is(err, ErrFailed) {
			t.Errorf("step %d: Append after the failure: %v, want ErrFailed", step, err)
		}
		if d.steps != before {
			t.Errorf("step %d: Append wrote after the failure", step)
		}
		if got := contents(t, l); !slices.Equal(got, h.acked) {
			t.Errorf("step %d: %d records can be read, want %d", step, len(got), len(h.acked))
		}
		_ = l.Close()
	}
}

// What is written to a file that somebody deleted, or put another in the place of, is lost, so it is not acknowledged.
func TestADeletedSegmentTakesNothing(t *testing.T) {
	for name, change := range map[string]func(path string) error{
		"deleted": os.Remove,
		"put another in the place of": func(path string) error {
			return errors.Join(os.WriteFile(path+".other", nil, 0o600), os.Rename(path+".other", path))
		},
	} {
		dir := t.TempDir()
		l, _, err := Open(dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		appendRecords(t, l, 3)
		if err := change(segmentPath(dir, 1)); err != nil {
			t.Fatal(err)
		}
		if err := l.Append(4, Records(record(4, 20)), 0); !errors.Is(err, ErrFailed) || l.Last() != 3 {
			t.Errorf("%s the segment: Append returns %v, and the log goes up to %d", name, err, l.Last())
		}
		_ = l.Close()
	}
}

// shortFS writes less of a mark than it was given, once, and calls that a success.
type shortFS struct {
	*disk
	part *int // bytes; below 0 all
}

func (d shortFS) Open(path string, flag int) (Handle, error) {
	h, err := d.disk.Open(path, flag)
	if strings.HasSuffix(path, committedName) || strings.HasSuffix(path, committedName+tempSuffix) {
		h = shortHandle{h, d.part}
	}
	return h, err
}

type shortHandle struct {
	Handle
	part *int
}

func (h shortHandle) WriteAt(b []byte, at int64) (int, error) {
	if n := *h.part; n >= 0 {
		*h.part = -1
		b = b[:n]
	}
	return h.Handle.WriteAt(b, at)
}

// A mark of which only a part was written is none, and not taken for rot.
func TestAMarkThatFallsShort(t *testing.T) {
	for part := range sectorSize {
		all := -1
		d := shortFS{newDisk(1), &all}
		l := openLog(t, d, 3)
		if err := l.MarkCommitted(1); err != nil {
			t.Fatal(err)
		}
		*d.part = part
		if err := l.MarkCommitted(3); !errors.Is(err, ErrFailed) {
			t.Fatalf("%d bytes: MarkCommitted: %v, want ErrFailed", part, err)
		}
		_ = l.Close()
		d.restart()
		l = openLog(t, d, 0)
		if l.Last() != 3 || l.Committed() != 1 {
			t.Errorf("%d bytes: the log goes up to %d, shown up to %d, want 3 and 1", part, l.Last(), l.Committed())
		}
		closeLog(t, l)
	}
}

func TestAFailedFillingEndsWriting(t *testing.T) {
	var told error
	l, _, err := Open(crashDir, Options{FS: newDisk(1), Failed: func(err error) { told = err }})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	l.active.ahead.failed(errFault)
	if !errors.Is(told, ErrFailed) || !errors.Is(told, errFault) {
		t.Errorf("told of %v, want ErrFailed and its cause", told)
	}
	if err := l.Append(1, Records([]byte("x")), 0); !errors.Is(err, ErrFailed) || !errors.Is(err, errFault) {
		t.Errorf("Append: %v, want ErrFailed and its cause", err)
	}
}

func TestFramesCarryTheNewestMark(t *testing.T) {
	d := newDisk(1)
	l, _, err := Open(crashDir, Options{FS: d})
	if err != nil {
		t.Fatal(err)
	}
	var h history
	if err := h.append(l, [][]int{{20}, {20, 20, 20}}); err != nil {
		t.Fatal(err)
	}
	if err := l.MarkCommitted(3); err != nil {
		t.Fatal(err)
	}
	if err := l.Append(5, Records(record(5, 20)), 0); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	h.acked = append(h.acked, string(record(5, 20)))
	d.powerCut(func() bool { return false })
	h.check(t, d, "after the committed file's news was lost", 3)
}
