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

// Who reads on without a seat keeps its snapshot in memory. When that is short, the
// slow have to make room: those who have not read slowPace bytes for each second
// after the first slowGrace.
const (
	slowPace  = 64 << 10
	slowGrace = 10 * time.Second
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
	lapsed  []sitting // those who had one, and read on
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

// slow reports whether the reader of a snapshot, or of a large part of it, keeps it
// for too long.
func (t sitting) slow() bool {
	p, late := t.sub.piece, time.Since(t.since)-slowGrace
	return p != nil && p.ready && late > 0 && float64(p.bytes)*float64(t.sub.next)/float64(len(p.frames)) < late.Seconds()*slowPace
}

// dismissSlow ends the slow, so that others may be given snapshots.
func (c *seats) dismissSlow() {
	for _, t := range slices.Clone(c.lapsed) {
		if t.slow() {
			t.sub.end(TooMany)
		}
	}
}

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
	for _, list := range [][]sitting{c.taken, c.lapsed} {
		for i := range list {
			if list[i].sub.piece == p {
				list[i].since = time.Now()
			}
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
	case lapsed:
		c.lapsed = slices.DeleteFunc(c.lapsed, func(t sitting) bool { return t.sub == s })
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
	for len(c.taken) < maxSeats {
		i := c.next()
		if i < 0 {
			break
		}
		s := c.queue[i]
		c.queue = slices.Delete(c.queue, i, i+1)
		c.sit(s)
		s.feed.signal(s)
	}
	c.lapseLater()
}

// next is the index of the one who is to have the next seat, -1 if nobody is.
func (c *seats) next() int {
	var waiting *class // a crowd is of few classes, and looked through each time that one of it leaves
	return slices.IndexFunc(c.queue, func(s *Sub) bool {
		if s.class == waiting {
			return false
		}
		if c.wouldWait(s) {
			waiting = s.class
			return false
		}
		return true
	})
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
			c.lapsed = append(c.lapsed, t)
		}
		c.taken = slices.Delete(c.taken, i, i+1)
		c.fill()
	}
	c.lapseLater()
}
