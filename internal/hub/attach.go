package hub

import (
	"fmt"
	"math"
	"runtime/debug"
)

// attachSnapshot gives s a snapshot to read. Snapshot and cursor are chosen in one
// step: the commits after the snapshot are kept from here on.
func (m *Manager) attachSnapshot(s *Sub) {
	if p := m.snapshots.get(s.class, m.state, m.generation, &m.window); p != nil {
		m.attach(s, p)
		m.keepFor(s)
		return
	}
	if m.snapshots.bytes > m.snapshots.budget {
		m.seats.dismissSlow()
	}
	p := &piece{typ: Snapshot, generation: m.generation, to: m.state.SeqNo, digest: m.state.Digest, committed: m.state.SeqNo}
	m.snapshots.add(s.class, p)
	m.attach(s, p)
	m.keepFor(s)

	class, state, framer := s.class, m.state, m.framer
	m.encode(s, job{
		piece:  p,
		frames: func() [][]byte { return framer.snapshot(state, class.classKey) },
		settled: func() {
			m.snapshots.finished(class, p)
			m.seats.encoded(p)
		},
		long: true,
	})
}

// attachDeltas gives s the deltas after its position.
func (m *Manager) attachDeltas(s *Sub) {
	k := deltaKey{class: s.class, prev: s.sent, limit: min(m.goal(s), s.pos+maxStep), ahead: s.options.Ahead}
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
	m.encode(s, job{
		piece: p,
		frames: func() (frames [][]byte) {
			frames, p.rest, p.to = framer.deltas(k, commits)
			p.digest = commits[p.to-commits[0].SeqNo].Digest
			return frames
		},
		settled: func() { m.deltas.finished(k, p) },
		long:    isLong(commits),
	})
}

// Bounds of the commits that a writer encodes in its own call of Next.
const (
	briefCommits = 256
	briefBytes   = 64 << 10
)

func isLong(commits []*held) bool {
	bytes := 0
	for _, c := range commits {
		bytes += c.Bytes
	}
	return len(commits) > briefCommits || bytes > briefBytes
}

// job is the encoding of a piece.
type job struct {
	piece   *piece
	frames  func() [][]byte // runs without the lock
	settled func()          // runs with it when the piece is ready or has failed
	long    bool            // would hold up a writer
}

// encode has j done for s, which has the piece attached: at once, or beside the
// writer if it takes long and the writer serves others as well. Those who wait for
// the piece are signalled. If the encoding panics they try for themselves, and the
// panic is that of s.
func (m *Manager) encode(s *Sub, j job) {
	if j.long && s.feed.shared {
		go m.encodeBeside(s, j)
		return
	}
	m.mu.Unlock()
	var frames [][]byte
	ok := false
	defer func() {
		m.mu.Lock()
		m.settle(s, j, frames, ok)
	}()
	frames = j.frames()
	ok = true
}

func (m *Manager) encodeBeside(s *Sub, j job) {
	slots := m.encoders[j.piece.typ]
	slots <- struct{}{}
	defer func() { <-slots }()
	var frames [][]byte
	var failure any
	func() {
		defer func() {
			if v := recover(); v != nil {
				failure = fmt.Errorf("hub: encoding: %v\n%s", v, debug.Stack())
			}
		}()
		frames = j.frames()
	}()
	m.mu.Lock()
	defer m.mu.Unlock()
	s.failure = failure
	m.settle(s, j, frames, failure == nil)
	s.feed.signal(s)
}

// settle makes a piece ready, or gives it up.
func (m *Manager) settle(s *Sub, j job, frames [][]byte, ok bool) {
	p := j.piece
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
			w.feed.signal(w)
		}
	}
	j.settled()
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
		m.snapshots.outdated(m.state, m.generation, m.seats.busy())
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
// Who has been left behind needs none: it will be given another snapshot.
func (m *Manager) pin() uint64 {
	pin := uint64(math.MaxUint64)
	for _, s := range m.pinned {
		pos := s.pos
		if s.piece != nil && s.piece.typ == Snapshot {
			pos = s.piece.to
		}
		if pos+1 >= m.window.oldest {
			pin = min(pin, pos)
		}
	}
	return pin
}
