package wal

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"testing"
)

// afterReplacing opens a log after an accident while it was replaced. It is the old one or the new one, whole, and so
// it stays. It returns which, and whether it was for Open to carry the decision out.
func afterReplacing(t *testing.T, what string, d *disk, old, replaced string) (isNew, carriedOut bool) {
	t.Helper()
	verdict, files := Verify(crashDir, d, nil), d.image()
	if verdict != nil && !errors.Is(verdict, ErrReplacing) {
		t.Fatalf("%s: Verify takes an accident for damage: %v", what, verdict)
	}
	if _, err := Dump(crashDir, d, 0, func(uint64, []byte) error { return nil }); errors.Is(err, ErrReplacing) != (verdict != nil) {
		t.Fatalf("%s: Verify says %v, Dump %v", what, verdict, err)
	}
	if !maps.EqualFunc(files, d.image(), slices.Equal) {
		t.Fatalf("%s: a look changed files", what)
	}
	for _, again := range []string{"opened again", "after a power cut"} {
		l, r, err := Open(crashDir, Options{FS: d, SegmentSize: smallSegment})
		if err != nil {
			t.Fatalf("%s, %s: %v", what, again, err)
		}
		got := described(t, l)
		closeLog(t, l)
		if again != "opened again" {
			if got != old || r.Replaced {
				t.Fatalf("%s, %s: it was\n%s, and is\n%s", what, again, old, got)
			}
			break
		}
		if carriedOut = r.Replaced; carriedOut != (verdict != nil) {
			t.Fatalf("%s: Verify says %v, Open %+v", what, verdict, r)
		}
		if got != old && got != replaced {
			t.Fatalf("%s: the log is\n%s, want\n%s, or\n%s", what, got, old, replaced)
		}
		isNew = got == replaced
		names, err := listFolder(d, crashDir)
		if err != nil || len(names.halves) > 0 || names.replacing {
			t.Fatalf("%s: files are left over: %+v, %v", what, names, err)
		}
		old = got
		d.powerCut(func() bool { return false })
	}
	return isNew, carriedOut
}

// outcomes are the descriptions of the log of toReplace and of what each replacement makes of it.
func outcomes(t *testing.T, files map[string][]byte) (old string, replaced map[string]string) {
	t.Helper()
	replaced = map[string]string{}
	for name, s := range replacements {
		l := openLog(t, diskOf(files), 0)
		old = described(t, l)
		if err := replace(l, s); err != nil {
			t.Fatal(err)
		}
		replaced[name] = described(t, l)
		closeLog(t, l)
	}
	return old, replaced
}

func TestAccidentWhileReplacing(t *testing.T) {
	files := toReplace(t)
	old, replaced := outcomes(t, files)
	for name, accident := range accidents {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seen := map[string]int{}
			for where, s := range replacements {
				for step := range steps(name + where) {
					what := fmt.Sprintf("%s, step %d", where, step)
					d := diskOf(files)
					d.rng = newDisk(uint64(step)).rng
					l := openLog(t, d, 0)
					d.failed, d.steps = false, 0
					accident.set(d, step)
					err := replace(l, s)
					if err == nil && !d.failed && d.steps < step {
						if step < 25 {
							t.Fatalf("%s: only %d steps were seen", what, step)
						}
						closeLog(t, l)
						break
					}
					_ = l.Close() // of a process that may be dead
					accident.after(d)
					isNew, carriedOut := afterReplacing(t, what, d, old, replaced[where])
					if err == nil && !isNew {
						t.Fatalf("%s: a log that was replaced is the old one again", what)
					}
					seen[fmt.Sprint("new ", isNew, ", carried out ", carriedOut)]++
					l = openLog(t, d, 0)
					appendRecords(t, l, 2)
					if err := errors.Join(l.BeginEpoch("next"), replace(l, s)); err != nil {
						t.Fatalf("%s: once more: %v", what, err)
					}
					closeLog(t, l)
					d.powerCut(func() bool { return false })
					if isNew, _ = afterReplacing(t, what+", once more", d, old, replaced[where]); !isNew {
						t.Fatalf("%s, once more: the log is the old one", what)
					}
				}
			}
			if seen["new false, carried out false"] < 15 || seen["new true, carried out true"] < 2 {
				t.Errorf("the accidents left %v", seen)
			}
		})
	}
}

