package hub

import (
	"errors"
	"fmt"
)

// Refusals of AddSub.
var (
	ErrFull    = errors.New("hub: too many subscribers")
	ErrClosed  = errors.New("hub: closed")
	ErrNoState = errors.New("hub: no state to start from yet")
)

// AddSub adds a subscriber. It is due its first frame at once.
func (m *Manager) AddSub(o SubOptions) (*Sub, error) {
	if o.Reason != "" && !isWord(o.Reason) {
		return nil, fmt.Errorf("hub: %q cannot be a reason", o.Reason)
	}
	m.registry.Lock()
	defer m.registry.Unlock()
	if m.closed {
		return nil, ErrClosed
	}
	if m.options.MaxSubs > 0 && len(m.subs) >= m.options.MaxSubs {
		return nil, fmt.Errorf("%w: %d", ErrFull, len(m.subs))
	}
	s := newSub(m, m.nextID+1, o)
	if !m.start(s) {
		return nil, ErrNoState
	}
	m.nextID++
	s.index = len(m.subs)
	m.subs = append(m.subs, s)
	m.feeds[s.feed] = struct{}{}
	s.feed.signal(s)
	return s, nil
}

// start gives s its place in the stream. It reports false if there is no state.
func (m *Manager) start(s *Sub) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.loaded {
		return false
	}
	m.joinClass(s, nil)
	s.reason = s.options.Reason
	if s.options.Resume && s.reason == "" {
		s.reason = m.refusal(s.options.Since)
	}
	s.ticks = m.ticks
	if s.resumed = s.options.Resume && s.reason == ""; s.resumed {
		s.generation = m.generation
		s.pos = s.options.Since
		s.digest = m.window.digest(s.pos)
	}
	return true
}

// refusal says why the stream cannot go on from since, or "" if it can.
func (m *Manager) refusal(since uint64) string {
	switch {
	case since > m.window.last():
		return Ahead
	case since+1 < m.window.first || since < m.floor:
		return WindowExceeded
	}
	return ""
}

// RemoveSub takes s away and ends it, if it has not been ended before. Removing
// twice does nothing.
func (m *Manager) RemoveSub(s *Sub) {
	m.registry.Lock()
	defer m.registry.Unlock()
	if s.index >= len(m.subs) || m.subs[s.index] != s {
		return
	}
	m.subs = swapRemove(m.subs, s.index)
	if s.index < len(m.subs) {
		m.subs[s.index].index = s.index
	}

	m.mu.Lock()
	s.end(Disconnect{})
	m.leaveClass(s)
	m.mu.Unlock()
	s.feed.remove(s)
}

func (m *Manager) joinClass(s *Sub, e *Encoding) {
	k := classKey{s.options.Class, e}
	s.class = m.classes[k]
	if s.class == nil {
		s.class = &class{classKey: k}
		m.classes[k] = s.class
	}
	s.class.subs++
}

func (m *Manager) leaveClass(s *Sub) {
	if s.class.subs--; s.class.subs == 0 {
		delete(m.classes, s.class.classKey)
		if p := m.snapshots.pieces[s.class]; p != nil {
			m.snapshots.forget(s.class, p)
		}
	}
}

// swapRemove takes out list[i] in O(1) by putting the last one there, whose index
// the caller corrects.
func swapRemove(list []*Sub, i int) []*Sub {
	last := len(list) - 1
	list[i], list[last] = list[last], nil
	return list[:last]
}

// SubCount is the number of subscribers that were added and not removed.
func (m *Manager) SubCount() int {
	m.registry.RLock()
	defer m.registry.RUnlock()
	return len(m.subs)
}

// Close ends every subscriber with d and refuses new ones. They stay counted
// until they are removed.
func (m *Manager) Close(d Disconnect) {
	m.registry.Lock()
	defer m.registry.Unlock()
	m.closed = true
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range m.subs {
		s.end(d)
	}
}

// wakeAll tells every feed to look at all its subscribers. One that is added
// meanwhile needs no telling: its first call of Next sees all that was pushed.
func (m *Manager) wakeAll() {
	m.registry.RLock()
	defer m.registry.RUnlock()
	for f := range m.feeds {
		f.signalAll()
	}
}
