package main

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/replication-gateway/gateway/bench/internal/figures"
	"github.com/replication-gateway/gateway/bench/internal/grouping"
	"github.com/replication-gateway/gateway/bench/internal/rawhttp"
	"github.com/replication-gateway/gateway/bench/internal/server"
)

// driven is what a number of connections got out of a server.
type driven struct {
	perSecond    float64
	serverMicros float64 // of the server's CPU for each answer
	driverMicros float64 // of our own
	cores        float64 // that the server kept busy
	latencies    figures.Latencies
	answers      int // in all, those while warming up included
}

// writer is one connection that sends a put, waits for its answer, and sends the next.
type writer struct {
	conn    *rawhttp.Conn
	puts    *puts
	answers atomic.Int64
	took    []time.Duration // of those that began while it was measured
	err     error
	_       [64]byte // the next writer's counter is on another cache line
}

// The phases of a drive.
const (
	warming int32 = iota
	measuring
	stopping
)

// drive lets connections send puts to a server, each one after the other, and measures for a while after a time to warm
// up. made is how many puts the connections have sent before, so that none is sent twice.
func drive(s *server.Server, connections, made int, warm, measured time.Duration) (d driven, err error) {
	writers, err := dialAll(s, connections, putNodes, made, warm+measured+patience)
	if err != nil {
		return d, err
	}
	defer closeAll(writers)
	runtime.GC()
	var phase atomic.Int32
	var running sync.WaitGroup
	for _, w := range writers {
		running.Go(func() { w.run(&phase) })
	}
	time.Sleep(warm)
	before, err := lookAt(s, writers)
	phase.Store(measuring)
	time.Sleep(measured)
	after, err2 := lookAt(s, writers)
	phase.Store(stopping)
	running.Wait()
	errs := []error{err, err2}
	for _, w := range writers {
		errs = append(errs, w.err)
		d.answers += int(w.answers.Load())
		for _, t := range w.took {
			d.latencies.Add(t)
		}
	}
	n := after.answers - before.answers
	d.perSecond = n / after.at.Sub(before.at).Seconds()
	d.serverMicros = micros(after.server-before.server) / n
	d.driverMicros = micros(after.driver-before.driver) / n
	d.cores = (after.server - before.server).Seconds() / after.at.Sub(before.at).Seconds()
	if err := errors.Join(errs...); err != nil {
		return d, err
	}
	if n == 0 || after.server == before.server {
		return d, fmt.Errorf("%v answers and %v of CPU within %v: too short to measure", n, after.server-before.server, measured)
	}
	return d, nil
}

// dialAll connects writers that put so many nodes between them.
func dialAll(s *server.Server, connections, nodes, made int, within time.Duration) (writers []*writer, err error) {
	for i := range connections {
		c, err := rawhttp.Dial(s.Addr)
		if err == nil {
			writers = append(writers, &writer{conn: c, puts: newPuts(i, connections, nodes)})
			writers[i].puts.made = made
			err = c.SetDeadline(time.Now().Add(within))
		}
		if err != nil {
			closeAll(writers)
			return nil, err
		}
	}
	return writers, nil
}

func closeAll(writers []*writer) {
	for _, w := range writers {
		w.conn.Close()
	}
}

// run sends puts until it is told to stop or one is not granted.
func (w *writer) run(phase *atomic.Int32) {
	for {
		now := phase.Load()
		if now == stopping {
			return
		}
		start := time.Now()
		if w.err = w.put(); w.err != nil {
			return
		}
		if now == measuring {
			w.took = append(w.took, time.Since(start))
		}
	}
}

// put sends the next put.
func (w *writer) put() error {
	a, err := w.conn.Do(w.puts.next())
	if err == nil {
		err = granted(a)
	}
	if err != nil {
		return fmt.Errorf("a put: %w", err)
	}
	w.answers.Add(1)
	return nil
}

// look is what stands on the clocks at one moment.
type look struct {
	at             time.Time
	answers        float64
	server, driver time.Duration
}

func lookAt(s *server.Server, writers []*writer) (look, error) {
	u, err := s.Usage()
	l := look{at: time.Now(), server: u.CPU, driver: grouping.CPUTime()}
	for _, w := range writers {
		l.answers += float64(w.answers.Load())
	}
	return l, err
}
