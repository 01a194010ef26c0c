package hub

import (
	"slices"
	"time"
)

// piece is something encoded once and handed to many subscribers: a snapshot, or
// the deltas that lead from one position to a later one. The subscriber that
// needs it first has it encoded, a short one inside its own call of Next and a
// long one beside it; those that come meanwhile wait for it without blocking.
// Guarded by Manager.mu.
type piece struct {
	typ        FrameType
	generation uint64    // of a snapshot
	to         uint64    // where a subscriber stands after the last frame; of deltas known when ready
	digest     uint64    // of the state there
	oldest     time.Time // when the oldest commit in it was pushed, zero for a snapshot
	committed  uint64    // what subscribers who are ahead know of after it, if it is not after to

	frames  [][]byte // set when ready, immutable from then on; none if nothing is visible
	rest    *tail    // of a commit in several frames: all but the first, kept for others as long as p is
	bytes   int      // of all frames
	ready   bool
	waiters []*Sub // to be woken when ready
	readers int    // subscribers that wait for it or are reading it
}

func (p *piece) finish(frames [][]byte) {
	p.frames, p.ready = frames, true
	for _, f := range frames {
		p.bytes += len(f)
	}
}

// deltaKey names the deltas for all subscribers who need the same ones.
type deltaKey struct {
	class     *class
	prev      uint64 // seq_no of the frame before
	limit     uint64 // the newest commit that may be in
	committed uint64 // what ahead subscribers are told
	ahead     bool
}

// Bounds of the deltas kept for others who need the same ones. The newest are
// kept whatever their size.
const (
	maxDeltas     = 512
	maxDeltaBytes = 16 << 20
)

// deltaCache keeps the newest deltas. Guarded by Manager.mu.
type deltaCache struct {
	pieces map[deltaKey]*piece
	order  []deltaKey // oldest first
	bytes  int        // of the pieces that are ready
}

func (c *deltaCache) get(k deltaKey) *piece { return c.pieces[k] }

func (c *deltaCache) add(k deltaKey, p *piece) {
	if c.pieces == nil {
		c.pieces = make(map[deltaKey]*piece)
	}
	c.pieces[k] = p
	c.order = append(c.order, k)
	c.shrink()
}

// finished counts the bytes of the piece under k, now that they are known. One
// that failed is forgotten.
func (c *deltaCache) finished(k deltaKey, p *piece) {
	switch {
	case c.pieces[k] != p:
	case p.ready:
		c.bytes += p.bytes
		c.shrink()
	default:
		delete(c.pieces, k)
		c.order = slices.DeleteFunc(c.order, func(o deltaKey) bool { return o == k })
	}
}

func (c *deltaCache) shrink() {
	for len(c.order) > 1 && (len(c.order) > maxDeltas || c.bytes > maxDeltaBytes) {
		k := c.order[0]
		c.order = c.order[1:]
		c.bytes -= c.pieces[k].bytes
		delete(c.pieces, k)
	}
}

func (c *deltaCache) reset() { *c = deltaCache{} }

// snapshotBudget is what snapshots may take, those being read and those kept for
// joiners of the same state. Beyond it joiners are given an older one that is
// being read anyway, if the window still leads on from there.
const snapshotBudget = 128 << 20

// snapshotCache holds the newest snapshot of each class. Guarded by Manager.mu.
type snapshotCache struct {
	budget int
	pieces map[*class]*piece
	bytes  int // of all that are ready and either cached or read
}

// get returns a snapshot to start from, or nil if a new one must be encoded. An
// older one will do as long as what was pushed since is little beside it: a crowd
// of joiners is let in a few at a time, while writing goes on.
func (c *snapshotCache) get(of *class, now State, generation uint64, w *window) *piece {
	p := c.pieces[of]
	switch {
	case p == nil || p.generation != generation || p.to+1 < w.oldest:
		return nil
	case !p.ready, p.to == now.SeqNo, c.bytes > c.budget, w.end(now.SeqNo)-w.end(p.to) <= p.bytes/2:
		return p
	}
	return nil
}

// add makes p the newest snapshot of a class.
func (c *snapshotCache) add(of *class, p *piece) {
	if c.pieces == nil {
		c.pieces = make(map[*class]*piece)
	}
	if old := c.pieces[of]; old != nil {
		c.forget(of, old)
	}
	c.pieces[of] = p
}

// finished counts the bytes of p, a snapshot for class of, now that they are
// known. One that failed is forgotten.
func (c *snapshotCache) finished(of *class, p *piece) {
	cached := c.pieces[of] == p
	switch {
	case p.ready && (cached || p.readers > 0):
		c.bytes += p.bytes
		c.shrink()
	case cached:
		delete(c.pieces, of)
	}
}

// released takes note that one reader less holds p, a snapshot of class of.
func (c *snapshotCache) released(of *class, p *piece) {
	if p.readers > 0 || !p.ready {
		return
	}
	if c.pieces[of] != p {
		c.bytes -= p.bytes
		return
	}
	c.shrink()
}

// forget takes p out of the cache. Its bytes count until nobody reads it.
func (c *snapshotCache) forget(of *class, p *piece) {
	delete(c.pieces, of)
	if p.ready && p.readers == 0 {
		c.bytes -= p.bytes
	}
}

// shrink forgets snapshots that nobody reads until the budget holds.
func (c *snapshotCache) shrink() {
	for of, p := range c.pieces {
		if c.bytes <= c.budget {
			return
		}
		if p.readers == 0 {
			c.forget(of, p)
		}
	}
}

// outdated forgets what nobody reads and no joiner would be given any more. While
// joining says that some are on their way in, older ones are kept for them.
func (c *snapshotCache) outdated(now State, generation uint64, joining bool) {
	for of, p := range c.pieces {
		if p.readers == 0 && (p.generation != generation || p.to != now.SeqNo && !joining) {
			c.forget(of, p)
		}
	}
}

// reset forgets all snapshots. Those being read go on being counted.
func (c *snapshotCache) reset() {
	for of, p := range c.pieces {
		c.forget(of, p)
	}
}
