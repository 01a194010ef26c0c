package wal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
)

// keeper is what a workload with snapshots, cuts and epochs knows about its log.
type keeper struct {
	history
	saved    []stored // SaveSnapshot returned nil, and they must still be there
	window   uint64   // of the newest Cut
	lineage  []Epoch
	begun    string // the epoch whose BeginEpoch returned an error
	survived int    // failures that did not end writing
}

// rows is what the snapshot of a seq_no holds: every record up to it.
func (k *keeper) rows(seqNo uint64) []byte { return []byte(strings.Join(k.acked[:seqNo], "\n")) }

// work opens the log, does all that can be done with it, and closes it, until something fails that ends writing.
func (k *keeper) work(d *disk) error {
	l, _, err := Open(crashDir, Options{FS: d, SegmentSize: smallSegment, NewEpoch: func() string { return "one" }})
	if err != nil {
		return err
	}
	k.lineage = l.Lineage()
	save := func() error { return k.save(l) }
	cut := func(behind uint64) func() error {
		return func() error { return k.cut(l, l.Last()-min(behind, l.Last())) }
	}
	epoch := func() error { return k.begin(l) }
	write := func(groups ...[]int) func() error { return func() error { return k.append(l, groups) } }
	for _, do := range []func() error{
		epoch, write([]int{20}, []int{20, 300, 700}, []int{900}), save, write([]int{900, 10}), save, cut(0),
		epoch, epoch, write([]int{700}), save, write([]int{700}, []int{700}), save, save, cut(3),
		write([]int{40, 40}, []int{1200}), epoch, save, cut(0), write([]int{20}),
	} {
		err := do()
		if errors.Is(err, errFault) && !errors.Is(err, ErrFailed) {
			k.survived++
			continue
		}
		if err != nil {
			return errors.Join(err, l.Close())
		}
	}
	return l.Close()
}

// save stores the newest state, unless that was done, while the log goes on.
func (k *keeper) save(l *File) error {
	seqNo := l.Last()
	if n := len(k.saved); n > 0 && k.saved[n-1].seqNo == seqNo {
		return nil
	}
	rows := k.rows(seqNo)
	err := l.SaveSnapshot(Snapshot{SeqNo: seqNo, Rows: seqNo}, func(w io.Writer) error {
		_, err := w.Write(rows)
		return errors.Join(err, k.append(l, [][]int{{100}, {30, 600}}))
	})
	if err == nil {
		k.saved = append(k.saved, stored{seqNo: seqNo})
	}
	return err
}

func (k *keeper) cut(l *File, window uint64) error {
	k.window = window
	k.saved, _ = retain(k.saved, window)
	return l.Cut(window)
}

func (k *keeper) begin(l *File) error {
	k.begun = fmt.Sprintf("epoch-%d", len(k.lineage))
	err := l.BeginEpoch(k.begun)
	if err == nil {
		k.lineage, k.begun = append(k.lineage, Epoch{k.begun, l.Last()}), ""
	}
	return err
}

// check opens the log after an accident: it holds what was acknowledged, without a gap behind a whole snapshot, and
// nobody who may resume is sent away. It takes over what it finds.
func (k *keeper) check(t *testing.T, d *disk, what string, leastCommitted uint64) {
	t.Helper()
	if err := Verify(crashDir, d, nil); err != nil && !errors.Is(err, ErrNoLog) {
		t.Fatalf("%s: Verify takes an accident for damage: %v", what, err)
	}
	l, r, err := Open(crashDir, Options{FS: d, SegmentSize: smallSegment, NewEpoch: func() string { return "one" }})
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	defer closeLog(t, l)
	before := l.First() - 1
	if before > k.window || before > uint64(len(k.acked)) {
		t.Fatalf("%s: the log begins with %d, %d records were acknowledged, readers may resume from %d", what, l.First(), len(k.acked), k.window)
	}
	got := slices.Clone(k.acked[:before])
	err = l.Read(before, func(seqNo uint64, r []byte) error {
		got = append(got, string(r))
		if seqNo != uint64(len(got)) {
			return fmt.Errorf("seq_no %d at place %d", seqNo, len(got))
		}
		return nil
	})
	if with := slices.Concat(k.acked, k.inFlight); err != nil || !slices.Equal(got, k.acked) && !slices.Equal(got, with) {
		t.Fatalf("%s: the log leads to %d records, want %d or %d, %v", what, len(got), len(k.acked), len(with), err)
	}
	k.acked, k.inFlight = got, nil

	snapshots := l.Snapshots()
	if before > 0 && (len(snapshots) == 0 || snapshots[len(snapshots)-1] < before) {
		t.Fatalf("%s: the log begins with %d, snapshots are %v", what, l.First(), snapshots)
	}
	for _, s := range k.saved {
		if !slices.Contains(snapshots, s.seqNo) {
			t.Fatalf("%s: the snapshot of %d is gone, there are %v", what, s.seqNo, snapshots)
		}
	}
	k.saved = nil
	for _, seqNo := range slices.Backward(snapshots) {
		err := l.ReadSnapshot(seqNo, func(s Snapshot, r io.Reader) error {
			rows, err := io.ReadAll(r)
			if s.Rows != seqNo || !bytes.Equal(rows, k.rows(seqNo)) {
				return fmt.Errorf("it holds something else: %+v", s)
			}
			return err
		})
		if err != nil {
			t.Fatalf("%s: snapshot of %d: %v", what, seqNo, err)
		}
		k.saved = append(k.saved, stored{seqNo: seqNo})
	}

	lineage := l.Lineage()
	with := append(slices.Clone(k.lineage), Epoch{k.begun, l.Last()})
	if len(k.lineage) > 0 && !slices.Equal(lineage, k.lineage) && !slices.Equal(lineage, with) {
		t.Fatalf("%s: lineage %v, want %v or %v", what, lineage, k.lineage, with)
	}
	k.lineage, k.begun = lineage, ""
	if c := l.Committed(); c < leastCommitted || c > l.Last() || r.Last != l.Last() || len(r.Unreadable) > 0 {
		t.Fatalf("%s: committed %d, want %d to %d, recovery %+v", what, c, leastCommitted, l.Last(), r)
	}
}

