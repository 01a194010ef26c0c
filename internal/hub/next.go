package hub

import (
	"time"
)

// maxStep bounds the commits that one delta looks at, and so the work of a call
// of Next for a class that sees few of them.
const maxStep = 1024

// Batch is what Next hands out. A writer keeps one and uses it again and again.
type Batch struct {
	// Frames are due in this order. Handed out they count as sent. Their bytes are
	// shared and read-only; the slice is the Batch's own.
	Frames [][]byte
	// Oldest is when the oldest commit in the frames was pushed, the zero time if
	// there is none in them, or if that was before the subscriber came.
	Oldest time.Time
	// Interval is that of the heartbeats if one is among the frames, else 0.
	Interval time.Duration
	// More says that Next should be called again, without waiting for a signal,
	// once the frames are written.
	More bool
	// Ended says that the stream has ended: nothing comes after the frames.
	Ended bool
}

// Next puts into b the frames that are due, none when the subscriber is up to
// date or ended. It stops after the frame with which maxBytes is reached, so it
// hands out at least one frame if any is due.
//
// Next never waits for another subscriber. It may encode: what several need is
// encoded for the first, while the others are told nothing yet and signalled when
// it is there. If encoding panics, so does the Next of the subscriber that it was
// for; the others try for themselves.
func (s *Sub) Next(b *Batch, maxBytes int) {
	f := s.feed
	f.observe = &s.manager.options.Observe
	s.take(b, maxBytes, &f.tally)
	if !f.shared {
		f.End()
	}
}

func (s *Sub) take(b *Batch, maxBytes int, t *tally) {
	clear(b.Frames) // shared with others, and not to be kept alive from here
	*b = Batch{Frames: b.Frames[:0]}
	m := s.manager
	m.mu.Lock()
	defer m.mu.Unlock()
	failure := s.failure
	if s.failure = nil; failure != nil && !s.ended {
		panic(failure)
	}
	if s.seat == rising {
		m.seats.leave(s)
	}
	for size := 0; ; {
		frame, typ := m.due(s, b, t)
		if frame == nil {
			break
		}
		t.add(typ, len(frame))
		size += len(frame)
		b.Frames = append(b.Frames, frame)
		if typ == Heartbeat {
			b.Interval = m.framer.interval
		}
		if size >= maxBytes {
			b.More = true
			break
		}
	}
	b.More = b.More || s.seat == rising
	b.Ended = s.ended
}

// due returns the next frame of s and its type, nil if there is none at present.
// The order of the cases is the order of the stream. The lock is given up while
// something is encoded.
func (m *Manager) due(s *Sub, b *Batch, t *tally) ([]byte, FrameType) {
	for !s.ended {
		switch {
		case s.finishing && s.piece != nil && s.piece.typ == Snapshot && s.next == 0:
			s.end(s.farewell)
		case s.piece != nil && !s.piece.ready:
			if s.piece.typ == Snapshot {
				return m.wait(s)
			}
			return nil, ""
		case s.piece != nil:
			typ := s.piece.typ
			if frame := m.read(s, b); frame != nil {
				return frame, typ
			}
		case !s.greeted:
			t.resync(s.reason)
			return m.greet(s), Heartbeat
		case s.finishing && (m.lacksState(s) || s.pos >= s.last):
			s.end(s.farewell)
		case m.lacksState(s):
			if !m.seats.take(s) {
				return m.wait(s)
			}
			switch {
			case s.generation == 0: // not resumed, which the greeting has told
			case s.generation != m.generation:
				t.resync(StateReplaced)
			default:
				t.resync(WindowExceeded)
			}
			m.attachSnapshot(s)
		case s.ticks != m.ticks:
			return m.beat(s), Heartbeat
		case s.pos < m.goal(s):
			m.attachDeltas(s)
		case s.options.Ahead && s.committed < min(m.state.SeqNo, s.pos):
			return m.beat(s), Heartbeat
		default:
			return nil, ""
		}
	}
	return nil, ""
}

// lacksState reports whether s can go on from a snapshot only.
func (m *Manager) lacksState(s *Sub) bool {
	return s.generation != m.generation || s.pos+1 < m.window.oldest
}

// limit is the newest commit that s may be given.
func (m *Manager) limit(s *Sub) uint64 {
	if s.options.Ahead {
		return m.window.last()
	}
	return m.state.SeqNo
}

// goal is the commit that s is led to in the present round of its feed.
func (m *Manager) goal(s *Sub) uint64 {
	limit := m.limit(s)
	switch f := s.feed; {
	case !f.shared:
		return limit
	case s.options.Ahead:
		return min(limit, f.last)
	default:
		return min(limit, f.shown)
	}
}

// greet is the first heartbeat. It tells where s was when it was added, even if
// the window has left that position behind since.
func (m *Manager) greet(s *Sub) []byte {
	s.greeted = true
	s.sent = s.pos
	return m.framer.heartbeat(s.class.encoding, beat{
		seq:       s.pos,
		committed: m.commit(s),
		ahead:     s.options.Ahead,
		first:     true,
		resumed:   s.resumed,
		reason:    s.reason,
		digest:    s.digest,
		digested:  s.options.Digest && s.resumed,
		resumable: s.resumed,
		extra:     s.options.Greeting,
	}, time.Now())
}

// beat is any later heartbeat of a subscriber that has all that is due.
func (m *Manager) beat(s *Sub) []byte {
	s.sent = s.pos
	if s.options.Digest {
		s.digest = m.window.digest(s.pos)
	}
	m.commit(s)
	return m.repeat(s)
}

// wait is what is due to a subscriber while it queues for its snapshot or that is
// encoded: a heartbeat at each interval, so that it does not take the gateway for
// gone. Who waits for deltas, which takes no time beside, has its heartbeat after
// them: whoever resumes may count on the second to come when it is up to date.
func (m *Manager) wait(s *Sub) ([]byte, FrameType) {
	if s.ticks == m.ticks {
		return nil, ""
	}
	return m.repeat(s), Heartbeat
}

// repeat is a heartbeat that says what the stream has said already.
func (m *Manager) repeat(s *Sub) []byte {
	s.ticks = m.ticks
	h := beat{seq: s.sent, resumable: s.generation != 0}
	if s.options.Ahead {
		h.ahead, h.committed = true, s.committed
	}
	if s.options.Digest {
		h.digested, h.digest = true, s.digest
	}
	return m.beats.get(beatKey{s.class.encoding, h}, m.framer)
}

// commit notes and returns what s is told in committed_seq_no at its position, 0
// for those who are not told.
func (m *Manager) commit(s *Sub) uint64 {
	if !s.options.Ahead {
		return 0
	}
	s.committed = min(m.state.SeqNo, s.pos)
	return s.committed
}

// read returns the next frame of the piece that s reads, nil if it has none. With
// the last one s moves on.
func (m *Manager) read(s *Sub, b *Batch) []byte {
	p := s.piece
	var frame []byte
	if s.next < len(p.frames) {
		frame = p.frames[s.next]
		s.next++
		s.sent = p.to
		if b.Oldest.IsZero() && p.oldest.After(s.connected) {
			b.Oldest = p.oldest
		}
	}
	if s.next < len(p.frames) {
		return frame
	}
	s.pos = p.to
	if frame != nil {
		s.digest = p.digest
		s.committed = min(p.committed, p.to)
	}
	if p.typ == Snapshot {
		s.generation = p.generation
		m.seats.done(s, p.bytes)
	}
	m.release(s)
	if s.pinned && s.pos >= m.goal(s) {
		m.unpin(s)
	}
	return frame
}
