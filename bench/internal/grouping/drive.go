package grouping

import (
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Pace is what a run of writers came to.
type Pace struct {
	PerSecond float64 // durable records
	CPUMicros float64 // of this process for each of them, the writers' own share included
	GroupSize float64 // records in a group, on average
}

// Drive lets as many writers as there are records commit theirs over and over, each waiting for its answer, and
// measures for a while after a time to warm up. It starts and stops the writer.
func (w *Writer) Drive(records [][]byte, warm, measured time.Duration) (Pace, error) {
	runtime.GC() // what was measured before left it, and it is not this one's to clear
	w.Start()
	var stop atomic.Bool
	var writers sync.WaitGroup
	errs := make([]error, len(records))
	for i, record := range records {
		writers.Go(func() {
			p := NewProposal(record)
			for !stop.Load() && errs[i] == nil {
				errs[i] = w.Commit(p)
			}
		})
	}
	time.Sleep(warm)
	before, start := w.reading(), time.Now()
	time.Sleep(measured)
	after, took := w.reading(), time.Since(start)
	stop.Store(true)
	writers.Wait()
	w.Stop()
	commits := after.commits - before.commits
	return Pace{
		PerSecond: commits / took.Seconds(),
		CPUMicros: float64((after.cpu - before.cpu).Microseconds()) / commits,
		GroupSize: commits / (after.groups - before.groups),
	}, errors.Join(errs...)
}

// reading is what stands on the clocks at one moment.
type reading struct {
	commits, groups float64
	cpu             time.Duration
}

func (w *Writer) reading() reading {
	return reading{float64(w.commits.Load()), float64(w.groups.Load()), CPUTime()}
}

// CPUTime is what this process has used, in user and kernel mode.
func CPUTime() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		panic(err) // it cannot fail for one's own process
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
