package hub

import "math"

// attachSnapshot gives s a snapshot to read. Snapshot and cursor are chosen in one
// step: the commits after the snapshot are kept from here on.
func (m *Manager) attachSnapshot(s *Sub) {
	if p := m.snapshots.get(s.class, m.state, m.generation, &m.window); p != nil {
		m.attach(s, p)
		m.keepFor(s)
		return
	}
	p := &piece{typ: Snapshot, generation: m.generation, to: m.state.SeqNo, committed: m.state.SeqNo}
	m.snapshots.add(s.class, p)
	m.attach(s, p)
	m.keepFor(s)

	class, state, framer := s.class, m.state, m.framer
	defer func() { m.snapshots.finished(class, p) }()
	m.encode(s, p, func() [][]byte { return framer.snapshot(state, class.name) })
}

// attachDeltas gives s the deltas after its position.
func (m *Manager) attachDeltas(s *Sub) {
	k := deltaKey{class: s.class, prev: s.sent, limit: min(m.limit(s), s.pos+maxStep), ahead: s.options.Ahead}
	if k.ahead {
		k.committed = min(m.state.SeqNo, k.limit)
	}
	if p := m.deltas.get(k); p != nil {
		m.attach(s, p)
		return
	}
	p := &piece{typ: Delta, committed: k.committed}
	m.deltas.add(k, p)
	m.attach(s, p)

	commits, framer := m.window.between(s.pos, k.limit), m.framer
	p.oldest = commits[0].pushed
	defer func() { m.deltas.finished(k, p) }()
	m.encode(s, p, func() (frames [][]byte) {
		frames, p.to = framer.deltas(k, commits)
		return frames
	})
}

// encode makes p ready with what f returns, on behalf of s. f runs without the
// lock. If it panics, p fails and those who wait for it are woken to try for
// themselves.
func (m *Manager) encode(s *Sub, p *piece, f func() [][]byte) {
	m.mu.Unlock()
	var frames [][]byte
	ok := false
	defer func() {
		m.mu.Lock()
		waiters := p.waiters
		p.waiters = nil
		if ok {
			p.finish(frames)
		}
		for _, w := range waiters {
			if !ok && w.piece == p {
				m.release(w)
			}
			if w != s {
				w.signal()
			}
		}
	}()
	frames = f()
	ok = true
}

// attach makes p what s reads or waits for.
func (m *Manager) attach(s *Sub, p *piece) {
	s.piece, s.next = p, 0
	p.readers++
	if !p.ready {
		p.waiters = append(p.waiters, s)
	}
}

// release ends what attach began.
func (m *Manager) release(s *Sub) {
	p := s.piece
	if p == nil {
		return
	}
	s.piece = nil
	p.readers--
	if p.typ == Snapshot {
		m.snapshots.released(s.class, p)
		m.snapshots.outdated(m.state, m.generation)
	}
}

// keepFor keeps the commits that s will need after its snapshot.
func (m *Manager) keepFor(s *Sub) {
	if !s.pinned {
		s.pinned, s.pin = true, len(m.pinned)
		m.pinned = append(m.pinned, s)
	}
}

func (m *Manager) unpin(s *Sub) {
	if !s.pinned {
		return
	}
	s.pinned = false
	m.pinned = swapRemove(m.pinned, s.pin)
	if s.pin < len(m.pinned) {
		m.pinned[s.pin].pin = s.pin
	}
}

// pin is the position after which the slowest reader of a snapshot needs commits.
func (m *Manager) pin() uint64 {
	pin := uint64(math.MaxUint64)
	for _, s := range m.pinned {
		pos := s.pos
		if s.piece != nil && s.piece.typ == Snapshot {
			pos = s.piece.to
		}
		pin = min(pin, pos)
	}
	return pin
}
