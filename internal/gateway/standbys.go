package gateway

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/replication-gateway/gateway/internal/hub"
)

// standbys know who has what on disk. A standby with an ID counts once,
// whatever streams it had; one without counts while its stream is open.
type standbys struct {
	mu       sync.Mutex
	named    map[string]*Follower // by ID, those whose stream has ended too
	unnamed  map[*Follower]struct{}
	arranged []uint64 // scratch of nth
}

// Follower is a replica stream whose reader says what it has on disk.
type Follower struct {
	g  *Gateway
	id string

	// Guarded by standbys.mu.
	sub   *hub.Sub // nil for one with an ID whose stream has ended
	acked uint64
	open  bool
	since time.Time // when the stream began, or ended
}

// Follow counts a replica stream that Subscribe opened. since is the seq_no that
// it asked to be resumed at, 0 for none. A stream with an ID, which is empty for
// none, ends an older one of the same ID, and, when it was resumed, acknowledges
// since. Unfollow takes it back.
func (g *Gateway) Follow(sub *hub.Sub, id string, since uint64) *Follower {
	f := &Follower{g: g, sub: sub, open: true, since: time.Now()}
	f.id = strings.Clone(id) // it is a part of a request, and kept for longer
	s := &g.standbys
	s.mu.Lock()
	if id == "" {
		s.unnamed[f] = struct{}{}
	} else {
		if sub.Resumed() && !sub.Ended() { // else what it has may be of a history that was given up
			f.acked = since
		}
		if older := s.named[id]; older != nil && older.open {
			older.sub.End(hub.HistoryChanged)
		}
		s.named[f.id] = f
		s.forget()
	}
	s.mu.Unlock()
	g.acknowledged()
	return f
}

// maxGone is how many standbys are remembered that are gone.
const maxGone = 100

// forget forgets the one that has been gone for longest when there are too many. The
// lock is held.
func (s *standbys) forget() {
	gone, longest := 0, (*Follower)(nil)
	for _, f := range s.named {
		if f.open {
			continue
		}
		if gone++; longest == nil || f.since.Before(longest.since) {
			longest = f
		}
	}
	if gone > maxGone {
		delete(s.named, longest.id)
	}
}

// Unfollow takes note that the stream has ended. What a standby with an ID has
// acknowledged it still has.
func (g *Gateway) Unfollow(f *Follower) {
	g.standbys.mu.Lock()
	defer g.standbys.mu.Unlock()
	f.open, f.since = false, time.Now()
	delete(g.standbys.unnamed, f)
	if f.id != "" {
		f.sub = nil // f is kept for long
	}
}

// Ack takes note that the reader has everything up to seqNo on disk. The error is
// ErrBadAck.
func (f *Follower) Ack(epoch string, seqNo uint64) error {
	if epoch != f.g.Lineage().Current() || seqNo > f.g.durable.Load().position.SeqNo {
		return ErrBadAck
	}
	f.g.standbys.mu.Lock()
	f.acked = max(f.acked, seqNo)
	f.g.standbys.mu.Unlock()
	f.g.acknowledged()
	return nil
}

// Acked returns the name of the standby that reads the stream, and the newest
// commit that it has on disk; false for a reader that only looks. The name is its
// ID, or the number of its stream.
func (f *Follower) Acked() (name string, seqNo uint64, standby bool) {
	f.g.standbys.mu.Lock()
	defer f.g.standbys.mu.Unlock()
	return f.name(), f.acked, f.isStandby()
}

func (f *Follower) name() string {
	if f.id != "" {
		return f.id
	}
	return strconv.FormatUint(f.sub.Stats().ID, 10)
}

// isStandby reports whether the reader acknowledges. standbys.mu is held.
func (f *Follower) isStandby() bool { return f.id != "" || f.acked > 0 }

// acknowledged shows what enough standbys have.
func (g *Gateway) acknowledged() {
	if g.standby.Load() || g.options.SyncStandbys == 0 {
		return
	}
	_ = g.allow(g.mayShow()) // a failure ends writing, and says so
}

// mayShow returns the newest commit that a primary may show.
func (g *Gateway) mayShow() uint64 {
	if g.options.SyncStandbys == 0 {
		return g.durable.Load().position.SeqNo
	}
	return g.standbys.nth(g.options.SyncStandbys)
}

// Acks returns how many standbys have a commit on disk.
func (g *Gateway) Acks(seqNo uint64) int {
	s := &g.standbys
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for f := range s.all() {
		if f.acked >= seqNo {
			n++
		}
	}
	return n
}

// SyncStandbys returns how many standbys a write waits for.
func (g *Gateway) SyncStandbys() int { return g.options.SyncStandbys }

func (s *standbys) init() {
	s.named, s.unnamed = make(map[string]*Follower), make(map[*Follower]struct{})
}

// clear forgets all acknowledgements.
func (s *standbys) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.init()
}

func (s *standbys) all() func(yield func(*Follower) bool) {
	return func(yield func(*Follower) bool) {
		for _, f := range s.named {
			if !yield(f) {
				return
			}
		}
		for f := range s.unnamed {
			if !yield(f) {
				return
			}
		}
	}
}

// nth returns the newest commit that n standbys have on disk, 0 if there are
// not so many.
func (s *standbys) nth(n int) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.arranged[:0]
	for f := range s.all() {
		list = append(list, f.acked)
	}
	s.arranged = list
	if len(list) < n {
		return 0
	}
	slices.SortFunc(list, func(a, b uint64) int { return cmp.Compare(b, a) })
	return list[n-1]
}
