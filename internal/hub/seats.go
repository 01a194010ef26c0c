package hub

import (
	"math"
	"slices"
	"time"
)

// Bounds of the snapshots that are sent at a time. Each reader of one fills the
// kernel's buffers, and all at once would take more memory than the snapshot
// itself by far.
const (
	maxSeats = 4
	// seatTime is how long a reader has a seat for itself, from when there is
	// something to read. One that takes longer reads on without: it takes what it
	// takes slowly, or takes very much, and keeps nobody waiting.
	seatTime = time.Second / 4
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
	taken   []sitting
	queue   []*Sub
	lapsing *time.Timer // runs while somebody queues for a seat that can lapse
}

type sitting struct {
	sub   *Sub
	since time.Time
}

// idle reports whether the reader still waits for its snapshot to be encoded, and
// so its time has not begun.
func (t sitting) idle() bool { return t.sub.piece != nil && !t.sub.piece.ready }

// take reports whether s may read a snapshot. If not, s is signalled when it may.
func (c *seats) take(s *Sub) bool {
	if s.seat != standing {
		return s.seat != queueing
	}
	if len(c.taken) < maxSeats && !c.wouldWait(s) {
		c.sit(s)
		return true
	}
	s.seat = queueing
	c.queue = append(c.queue, s)
	if !c.wouldWait(s) {
		c.lapseLater()
	}
	return false
}

// encoded takes note that the snapshot p is, or could not be: the time of those
// who have a seat for it begins, and those who let others go first have their turn.
func (c *seats) encoded(p *piece) {
	for i := range c.taken {
		if c.taken[i].sub.piece == p {
			c.taken[i].since = time.Now()
		}
	}
	c.fill()
}

// wouldWait reports whether s has no use for a seat yet: the snapshot of its class
// is being encoded, for somebody who has one.
func (c *seats) wouldWait(s *Sub) bool {
	p := c.m.snapshots.pieces[s.class]
	return p != nil && !p.ready
}

// busy reports whether anybody has a seat or waits for one.
func (c *seats) busy() bool { return len(c.taken)+len(c.queue) > 0 }

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

// fill gives free seats to those who queue and can use them.
func (c *seats) fill() {
	for i := c.next(); i >= 0 && len(c.taken) < maxSeats; i = c.next() {
		s := c.queue[i]
		c.queue = slices.Delete(c.queue, i, i+1)
		c.sit(s)
		s.feed.signal(s)
	}
	c.lapseLater()
}

// next is the index of the one who is to have the next seat, -1 if nobody is.
func (c *seats) next() int {
	return slices.IndexFunc(c.queue, func(s *Sub) bool { return !c.wouldWait(s) })
}

// lapseLater has a seat lapse when its time is over, if somebody can use it.
func (c *seats) lapseLater() {
	if c.next() < 0 {
		return
	}
	left := time.Duration(math.MaxInt64)
	for _, t := range c.taken {
		if !t.idle() {
			left = min(left, time.Until(t.since.Add(seatTime)))
		}
	}
	switch {
	case left == math.MaxInt64: // encoded comes back to it
	case c.lapsing == nil:
		c.lapsing = time.AfterFunc(left, c.lapse)
	default:
		c.lapsing.Reset(left)
	}
}

func (c *seats) lapse() {
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	for i := 0; i < len(c.taken) && c.next() >= 0; {
		t := c.taken[i]
		if t.idle() || time.Since(t.since) < seatTime {
			i++
			continue
		}
		if t.sub.seat == rising {
			t.sub.seat = standing
		} else {
			t.sub.seat = lapsed
		}
		c.taken = slices.Delete(c.taken, i, i+1)
		c.fill()
	}
	c.lapseLater()
}
