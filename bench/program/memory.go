package main

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"github.com/replication-gateway/gateway/bench/internal/rawhttp"
	"github.com/replication-gateway/gateway/bench/internal/server"
)

const (
	memoryFigure   = "memory"
	emptyMemory    = "no rows"
	loadedMemory   = "loaded"
	stoppedMemory  = "started after a clean stop"
	restoredMemory = "started from a backup"
)

// noteMemory notes what a gateway holds at this moment. When nothing is said of its heap, noteHeap has to follow.
func (b *bench) noteMemory(ctx context.Context, s *server.Server, when string) error {
	u, err := s.Usage()
	if err != nil {
		return err
	}
	m, err := s.Metrics(ctx)
	if err != nil {
		return err
	}
	heap, err := m.Value(heapMetric)
	b.samples.Note(memoryFigure, when, 0, map[string]float64{"resident": float64(u.Resident), "heap": heap})
	return err
}

const (
	heapMetric = "go_memstats_heap_alloc_bytes"
	gcMetric   = "go_memstats_last_gc_time_seconds"
)

// noteHeap makes a gateway collect its garbage, by writes that change nothing, and notes what is left of its heap and
// what it holds then. What is allocated while a collection goes on outlives it, so each write is small, and the next
// waits until the gateway has come to rest: all but the last write's garbage is gone by then.
func (b *bench) noteHeap(ctx context.Context, s *server.Server, c *rawhttp.Conn, when string) error {
	const opsEach, most = 1000, 100_000
	if err := atRest(ctx, s); err != nil {
		return err
	}
	before, err := s.Metrics(ctx)
	if err != nil {
		return err
	}
	for range most {
		if err := batches(c, min(opsEach, b.Fleet.Nodes), func(o *ops, i int) { o.putNode(1+i, 0) }); err != nil {
			return err
		}
		if err := atRest(ctx, s); err != nil {
			return err
		}
		m, err := s.Metrics(ctx)
		if err != nil {
			return err
		}
		if m[gcMetric] == before[gcMetric] {
			continue
		}
		heap, err := m.Value(heapMetric)
		if err != nil {
			return err
		}
		u, err := s.Usage()
		b.samples.Note(memoryFigure, when, 0, map[string]float64{"live_heap": heap, "resident_after": float64(u.Resident)})
		return err
	}
	return errors.New("the gateway collects no garbage")
}

// atRest waits until a gateway has used no CPU for a moment: it neither answers nor collects nor sweeps.
func atRest(ctx context.Context, s *server.Server) error {
	const moment = 30 * time.Millisecond // three steps in which CPU is told
	u, err := s.Usage()
	for last := u.CPU - 1; err == nil && u.CPU != last; u, err = s.Usage() {
		last = u.CPU
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(moment):
		}
	}
	return err
}

// storing tells whether a gateway is storing a snapshot in its data folder.
func storing(data string) (bool, error) {
	under, err := filepath.Glob(filepath.Join(data, "*.snapshot.tmp"))
	return len(under) > 0, err
}

// settled waits until a gateway stores no snapshot in its data folder.
func settled(ctx context.Context, data string) error {
	for {
		under, err := storing(data)
		if err != nil || !under {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}
