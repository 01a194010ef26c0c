package hub

import "time"

// maxStep bounds the commits that one delta looks at, and so the work of a call
// of Next for a class that sees few of them.
const maxStep = 1024

// Next appends the frames that are due to dst and returns it, unchanged when the
// subscriber is up to date or ended. It stops after the frame with which maxBytes
// is reached, so it returns at least one frame if any is due. Call it until it
// returns nothing, then wait for Wake. Frames handed out count as sent; their
// bytes are shared and read-only.
//
// Next never waits for another subscriber. It may encode: what several need is
// encoded in the call of the first, while the others return without it and are
// woken when it is there.
func (s *Sub) Next(dst [][]byte, maxBytes int) [][]byte {
	var t tally
	dst = s.take(dst, maxBytes, &t)
	t.report(&s.manager.options.Observe)
	return dst
}

func (s *Sub) take(dst [][]byte, maxBytes int, t *tally) [][]byte {
	m := s.manager
	m.mu.Lock()
	defer m.mu.Unlock()
	s.oldest = time.Time{}
	for size := 0; size == 0 || size < maxBytes; {
		frame, typ := m.due(s, t)
		if frame == nil {
			break
		}
		t.add(typ, len(frame))
		size += len(frame)
		dst = append(dst, frame)
	}
	return dst
}

// due returns the next frame of s and its type, nil if there is none at present.
// The order of the cases is the order of the stream. The lock is given up while
// something is encoded.
func (m *Manager) due(s *Sub, t *tally) ([]byte, FrameType) {
	for !s.ended {
		switch {
		case s.piece != nil:
			if !s.piece.ready {
				return nil, ""
			}
			typ := s.piece.typ
			if frame := m.read(s); frame != nil {
				return frame, typ
			}
		case !s.greeted:
			t.resync = s.reason
			return m.greet(s), Heartbeat
		case s.generation != m.generation || s.pos+1 < m.window.oldest:
			switch {
			case s.generation == 0: // not resumed, which the greeting has told
			case s.generation != m.generation:
				t.resync = StateReplaced
			default:
				t.resync = WindowExceeded
			}
			m.attachSnapshot(s)
		case s.ticks != m.ticks:
			return m.beat(s), Heartbeat
		case s.pos < m.limit(s):
			m.attachDeltas(s)
		case s.options.Ahead && s.committed < min(m.state.SeqNo, s.pos):
			return m.beat(s), Heartbeat
		default:
			return nil, ""
		}
	}
	return nil, ""
}

// limit is the newest commit that s may be given.
func (m *Manager) limit(s *Sub) uint64 {
	if s.options.Ahead {
		return m.window.last()
	}
	return m.state.SeqNo
}

// greet is the first heartbeat. It tells where s was when it was added, even if
// the window has left that position behind since.
func (m *Manager) greet(s *Sub) []byte {
	s.greeted = true
	s.sent = s.pos
	return m.framer.heartbeat(beat{
		seq:       s.pos,
		committed: m.commit(s),
		ahead:     s.options.Ahead,
		first:     true,
		resumed:   s.resumed,
		reason:    s.reason,
		digest:    s.digest,
		digested:  s.options.Digest && s.resumed,
		extra:     s.options.Greeting,
	}, time.Now())
}

// beat is any later heartbeat.
func (m *Manager) beat(s *Sub) []byte {
	s.ticks = m.ticks
	s.sent = s.pos
	h := beat{seq: s.pos, committed: m.commit(s), ahead: s.options.Ahead, digested: s.options.Digest}
	if h.digested {
		h.digest = m.window.digest(s.pos)
	}
	return m.beats.get(h, m.framer)
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
func (m *Manager) read(s *Sub) []byte {
	p := s.piece
	var frame []byte
	if s.next < len(p.frames) {
		frame = p.frames[s.next]
		s.next++
		s.sent = p.to
		if s.oldest.IsZero() {
			s.oldest = p.oldest
		}
	}
	if s.next < len(p.frames) {
		return frame
	}
	s.pos = p.to
	if frame != nil {
		s.committed = min(p.committed, p.to)
	}
	if p.typ == Snapshot {
		s.generation = p.generation
	}
	m.release(s)
	if s.pinned && s.pos >= m.limit(s) {
		m.unpin(s)
	}
	return frame
}