// Open carries out what was decided, durable or not. An accident meanwhile leaves it to the next Open.
func TestAccidentWhileAReplacementIsCarriedOut(t *testing.T) {
	files := toReplace(t)
	old, replaced := outcomes(t, files)
	for _, name := range []string{"kill", "power cut, nothing kept", "power cut, some sectors", "failure and power cut"} {
		accident := accidents[name]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seen := 0
			// at lets accidents happen at every step of opening what is left, which is made anew for each. The old log is
			// gone for good unless that is in doubt.
			at := func(what string, left func() *disk, want string, doubt bool) {
				for step := range steps(name + what) {
					what := fmt.Sprintf("%s and step %d of opening", what, step)
					d := left()
					d.rng = newDisk(uint64(step)).rng
					accident.set(d, step)
					l, _, err := Open(crashDir, Options{FS: d, SegmentSize: smallSegment})
					if err == nil {
						closeLog(t, l)
						return
					}
					if errors.Is(err, ErrDamaged) {
						t.Fatalf("%s: an accident is taken for damage: %v", what, err)
					}
					seen++
					accident.after(d)
					isNew, _ := afterReplacing(t, what, d, old, want)
					if !isNew && !doubt {
						t.Fatalf("%s: the log is the old one", what)
					}
				}
			}
			for _, name := range []string{"before everything", "at the first snapshot, shared"} {
				s := replacements[name]
				first := decided(t, files, s)
				at(name+", not durable", func() *disk {
					d, _ := interrupted(t, files, s, first, (*disk).restart)
					return d
				}, replaced[name], true)
				for step := first; ; step++ {
					d, done := interrupted(t, files, s, step, keepAll)
					if done {
						break
					}
					left := d.image()
					at(fmt.Sprintf("%s, step %d", name, step), func() *disk { return diskOf(left) }, replaced[name], false)
				}
			}
			if seen < 50 {
				t.Errorf("only %d accidents were seen", seen)
			}
		})
	}
}

// interrupted is what is left when the process dies at a step of replacing a log; done when there are no so many steps.
func interrupted(t *testing.T, files map[string][]byte, s Snapshot, step int, after func(*disk)) (_ *disk, done bool) {
	t.Helper()
	d := diskOf(files)
	l := openLog(t, d, 0)
	d.steps, d.dieAt = 0, step
	err := replace(l, s)
	_ = l.Close()
	if err != nil && !errors.Is(err, errDead) {
		t.Fatal(err)
	}
	after(d)
	return d, err == nil
}

func keepAll(d *disk) { d.powerCut(func() bool { return true }) }

// decided is the first step of replacing a log at which a death leaves the decision.
func decided(t *testing.T, files map[string][]byte, s Snapshot) int {
	t.Helper()
	for step := 1; ; step++ {
		d, done := interrupted(t, files, s, step, keepAll)
		if done {
			t.Fatal("no step leaves a decision")
		}
		if names, err := listFolder(d, crashDir); err != nil || names.replacing {
			return step
		}
	}
}

