package hub

import (
	"slices"
	"time"
)

// Bounds of the snapshots that are sent at a time. Each reader of one fills the
// kernel's buffers, and all at once would take more memory than the snapshot
// itself by far.
const (
	maxSeats = 16
	// seatTime is how long a reader has a seat for itself. One that takes longer
	// reads on without: it takes what it takes slowly, and keeps nobody waiting.
	seatTime = time.Second / 2
	// seatBytes is the snapshot that needs no seat once it is handed out.
	seatBytes = 64 << 10
)

// seat says how a subscriber stands to the seats.
type seat uint8

const (
	standing seat = iota // has none and wants none
	queueing
	seated
	rising // has been handed the whole snapshot, which may not be written yet
	lapsed // had one for its time and reads on
)

// seats lets a few subscribers at a time read a snapshot, first come, first
// served. It is guarded by Manager.mu.
type seats struct {
	m       *Manager
	taken   []sitting // oldest first
	queue   []*Sub
	lapsing *time.Timer // runs while somebody queues
}

type sitting struct {
	sub   *Sub
	since time.Time
}

// take reports whether s may read a snapshot. If not, s is signalled when it may.
func (c *seats) take(s *Sub) bool {
	if s.seat != standing {
		return s.seat != queueing
	}
	if len(c.taken) < maxSeats {
		c.sit(s)
		return true
	}
	s.seat = queueing
	c.queue = append(c.queue, s)
	if len(c.queue) == 1 {
		c.lapseLater()
	}
	return false
}

// busy reports whether anybody has a seat or waits for one.
func (c *seats) busy() bool { return len(c.taken) > 0 }

func (c *seats) sit(s *Sub) {
	s.seat = seated
	c.taken = append(c.taken, sitting{s, time.Now()})
}

// leave gives back what s has of the seats.
func (c *seats) leave(s *Sub) {
	switch s.seat {
	case seated, rising:
		c.taken = slices.DeleteFunc(c.taken, func(t sitting) bool { return t.sub == s })
	case queueing:
		c.queue = slices.DeleteFunc(c.queue, func(q *Sub) bool { return q == s })
	}
	s.seat = standing
	c.fill()
}

// done takes note that s has been handed the whole of a snapshot. What is large
// keeps its seat until the writer asks for more, and so has written it.
func (c *seats) done(s *Sub, bytes int) {
	if s.seat == seated && bytes > seatBytes {
		s.seat = rising
		return
	}
	c.leave(s)
}

// fill gives free seats to those who queue.
func (c *seats) fill() {
	for len(c.queue) > 0 && len(c.taken) < maxSeats {
		s := c.queue[0]
		c.queue[0] = nil
		c.queue = c.queue[1:]
		c.sit(s)
		s.feed.signal(s)
	}
}

// lapseLater has the oldest seat lapse when its time is over.
func (c *seats) lapseLater() {
	left := time.Until(c.taken[0].since.Add(seatTime))
	if c.lapsing == nil {
		c.lapsing = time.AfterFunc(left, c.lapse)
		return
	}
	c.lapsing.Reset(left)
}

func (c *seats) lapse() {
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	for len(c.queue) > 0 && time.Since(c.taken[0].since) >= seatTime {
		if s := c.taken[0].sub; s.seat == rising {
			s.seat = standing
		} else {
			s.seat = lapsed
		}
		c.taken = slices.Delete(c.taken, 0, 1)
		c.fill()
	}
	if len(c.queue) > 0 {
		c.lapseLater()
	}
}
