package gateway

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// StandbyStatus says how far a standby is behind, and since when it is there or
// gone.
type StandbyStatus struct {
	ID     string // under which it acknowledges, or the number of its stream
	Open   bool   // it has a stream
	Since  time.Time
	Acked  uint64        // the newest commit that it has on disk
	Behind uint64        // commits on disk here that it has not acknowledged
	Lag    time.Duration // how long the oldest of these has been on disk here, 0 without one
}

// Standbys returns every standby that has followed since this gateway started, was
// last demoted or went over to another history, also those that are gone, sorted by
// ID.
func (g *Gateway) Standbys() []StandbyStatus {
	if !g.isOpen() {
		return nil
	}
	durable, now := g.durable.Load().position.SeqNo, time.Now()
	s := &g.standbys
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]StandbyStatus, 0, len(s.named))
	for f := range s.all() {
		if !f.isStandby() {
			continue
		}
		status := StandbyStatus{ID: f.name(), Open: f.open, Since: f.since, Acked: f.acked}
		if f.acked < durable {
			status.Behind = durable - f.acked
			status.Lag = max(0, now.Sub(g.landmarks.before(f.acked+1)))
		}
		list = append(list, status)
	}
	slices.SortFunc(list, func(a, b StandbyStatus) int { return cmp.Compare(a.ID, b.ID) })
	return list
}

const (
	// landmarkGap is the least time between two landmarks, which is how exact a
	// lag is.
	landmarkGap  = 10 * time.Millisecond
	maxLandmarks = 4096
)

// landmarks remember when commits became durable, of the older ones more
// roughly. The zero value is usable.
type landmarks struct {
	mu   sync.Mutex
	list []landmark // ascending; the first is of the start
}

type landmark struct {
	seqNo uint64
	at    time.Time
}

// note remembers that commits from seqNo on became durable at a time, which is
// not before those noted earlier.
func (l *landmarks) note(seqNo uint64, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.list); n > 0 && at.Sub(l.list[n-1].at) < landmarkGap {
		return
	}
	if len(l.list) == maxLandmarks {
		l.thin(at)
	}
	l.list = append(l.list, landmark{seqNo, at})
}

// thin forgets those without which there still is one shortly before any time:
// by an eighth of its age. A year takes some two hundred.
func (l *landmarks) thin(now time.Time) {
	kept := l.list[:1]
	for i, m := range l.list[1:] {
		last := kept[len(kept)-1].at
		next := now
		if i+2 < len(l.list) {
			next = l.list[i+2].at
		}
		if next.Sub(last) > now.Sub(last)/8 {
			kept = append(kept, m)
		}
	}
	l.list = kept
}

// before returns a time shortly before a commit became durable; the time of the
// start for one that was durable then, or if none is known.
func (l *landmarks) before(seqNo uint64) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	i, found := slices.BinarySearchFunc(l.list, seqNo, func(m landmark, seqNo uint64) int { return cmp.Compare(m.seqNo, seqNo) })
	if !found {
		i--
	}
	return l.list[max(i, 0)].at
}