// What a decision promises must be there before anything of the old log goes.
func TestDamageOfWhatIsToTakeItsPlace(t *testing.T) {
	files := toReplace(t)
	for name, s := range replacements {
		d, _ := interrupted(t, files, s, decided(t, files, s), keepAll)
		decidedFiles := d.image()
		decision := crashDir + "/" + replacingName
		snapshot, segment := snapshotPath(crashDir, s.SeqNo)+incomingSuffix, segmentPath(crashDir, s.SeqNo+1)+incomingSuffix
		other, _ := interrupted(t, files, Snapshot{SeqNo: s.SeqNo, Lineage: []Epoch{{"foreign", 0}}}, decided(t, files, s), keepAll)
		foreign := other.image()
		for what, c := range map[string]struct {
			change func(files map[string][]byte)
			file   string
		}{
			"decision":         {func(f map[string][]byte) { f[decision][20] ^= 1 }, decision},
			"half a decision":  {func(f map[string][]byte) { f[decision] = f[decision][:100] }, decision},
			"snapshot":         {func(f map[string][]byte) { f[snapshot][20] ^= 1 }, snapshot},
			"no snapshot":      {func(f map[string][]byte) { delete(f, snapshot); delete(f, snapshotPath(crashDir, s.SeqNo)) }, ""},
			"foreign snapshot": {func(f map[string][]byte) { f[snapshot] = foreign[snapshot] }, snapshot},
			"segment":          {func(f map[string][]byte) { f[segment][20] ^= 1 }, segment},
			"no segment":       {func(f map[string][]byte) { delete(f, segment); delete(f, segmentPath(crashDir, s.SeqNo+1)) }, ""},
			"foreign segment":  {func(f map[string][]byte) { f[segment] = foreign[segment] }, segment},
		} {
			files := map[string][]byte{}
			for name, b := range decidedFiles {
				files[name] = slices.Clone(b)
			}
			c.change(files)
			d := diskOf(files)
			_, _, err := Open(crashDir, Options{FS: d, SegmentSize: smallSegment})
			damage := (*DamageError)(nil)
			if !errors.As(err, &damage) || damage.Reason == "" || c.file != "" && damage.File != c.file {
				t.Errorf("%s, %s: %v, want damage of %s", name, what, err, c.file)
			}
			if verdict := Verify(crashDir, d, nil); !errors.Is(verdict, ErrDamaged) {
				t.Errorf("%s, %s: Verify: %v, want damage", name, what, verdict)
			}
			if !maps.EqualFunc(files, d.image(), slices.Equal) {
				t.Errorf("%s, %s: Open changed files", name, what)
			}
		}
	}
}

// What cannot be read now is no damage, and nothing stays open or locked.
func TestFailedOpenOfADecision(t *testing.T) {
	s := replacements["at the end, gone on"]
	files := toReplace(t)
	d, _ := interrupted(t, files, s, decided(t, files, s), keepAll)
	left := d.image()
	for call := 1; ; call++ {
		d := &countingFS{FS: diskOf(left), failAt: call}
		l, r, err := Open(crashDir, Options{FS: d, SegmentSize: smallSegment})
		if err == nil {
			if call < 12 || !r.Replaced {
				t.Errorf("only %d calls were seen, %+v", call, r)
			}
			closeLog(t, l)
			return
		}
		if !errors.Is(err, errFault) || errors.Is(err, ErrDamaged) || d.isOpen() != 0 {
			t.Errorf("call %d: %v and %d files are open, want the fault alone", call, err, d.isOpen())
		}
		l = openLog(t, d, 0)
		wantReplaced(t, fmt.Sprintf("after call %d", call), l, s)
		closeLog(t, l)
	}
}

// What was written for a Replace that was not decided goes when the log is opened, also beside a restart of it.
func TestLeftoversOfAReplaceGo(t *testing.T) {
	files := toReplace(t)
	old, _ := outcomes(t, files)
	s := replacements["at the first snapshot, shared"]
	d := diskOf(files)
	l := openLog(t, d, 0)
	err := l.Replace(s, func(w io.Writer) error {
		_, err := w.Write(noise(1 << 20))
		d.failAt, d.failOn = d.steps+1, true // nothing can be removed either
		return errors.Join(err, errFault)
	})
	if !errors.Is(err, errFault) || errors.Is(err, ErrFailed) {
		t.Fatal(err)
	}
	if names, err := listFolder(d, crashDir); err != nil || len(names.halves) == 0 {
		t.Fatalf("nothing is left: %+v, %v", names, err)
	}
	d.failAt, d.failOn = 0, false
	closeLog(t, l)
	l = openLog(t, d, 0)
	if names, err := listFolder(d, crashDir); err != nil || len(names.halves) > 0 || described(t, l) != old {
		t.Errorf("left: %+v, %v", names, err)
	}
	closeLog(t, l)
}
