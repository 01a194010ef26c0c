package grouping

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/replication-gateway/gateway/bench/internal/logs"
)

// clockLog takes a millisecond for each group and remembers what it was given.
type clockLog struct {
	next   uint64
	groups []int
	err    error // of every append
}

func (l *clockLog) Append(first uint64, records [][]byte) error {
	time.Sleep(time.Millisecond) // of the bubble's clock
	if l.err != nil {
		return l.err
	}
	if first != l.next {
		return errors.New("a number was left out or given twice")
	}
	for _, r := range records {
		if !bytes.HasSuffix(r, []byte("}")) {
			return errors.New("a record was cut")
		}
	}
	l.next += uint64(len(records))
	l.groups = append(l.groups, len(records))
	return nil
}

func (l *clockLog) Close() error { return nil }

func TestDriveCountsWhatIsDurable(t *testing.T) {
	for _, writers := range []int{1, 64} {
		synctest.Test(t, func(t *testing.T) {
			l := &clockLog{next: 1}
			w := NewWriter(l)
			records := logs.Records(rand.New(rand.NewPCG(1, 1)), writers, 120)
			for run := range 2 {
				p, err := w.Drive(records, 50*time.Millisecond, time.Second)
				if err != nil {
					t.Fatal(err)
				}
				// A millisecond a group: a thousand groups a second, one more or less at the edges.
				if got := math.Round(p.PerSecond / p.GroupSize); got < 999 || got > 1001 {
					t.Errorf("run %d: %v groups a second, want 1000", run, got)
				}
				// Nobody waits for more than the group under way and the next.
				if low, high := float64(writers)/2, float64(writers); p.GroupSize < low-0.1 || p.GroupSize > high {
					t.Errorf("run %d: groups of %v for %d writers", run, p.GroupSize, writers)
				}
			}
			if got := l.next - 1; got != w.commits.Load() {
				t.Errorf("the log holds %d records, %d were counted", got, w.commits.Load())
			}
		})
	}
}

func TestDriveReturnsTheFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("disk is gone")
		w := NewWriter(&clockLog{next: 1, err: broken})
		_, err := w.Drive(logs.Records(rand.New(rand.NewPCG(1, 1)), 8, 120), time.Second, time.Second)
		if !errors.Is(err, broken) {
			t.Errorf("drive: %v, want %v", err, broken)
		}
		if w.commits.Load() != 0 {
			t.Errorf("%d commits were counted", w.commits.Load())
		}
	})
}

func TestGroupsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &clockLog{next: 1}
		large := append(bytes.Repeat([]byte("x"), maxGroup/4), '}')
		if _, err := NewWriter(l).Drive([][]byte{large, large, large, large, large, large, large, large}, 0, 20*time.Millisecond); err != nil {
			t.Fatal(err)
		}
		for _, n := range l.groups {
			if n > 4 {
				t.Errorf("a group of %d records of %d bytes", n, len(large))
			}
		}
	})
}
