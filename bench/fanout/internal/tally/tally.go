// Package tally keeps the account of one run: when each write was due, and how many subscribers have received it when.
//
// Latencies count from the moment a write was due, not from when it was sent, so a server that keeps the driver waiting
// cannot hide it; what never arrives counts with its age at the end.
package tally

import (
	"slices"
	"sync"
	"time"

	"github.com/replication-gateway/gateway/internal/load"
)

// Tally is the account of a run in which each of some subscribers is to receive each of some writes once. Its methods
// may be called from any goroutine.
type Tally struct {
	subscribers uint32
	start       time.Time

	mu       sync.Mutex
	due      []time.Duration // after start; 0 while it is not known
	got      []uint32        // deliveries of each write
	surplus  uint64          // deliveries beyond one for each subscriber, or of no write
	complete int             // all writes before this one have reached everybody
	waiting  []waiter
	from     int // the first write of the stretch
	stretch  Stretch
}

type waiter struct {
	writes int
	done   chan struct{}
}

// Stretch is what was received of the writes from one moment on.
type Stretch struct {
	Deliveries uint64
	Missing    uint64         // deliveries that never came
	Latency    load.Histogram // from due to received
	Last       time.Time      // when the last delivery was received
}

// New returns a tally for so many writes at most, 0, 1, 2 and so on.
func New(writes, subscribers int) *Tally {
	return &Tally{subscribers: uint32(subscribers), start: time.Now().Add(-1),
		due: make([]time.Duration, writes), got: make([]uint32, writes)}
}

// Writes is how many writes there is room for.
func (t *Tally) Writes() int { return len(t.due) }

// Due notes when a write was due. It must be called before the write is sent.
func (t *Tally) Due(write int, at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.due[write] = at.Sub(t.start)
}

// Received notes writes that one subscriber has received.
func (t *Tally) Received(writes []int, now time.Time) {
	if len(writes) == 0 {
		return
	}
	at := now.Sub(t.start)
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, w := range writes {
		if w >= len(t.due) || t.due[w] == 0 || t.got[w] == t.subscribers {
			t.surplus++
			continue
		}
		t.got[w]++
		if w >= t.from {
			t.stretch.Deliveries++
			t.stretch.Latency.Record(at - t.due[w])
			t.stretch.Last = now
		}
	}
	t.advance()
}

// advance tells those who wait for writes to be complete. The lock is held.
func (t *Tally) advance() {
	before := t.complete
	for t.complete < len(t.got) && t.got[t.complete] == t.subscribers {
		t.complete++
	}
	if t.complete > before {
		t.waiting = slices.DeleteFunc(t.waiting, func(w waiter) bool {
			if w.writes > t.complete {
				return false
			}
			close(w.done)
			return true
		})
	}
}

// Complete returns a channel that is closed once the first so many writes have reached everybody.
func (t *Tally) Complete(writes int) <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	done := make(chan struct{})
	if writes <= t.complete {
		close(done)
	} else {
		t.waiting = append(t.waiting, waiter{writes, done})
	}
	return done
}

// Begin starts a new stretch: deliveries of writes from this one on count.
func (t *Tally) Begin(write int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.from, t.stretch = write, Stretch{}
}

// Now returns the stretch so far. Deliveries that are outstanding are not missing yet.
func (t *Tally) Now() Stretch {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.stretch
}

// End returns the stretch when nothing is waited for any more: what has not come of the writes that were due is missing,
// and enters the latencies with its age.
func (t *Tally) End(now time.Time) Stretch {
	at := now.Sub(t.start)
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.stretch
	for w := t.from; w < len(t.due); w++ {
		if t.due[w] == 0 || t.due[w] > at {
			continue
		}
		for range t.subscribers - t.got[w] {
			s.Missing++
			s.Latency.Record(at - t.due[w])
		}
	}
	return s
}

// Surplus is how many deliveries came that nobody was to receive, or not again.
func (t *Tally) Surplus() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.surplus
}
