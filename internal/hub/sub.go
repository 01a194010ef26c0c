package hub

import "time"

// SubOptions says what a subscriber wants.
type SubOptions struct {
	Class Class
	// Resume asks to go on after Since. The caller vouches that Since counts in
	// this history; the hub decides whether the window still leads on from there.
	Resume bool
	Since  uint64
	// Reason is why a position that was given cannot be resumed, when the caller
	// knows. It is told to the subscriber and outranks Resume.
	Reason string
	// Ahead shows commits before the state says that they may be seen, and tells
	// how far that is in committed_seq_no.
	Ahead bool
	// Digest puts the digest of the state into heartbeats.
	Digest bool
	// Greeting is further members of the first heartbeat, encoded, without a
	// leading comma.
	Greeting string
	// Wake is signalled when there may be frames. It has room for one signal, and
	// several subscribers may share it. nil makes one for this subscriber alone.
	Wake chan struct{}
}

// Sub is a subscriber: a cursor into the stream. Next is called by one goroutine
// at a time, all else by any.
type Sub struct {
	manager   *Manager
	id        uint64
	options   SubOptions
	class     *class // set once, before anyone else sees the Sub
	resumed   bool   // likewise
	reason    string // likewise
	digest    uint64 // likewise: of the state it was resumed at
	connected time.Time
	wake      chan struct{}
	done      chan struct{}

	index int // in Manager.subs, guarded by Manager.registry

	// Guarded by Manager.mu.
	sent       uint64 // seq_no of the last frame
	pos        uint64 // every commit up to it has been handed out or is invisible
	committed  uint64 // committed_seq_no last told, or the snapshot that implies it
	ticks      uint64 // heartbeats that fell due and need no answer
	generation uint64 // the Push it stands on, 0 for none
	greeted    bool   // the first heartbeat has been handed out
	pinned     bool   // in Manager.pinned
	pin        int    // index there
	piece      *piece // being read or waited for
	next       int    // frame of piece to be read
	ended      bool
	cause      Disconnect
	oldest     time.Time // see Oldest
}

func newSub(m *Manager, id uint64, o SubOptions) *Sub {
	s := &Sub{manager: m, id: id, options: o, connected: time.Now(), wake: o.Wake, done: make(chan struct{})}
	if s.wake == nil {
		s.wake = make(chan struct{}, 1)
	}
	return s
}

// Wake receives a signal when Next may have frames. One signal may stand for
// many, and a signal may come for nothing.
func (s *Sub) Wake() <-chan struct{} { return s.wake }

func (s *Sub) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Done is closed when the stream has ended; Cause says why.
func (s *Sub) Done() <-chan struct{} { return s.done }

// Cause is what the stream was ended with, the zero value while it goes on.
func (s *Sub) Cause() Disconnect {
	s.manager.mu.Lock()
	defer s.manager.mu.Unlock()
	return s.cause
}

// End ends the stream: Next returns nothing any more. The first End counts. The
// subscriber is counted until it is removed.
func (s *Sub) End(d Disconnect) {
	s.manager.mu.Lock()
	defer s.manager.mu.Unlock()
	s.end(d)
}

// end is End with the lock held.
func (s *Sub) end(d Disconnect) {
	if s.ended {
		return
	}
	s.ended, s.cause = true, d
	s.manager.release(s)
	s.manager.unpin(s)
	close(s.done)
}

// Stats is where a subscriber stands.
type Stats struct {
	ID        uint64 // counts from 1 for each Manager
	Class     Class
	Ahead     bool
	SeqNo     uint64 // everything up to it has been handed out
	Behind    uint64 // commits that it may see and has not been given
	Connected time.Time
}

// Stats returns where the subscriber stands now.
func (s *Sub) Stats() Stats {
	m := s.manager
	m.mu.Lock()
	defer m.mu.Unlock()
	st := Stats{ID: s.id, Class: s.options.Class, Ahead: s.options.Ahead, SeqNo: s.pos, Connected: s.connected}
	if limit := m.limit(s); limit > st.SeqNo {
		st.Behind = limit - st.SeqNo
	}
	return st
}

// Oldest is when the oldest commit in the deltas of the last Next was pushed, the
// zero time if there was none.
func (s *Sub) Oldest() time.Time {
	s.manager.mu.Lock()
	defer s.manager.mu.Unlock()
	return s.oldest
}
