package hub

import "sync"

// Feed gathers the subscribers that one goroutine, their writer, serves:
//
//	for range feed.Wake() {
//		due = feed.Begin(due[:0])
//		for _, sub := range due {
//			sub.Next(&batch, size) // and write what it gives
//		}
//		feed.End()
//	}
//
// A push wakes a feed once, however many subscribers it has. All of them are led
// to the same commit in a round, so that those who stood together stay together
// and go on sharing frames, whatever is pushed meanwhile. Frames that take long
// to encode are not encoded in the writer's calls of Next but beside it.
type Feed struct {
	wake   chan struct{} // has room for one signal
	shared bool          // false for the feed that a subscriber has before Add

	mu   sync.Mutex
	all  bool   // every subscriber may have frames
	some []*Sub // these may
	subs []*Sub

	// Guarded by Manager.mu.
	shown, last uint64 // where Begin found the state and the window

	// The writer's own.
	tally   tally
	observe *Observe
}

// NewFeed returns a Feed without subscribers.
func NewFeed() *Feed { return &Feed{wake: make(chan struct{}, 1), shared: true} }

// Add hands s to the feed's writer and sets how its frames travel. owner is what
// s.Owner returns. It is called once, before the first Next of s. All subscribers
// of a feed are of one Manager.
func (f *Feed) Add(s *Sub, e *Encoding, owner any) {
	m := s.manager
	m.registry.Lock()
	defer m.registry.Unlock()
	if s.index >= len(m.subs) || m.subs[s.index] != s {
		return // removed
	}
	m.mu.Lock()
	lone := s.feed
	s.feed, s.owner, s.signalled = f, owner, false
	m.leaveClass(s)
	m.joinClass(s, e)
	m.mu.Unlock()

	delete(m.feeds, lone)
	m.feeds[f] = struct{}{}
	f.mu.Lock()
	s.place = len(f.subs)
	f.subs = append(f.subs, s)
	f.mu.Unlock()
	f.signal(s)
}

// remove takes s out. The registry's lock is held.
func (f *Feed) remove(s *Sub) {
	f.mu.Lock()
	if s.place < len(f.subs) && f.subs[s.place] == s {
		f.subs = swapRemove(f.subs, s.place)
		if s.place < len(f.subs) {
			f.subs[s.place].place = s.place
		}
	}
	empty := len(f.subs) == 0
	f.mu.Unlock()
	if empty {
		delete(s.manager.feeds, f)
	}
	f.ring()
}

// Wake receives a signal when a subscriber may have frames, has ended or was
// removed. One signal may stand for many, and one may come for nothing.
func (f *Feed) Wake() <-chan struct{} { return f.wake }

// Begin appends to dst the subscribers that may have frames, each once, and
// begins a round.
func (f *Feed) Begin(dst []*Sub) []*Sub {
	f.mu.Lock()
	from := f.some
	if f.all {
		from = f.subs
	}
	dst = append(dst, from...)
	for _, s := range f.some {
		s.signalled = false
	}
	clear(f.some)
	f.some, f.all = f.some[:0], false
	f.mu.Unlock()

	if len(dst) > 0 {
		m := dst[0].manager
		m.mu.Lock()
		f.shown, f.last = m.state.SeqNo, m.window.last()
		m.mu.Unlock()
	}
	return dst
}

// End ends a round: what was handed out in it is told to Observe.
func (f *Feed) End() {
	if f.observe != nil {
		f.tally.report(f.observe)
	}
}

// signal tells the writer to look at s.
func (f *Feed) signal(s *Sub) {
	f.mu.Lock()
	if !s.signalled {
		s.signalled = true
		f.some = append(f.some, s)
	}
	f.mu.Unlock()
	f.ring()
}

// signalAll tells the writer to look at every subscriber.
func (f *Feed) signalAll() {
	f.mu.Lock()
	f.all = true
	f.mu.Unlock()
	f.ring()
}

func (f *Feed) ring() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}
