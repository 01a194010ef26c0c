package wal

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
)

const (
	// firstFill is how far a new segment is zero-filled when it is made: enough that a gateway which hardly writes
	// takes no more, and little enough that making it stops nobody for long.
	firstFill = 1 << 20
	// fillStep is how much is filled at a time, in one write-out.
	fillStep = 1 << 20
	// fillLow is how few filled bytes before the writer set the filling to work.
	fillLow = 512 << 10
	// fillAhead is how far the filling then gets ahead of the writer.
	fillAhead = 4 << 20
)

// zeroAhead fills a segment with zeros ahead of its writer, in a goroutine of its own, so that a sync in the usual
// case finds neither a new size nor a new block to record.
type zeroAhead struct {
	file   Handle      // a descriptor of its own: a failed write-out is reported once to each, and the writer must hear of its
	size   int64       // the segment's; nothing is filled beyond
	failed func(error) // called at most once, when filling fails

	filled  atomic.Int64 // bytes before this are written; what lies beyond belongs to who holds growing
	growing sync.Mutex   // held while the file grows

	wake    chan int64 // where to fill up to; the newest wins
	stopped sync.WaitGroup
}

// startZeroAhead begins to fill the segment at path, of which filled bytes are there already.
func startZeroAhead(fsys FS, path string, filled, size int64, failed func(error)) (*zeroAhead, error) {
	f, err := fsys.Open(path, os.O_RDWR)
	if err != nil {
		return nil, fmt.Errorf("open segment: %w", err)
	}
	z := &zeroAhead{file: f, size: size, failed: failed, wake: make(chan int64, 1)}
	z.filled.Store(filled)
	z.stopped.Go(z.run)
	return z, nil
}

// stop ends the filling and waits for it.
func (z *zeroAhead) stop() error {
	close(z.wake)
	z.stopped.Wait()
	return z.file.Close()
}

// write writes pieces one behind the other from an offset on, through f. Where they reach beyond what is filled, the
// filling stands still meanwhile, so that its zeros never fall on what was written.
func (z *zeroAhead) write(f Handle, at int64, pieces [][]byte) error {
	end := at
	for _, p := range pieces {
		end += int64(len(p))
	}
	if end > z.filled.Load() {
		z.growing.Lock()
		defer z.growing.Unlock()
	}
	to := at
	for _, p := range pieces {
		n, err := writePart(f, p, to)
		to += int64(n)
		if err != nil {
			// Part of a sector would look like rot. A disk that refuses this too wrote whole sectors or nothing.
			_ = writeZeros(f, at, to)
			return err
		}
	}
	if end > z.filled.Load() {
		z.filled.Store(end)
	}
	if filled := z.filled.Load(); filled < z.size && filled-end < fillLow {
		select {
		case z.wake <- min(end+fillAhead, z.size):
		default: // it is on its way already
		}
	}
	return nil
}

func (z *zeroAhead) run() {
	for to := range z.wake {
		for z.filled.Load() < to {
			err := z.step(to)
			if errors.Is(err, errFull) {
				break // and tries again when it is woken
			}
			if err != nil {
				z.failed(fmt.Errorf("zero-fill: %w", err))
				return
			}
		}
	}
}

// errFull says that there is no room to fill. The writer, who goes on without, may still have enough for what it needs,
// or has some again later, as when a snapshot that found no room either is given up. When it has none it hears so.
var errFull = errors.New("no room to fill")

// step fills the next piece.
func (z *zeroAhead) step(to int64) error {
	z.growing.Lock()
	defer z.growing.Unlock()
	from := z.filled.Load()
	to = min(to, from+fillStep)
	err := writeZeros(z.file, from, to)
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return errFull
	}
	if err != nil {
		return err
	}
	if err := z.file.Sync(); err != nil {
		return err
	}
	if to > from {
		z.filled.Store(to)
	}
	return nil
}
