package load

import (
	"errors"
	"sync"
	"time"
)

// ErrNeedsLinux is returned where there is no epoll.
var ErrNeedsLinux = errors.New("subscribers in numbers need epoll, which only Linux has")

// Options sets up a Swarm.
type Options struct {
	Target      Target
	Subscribers int
	Mark        Mark
	Ledger      *Ledger
}

// Figures is what a swarm has seen so far.
type Figures struct {
	Joined     int // subscribers that hold a snapshot
	Deliveries uint64
	Deltas     uint64 // frames by type; messages, strictly
	Snapshots  uint64
	Heartbeats uint64
	Bytes      uint64    // taken from the kernel, handshakes included
	Last       time.Time // when the last delivery was received

	SinceDue    Histogram // write due → received
	SinceAnswer Histogram // write answered → received; 0 for what arrived before the answer did
}

// Swarm is many subscribers of one stream, read by one goroutine. Its methods
// may be called from any goroutine.
type Swarm struct {
	options Options
	loop    loop
	joined  chan struct{} // closed when all have joined
	ended   chan struct{} // closed when the loop has ended, err says why

	mu      sync.Mutex
	figures Figures
	err     error
	goal    uint64        // deliveries that are waited for
	reached chan struct{} // closed when there are so many, nil while nobody waits
}

// Start opens the subscribers of a swarm, a number of them at a time, and reads
// them until Close. The loss of one of them ends the whole swarm.
func Start(o Options) (*Swarm, error) {
	s := &Swarm{options: o, joined: make(chan struct{}), ended: make(chan struct{})}
	if err := s.loop.open(s); err != nil {
		return nil, err
	}
	go func() {
		defer close(s.ended)
		err := s.loop.run()
		s.mu.Lock()
		defer s.mu.Unlock()
		s.err = err
	}()
	return s, nil
}

// Joined returns a channel that is closed when all subscribers hold a snapshot.
func (s *Swarm) Joined() <-chan struct{} { return s.joined }

// Ended returns a channel that is closed when the swarm has ended. Err says why.
func (s *Swarm) Ended() <-chan struct{} { return s.ended }

// Err returns why the swarm ended: nil after Close, and while it goes on.
func (s *Swarm) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Figures returns what has been seen so far.
func (s *Swarm) Figures() Figures {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.figures
}

// Reached returns a channel that is closed when there have been so many
// deliveries. A second call replaces the first.
func (s *Swarm) Reached(deliveries uint64) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.goal, s.reached = deliveries, make(chan struct{})
	reached := s.reached
	s.look()
	return reached
}

// look tells those who wait. The lock is held.
func (s *Swarm) look() {
	if s.reached != nil && s.figures.Deliveries >= s.goal {
		close(s.reached)
		s.reached = nil
	}
}

// Close ends all subscribers, if the swarm has not ended by itself, and waits for
// it. It is called once, whatever Err says, and returns how many subscribers did
// not get exactly so many deliveries.
func (s *Swarm) Close(deliveries int) (uneven int) {
	s.loop.stop()
	<-s.ended
	return s.loop.close(deliveries)
}

// count adds what one subscriber was found to have received at a time. The lock
// is held.
func (s *Swarm) count(f *found, bytes int, now time.Time) (deliveries int) {
	s.figures.Bytes += uint64(bytes)
	s.figures.Deltas += uint64(f.deltas)
	s.figures.Snapshots += uint64(f.snapshots)
	s.figures.Heartbeats += uint64(f.heartbeats)
	for _, i := range f.marks {
		sinceDue, sinceAnswer, ok := s.options.Ledger.received(i, now)
		if !ok {
			continue
		}
		deliveries++
		s.figures.SinceDue.Record(sinceDue)
		s.figures.SinceAnswer.Record(sinceAnswer)
	}
	if deliveries > 0 {
		s.figures.Deliveries += uint64(deliveries)
		s.figures.Last = now
	}
	return deliveries
}
