package main

import (
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/replication-gateway/gateway/bench/internal/logs"
)

const (
	// queueLen and maxGroup are those of the gateway's writer.
	queueLen = 1024
	maxGroup = 16 << 20
)

// proposal is one record on its way through the grouping. Its writer uses it again and again.
type proposal struct {
	record []byte
	done   chan error
}

// grouping is the gateway's: one goroutine takes what is waiting as one group, makes it durable with one Append and
// answers each writer; meanwhile the next group gathers in the queue.
type grouping struct {
	log  logs.Log
	next uint64 // the number of the next record; it goes on from run to run

	queue   chan *proposal
	commits atomic.Uint64
	groups  atomic.Uint64
}

// write runs until the queue is closed. After an error everybody gets that error.
func (g *grouping) write() {
	var group []*proposal
	var records [][]byte
	var failed error
	for p := range g.queue {
		group, records = append(group[:0], p), append(records[:0], p.record)
		for size := len(p.record); size < maxGroup; {
			next, ok := poll(g.queue)
			if !ok {
				break
			}
			group, records = append(group, next), append(records, next.record)
			size += len(next.record)
		}
		if failed == nil {
			failed = g.log.Append(g.next, records)
			g.next += uint64(len(records))
		}
		if failed == nil {
			g.commits.Add(uint64(len(group)))
			g.groups.Add(1)
		}
		for _, p := range group {
			p.done <- failed
		}
	}
}

func poll(queue chan *proposal) (*proposal, bool) {
	select {
	case p, ok := <-queue:
		return p, ok
	default:
		return nil, false
	}
}

// pace is what a run of writers came to.
type pace struct {
	perSecond float64 // durable records
	cpuMicros float64 // of this process for each of them, the writers' own share included
	groupSize float64 // records in a group, on average
}

// drive lets as many writers as there are records commit theirs over and over, each waiting for its answer, and
// measures for a while after a time to warm up.
func (g *grouping) drive(records [][]byte, warm, measured time.Duration) (pace, error) {
	runtime.GC() // what the candidate before left is not this one's to clear
	g.queue = make(chan *proposal, queueLen)
	var stop atomic.Bool
	var writers, writing sync.WaitGroup
	errs := make([]error, len(records))
	writing.Go(g.write)
	for i, record := range records {
		writers.Go(func() {
			p := &proposal{record: record, done: make(chan error, 1)}
			for !stop.Load() && errs[i] == nil {
				g.queue <- p
				errs[i] = <-p.done
			}
		})
	}
	time.Sleep(warm)
	before, start := g.reading(), time.Now()
	time.Sleep(measured)
	after, took := g.reading(), time.Since(start)
	stop.Store(true)
	writers.Wait()
	close(g.queue)
	writing.Wait()
	commits := after.commits - before.commits
	return pace{
		perSecond: commits / took.Seconds(),
		cpuMicros: float64((after.cpu - before.cpu).Microseconds()) / commits,
		groupSize: commits / (after.groups - before.groups),
	}, errors.Join(errs...)
}

// reading is what stands on the clocks at one moment.
type reading struct {
	commits, groups float64
	cpu             time.Duration
}

func (g *grouping) reading() reading {
	return reading{float64(g.commits.Load()), float64(g.groups.Load()), cpuTime()}
}

// cpuTime is what this process has used, in user and kernel mode.
func cpuTime() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		panic(err) // it cannot fail for one's own process
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
