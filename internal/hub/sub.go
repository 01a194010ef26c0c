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
}

// Sub is a subscriber: a cursor into the stream. Next is called by one goroutine
// at a time, all else by any.
type Sub struct {
	manager   *Manager
	id        uint64
	options   SubOptions
	resumed   bool   // set once, before anyone else sees the Sub
	reason    string // likewise
	connected time.Time

	// Changed by Feed.Add only, which precedes the first Next.
	feed  *Feed
	owner any

	index     int  // in Manager.subs, guarded by Manager.registry
	place     int  // in Feed.subs, guarded by Feed.mu
	signalled bool // in Feed.some, guarded by Feed.mu

	// Guarded by Manager.mu.
	class      *class
	sent       uint64 // seq_no of the last frame
	digest     uint64 // of the state at sent, for those who are told
	pos        uint64 // every commit up to it has been handed out or is invisible
	committed  uint64 // committed_seq_no last told, or the snapshot that implies it
	ticks      uint64 // heartbeats that fell due and need no answer
	generation uint64 // the Push it stands on, 0 for none
	greeted    bool   // the first heartbeat has been handed out
	pinned     bool   // in Manager.pinned
	pin        int    // index there
	seat       seat   // see seats
	piece      *piece // being read or waited for
	next       int    // frame of piece to be read
	failure    any    // what an encoding beside Next panicked with
	finishing  bool   // ends with farewell once it stands at last
	last       uint64
	farewell   Disconnect
	ended      bool
	cause      Disconnect
	done       chan struct{} // made by Done
}

func newSub(m *Manager, id uint64, o SubOptions) *Sub {
	s := &Sub{manager: m, id: id, options: o, connected: time.Now()}
	s.feed = &Feed{wake: make(chan struct{}, 1), subs: []*Sub{s}}
	return s
}

// Owner is what Feed.Add was given.
func (s *Sub) Owner() any { return s.owner }

// Signal tells the writer of the subscriber's feed to look at it.
func (s *Sub) Signal() {
	s.manager.mu.Lock()
	defer s.manager.mu.Unlock()
	s.feed.signal(s)
}

// Wake receives a signal when Next of a subscriber without a feed may have
// frames. One signal may stand for many, and a signal may come for nothing.
func (s *Sub) Wake() <-chan struct{} { return s.feed.wake }

// Resumed reports whether the subscriber goes on after SubOptions.Since.
func (s *Sub) Resumed() bool { return s.resumed }

// Done is closed when the stream has ended; Cause says why.
func (s *Sub) Done() <-chan struct{} {
	s.manager.mu.Lock()
	defer s.manager.mu.Unlock()
	if s.done == nil {
		s.done = make(chan struct{})
		if s.ended {
			close(s.done)
		}
	}
	return s.done
}

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

// Ended reports whether the stream has ended.
func (s *Sub) Ended() bool {
	s.manager.mu.Lock()
	defer s.manager.mu.Unlock()
	return s.ended
}

// Finish ends the stream once it has been given what is due now: what it has
// begun, and the commits pushed so far. A snapshot that it has not begun is not
// due. End may still end it before.
func (s *Sub) Finish(d Disconnect) {
	m := s.manager
	m.mu.Lock()
	defer m.mu.Unlock()
	if !s.finishing {
		s.finishing, s.farewell, s.last = true, d, m.limit(s)
		s.feed.signal(s)
	}
}

// end is End with the lock held.
func (s *Sub) end(d Disconnect) {
	if s.ended {
		return
	}
	m := s.manager
	s.ended, s.cause = true, d
	m.release(s)
	m.unpin(s)
	m.seats.leave(s)
	if s.done != nil {
		close(s.done)
	}
	s.feed.signal(s)
}

// Stats is where a subscriber stands.
type Stats struct {
	ID        uint64 // counts from 1 for each Manager
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
	st := Stats{ID: s.id, Ahead: s.options.Ahead, SeqNo: s.pos, Connected: s.connected}
	if limit := m.limit(s); limit > st.SeqNo {
		st.Behind = limit - st.SeqNo
	}
	return st
}
