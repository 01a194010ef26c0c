package main

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/replication-gateway/gateway/bench/internal/figures"
	"github.com/replication-gateway/gateway/bench/internal/server"
)

// pacedConnections are as many as a stream of puts has, as a rule.
const pacedConnections = 8

// observation is one put of a stream.
type observation struct {
	begin time.Time // when it was due; later only when the driver's clock woke it late
	end   time.Time // when its answer was there
}

// stream is puts at a fixed rate, whether the ones before are answered or not, as far as there are connections.
type stream struct {
	writers []*writer
	ended   atomic.Bool
	running sync.WaitGroup
	mu      sync.Mutex
	all     []observation
}

// startStream begins a stream of so many puts a second. made is above the number of puts of every stream before.
func startStream(s *server.Server, rate, connections, made int) (*stream, error) {
	writers, err := dialAll(s, connections, putNodes, made, patience)
	if err != nil {
		return nil, err
	}
	st := &stream{writers: writers}
	start := time.Now()
	every := time.Second * time.Duration(connections) / time.Duration(rate)
	for i, w := range writers {
		st.running.Go(func() { st.run(w, start.Add(every*time.Duration(i)/time.Duration(connections)), every) })
	}
	return st, nil
}

// run sends the puts of one connection. A put that is due while another waits for its answer counts from when it was due,
// so that a server that keeps the driver waiting cannot hide it.
func (st *stream) run(w *writer, due time.Time, every time.Duration) {
	for ; !st.ended.Load() && w.err == nil; due = due.Add(every) {
		o := observation{begin: due}
		if wait := time.Until(due); wait > 0 {
			time.Sleep(wait)
			o.begin = time.Now()
		}
		if w.err = w.conn.SetDeadline(time.Now().Add(patience)); w.err != nil {
			return
		}
		w.err = w.put()
		o.end = time.Now()
		st.mu.Lock()
		st.all = append(st.all, o)
		st.mu.Unlock()
	}
}

// end ends the stream and returns what it observed, in no order.
func (st *stream) end() ([]observation, error) {
	st.ended.Store(true)
	st.running.Wait()
	closeAll(st.writers)
	var errs []error
	for _, w := range st.writers {
		errs = append(errs, w.err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("the stream of puts: %w", err)
	}
	return st.all, nil
}

// during is how long those puts took that were due between two moments. One that was due before and is still waiting is
// left out: it waits for what was before.
func during(all []observation, from, to time.Time) *figures.Latencies {
	var l figures.Latencies
	for _, o := range all {
		if !o.begin.Before(from) && o.begin.Before(to) {
			l.Add(o.end.Sub(o.begin))
		}
	}
	return &l
}

// answered is how many of the puts had their answer between two moments.
func answered(all []observation, from, to time.Time) (n int) {
	for _, o := range all {
		if !o.end.Before(from) && o.end.Before(to) {
			n++
		}
	}
	return n
}