func TestAccidentWhileKeeping(t *testing.T) {
	for name, accident := range accidents {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			survived := 0
			for step := range steps(name) {
				what := fmt.Sprintf("step %d", step)
				d, k := newDisk(uint64(step)), &keeper{}
				accident.set(d, step)
				err := k.work(d)
				if err == nil && !d.failed {
					if step < 120 {
						t.Fatalf("only %d steps were seen", step)
					}
					break
				}
				if errors.Is(err, ErrDamaged) {
					t.Fatalf("%s: an accident is taken for damage: %v", what, err)
				}
				survived += k.survived
				least := k.marked
				accident.after(d)
				if accident.powerCut {
					least = k.committed
				}
				k.check(t, d, what+", opened again", least)
				d.powerCut(func() bool { return false })
				k.check(t, d, what+", after a power cut", k.committed)
				if step%5 > 0 {
					continue
				}
				if err := k.work(d); err != nil {
					t.Fatalf("%s: going on: %v", what, err)
				}
				d.powerCut(d.coin)
				k.check(t, d, what+", after going on", k.committed)
			}
			if survived == 0 && name == "failure" {
				t.Error("no failure of a snapshot or a cut was survived")
			}
		})
	}
}

// Here the writer is a goroutine of its own, so steps differ from run to run; what must hold does not.
func TestAccidentBesideAppends(t *testing.T) {
	t.Parallel()
	const records, window = 200, 25
	sets := []func(*disk, int){die, fail, failFrom, fallShort}
	for step := 8; ; step += 11 {
		d := newDisk(uint64(step))
		sets[step%len(sets)](d, step)
		l, _, err := Open(crashDir, Options{FS: d, SegmentSize: smallSegment, NewEpoch: func() string { return "one" }})
		if err != nil {
			d.powerCut(d.coin)
			continue
		}
		acked, cut := uint64(0), uint64(0)
		written := make(chan error, 1)
		go func() {
			for ; acked < records; acked += 2 {
				pair := Records(record(acked+1, 100), record(acked+2, 100))
				if err := l.Append(acked+1, pair, acked); err != nil {
					written <- err
					return
				}
			}
			written <- nil
		}()
		for err = nil; l.Last() < records && l.usable() == nil && !errors.Is(err, errDead); {
			last := l.Last()
			if n := l.Snapshots(); len(n) == 0 || n[0] < last {
				err = save(l, last)
			}
			if err == nil && len(l.Snapshots()) > 3 {
				cut = last - min(last, window)
				err = errors.Join(l.BeginEpoch(fmt.Sprintf("after-%d", last)), l.Cut(cut))
			}
		}
		err = <-written
		_ = l.Close()
		if err == nil && !d.failed {
			if step < 300 {
				t.Fatalf("only %d steps were seen", step)
			}
			return
		}
		d.powerCut(d.coin)
		if err := Verify(crashDir, d, nil); err != nil {
			t.Fatalf("step %d: Verify takes an accident for damage: %v", step, err)
		}
		l = openLog(t, d, 0)
		if l.Last() != acked && l.Last() != acked+2 || l.First()-1 > cut {
			t.Fatalf("step %d: the log holds %d to %d, want at most %d to %d", step, l.First(), l.Last(), cut+1, acked)
		}
		wantFrom(t, l)
		for _, seqNo := range l.Snapshots() {
			if err := readWhole(l, seqNo); err != nil {
				t.Fatalf("step %d: %v", step, err)
			}
		}
		closeLog(t, l)
	}
}
