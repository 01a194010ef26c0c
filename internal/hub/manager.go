package hub

import (
	"fmt"
	"runtime"
	"sync"
	"time"
)

// Limits that apply where Options says nothing.
const (
	DefaultMaxCommits = 10_000
	DefaultMaxBytes   = 64 << 20
	DefaultMaxFrame   = 256 << 10
)

// Options sets up a Manager.
type Options struct {
	Epoch      string // of letters, digits and "-"
	MaxCommits int    // commits in the window
	MaxBytes   int    // bytes in the window
	MaxFrame   int    // bytes that a frame stays under
	MaxSubs    int    // subscribers, 0 for no limit
	Observe    Observe
}

// Manager holds the window and its subscribers. All methods may be called from
// any goroutine, but only one at a time may push.
type Manager struct {
	options  Options
	encoders map[FrameType]chan struct{} // bound what is encoded beside the writers at a time

	// registry guards who is there. It is taken before mu when both are needed.
	registry sync.RWMutex
	subs     []*Sub
	feeds    map[*Feed]struct{} // that have subscribers
	closed   bool
	nextID   uint64

	// mu guards what is sent: the fields below and the cursor of every Sub. It is
	// never held while a class's entries or a state's parts are encoded.
	mu         sync.Mutex
	framer     framer
	state      State
	loaded     bool   // there is a state
	generation uint64 // moves on with each Push and Replace
	floor      uint64 // no position before it is resumed
	distrusted uint64 // nor one before this, which may have been that of a state which was wrong
	window     window
	pinned     []*Sub // those who read a snapshot or are catching up after one
	seats      seats
	classes    map[classKey]*class
	deltas     deltaCache
	snapshots  snapshotCache
	ticks      uint64 // heartbeats that fell due
	beats      beatCache
}

// class is a Class with an Encoding that has subscribers. All of them are sent
// the same bytes.
type class struct {
	classKey
	subs int
}

type classKey struct {
	name     Class
	encoding *Encoding
}

// NewManager returns a Manager that is empty until the first Push. It panics if
// the epoch has anything but letters, digits and "-".
func NewManager(o Options) *Manager {
	mustBeEpoch(o.Epoch)
	if o.MaxCommits <= 0 {
		o.MaxCommits = DefaultMaxCommits
	}
	if o.MaxBytes <= 0 {
		o.MaxBytes = DefaultMaxBytes
	}
	if o.MaxFrame <= 0 {
		o.MaxFrame = DefaultMaxFrame
	}
	m := &Manager{
		options: o,
		framer:  framer{epoch: o.Epoch, maxFrame: o.MaxFrame, tails: new(tails)},
		window:  window{maxCommits: o.MaxCommits, maxBytes: o.MaxBytes},
		feeds:   make(map[*Feed]struct{}),
		classes: make(map[classKey]*class),

		snapshots: snapshotCache{budget: snapshotBudget},
		encoders: map[FrameType]chan struct{}{
			Snapshot: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)),
			Delta:    make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)),
		},
	}
	m.seats.m = m
	m.window.reset(0, 0)
	return m
}

func mustBeEpoch(s string) {
	if !isWord(s) {
		panic(fmt.Sprintf("hub: %q cannot be an epoch", s))
	}
}

// Push replaces what subscribers start from and empties the window: of the
// positions up to s.SeqNo that one alone is resumed. Every subscriber gets a fresh
// snapshot of s once it has read what it has begun.
func (m *Manager) Push(s State) {
	m.mu.Lock()
	m.load(s)
	m.mu.Unlock()
	m.wakeAll()
}

// Replace has another history begin with s, in one step: every subscriber is ended
// with HistoryChanged, as by SetEpoch, and whoever comes next starts from s. When
// what was sent before is not to be trusted, no position is resumed that may have
// been sent, until the new history is past them all.
func (m *Manager) Replace(epoch string, s State, distrust bool) {
	mustBeEpoch(epoch)
	m.registry.Lock()
	defer m.registry.Unlock()
	m.mu.Lock()
	defer m.mu.Unlock()
	if distrust {
		m.distrusted = max(m.distrusted, m.window.last()+1, s.SeqNo+1)
	}
	m.load(s)
	m.rename(epoch)
}

// load makes s what subscribers start from. The lock is held.
func (m *Manager) load(s State) {
	m.floor = max(s.SeqNo, m.distrusted)
	m.state, m.loaded = s, true
	m.generation++
	m.window.reset(s.SeqNo, s.Digest)
	for _, sub := range m.pinned {
		sub.pinned = false
	}
	m.pinned = nil
	m.deltas.reset()
	m.snapshots.outdated(s, m.generation, m.seats.busy())
	m.beats.reset()
}

// PushDelta appends commits in order. s is what may be seen from now on: the
// state after the last commit or after an earlier one, never before what s was.
// Commits after s are sent to subscribers with SubOptions.Ahead only, and stay in
// the window. Without commits PushDelta only moves s.
//
// A commit that does not follow on the last, or a state out of range, would be a
// gap in every stream: PushDelta panics.
func (m *Manager) PushDelta(s State, commits ...Commit) {
	m.append(s, commits, time.Now())
	m.wakeAll()
}

func (m *Manager) append(s State, commits []Commit, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.loaded {
		panic("hub: PushDelta before Push")
	}
	last := m.window.last()
	for i, c := range commits {
		if want := last + 1 + uint64(i); c.SeqNo != want {
			panic(fmt.Sprintf("hub: commit %d pushed where %d is due", c.SeqNo, want))
		}
	}
	last += uint64(len(commits))
	if s.SeqNo < m.state.SeqNo || s.SeqNo > last {
		panic(fmt.Sprintf("hub: state %d pushed, outside %d to %d", s.SeqNo, m.state.SeqNo, last))
	}

	m.state = s
	for _, c := range commits {
		m.window.append(&held{Commit: c, pushed: now})
	}
	m.window.trim(s.SeqNo, m.pin())
	m.snapshots.outdated(s, m.generation, m.seats.busy())
}

// SetEpoch begins a new history that goes on from the present one: the window
// stays, and so does what can be resumed. Every subscriber is ended with
// HistoryChanged, since the epoch never changes inside a stream.
func (m *Manager) SetEpoch(epoch string) {
	mustBeEpoch(epoch)
	m.registry.Lock()
	defer m.registry.Unlock()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rename(epoch)
}

// rename is SetEpoch with both locks held.
func (m *Manager) rename(epoch string) {
	m.framer.epoch = epoch
	m.deltas.reset()
	m.snapshots.reset()
	m.beats.reset()
	for _, s := range m.subs {
		s.end(HistoryChanged)
	}
}

// DigestAt returns the digest of the state at a commit, false when the window does
// not know it, or not any more.
func (m *Manager) DigestAt(seqNo uint64) (uint64, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	w := &m.window
	if seqNo+1 < w.oldest || seqNo > w.last() {
		return 0, false
	}
	return w.digest(seqNo), true
}

// Waiting returns how many commits wait to be seen by all, and how many bytes they
// take in the window.
func (m *Manager) Waiting() (commits, bytes int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	w := &m.window
	return int(w.last() - m.state.SeqNo), w.end(w.last()) - w.end(m.state.SeqNo)
}

// Window returns the first and the last commit of the window; first is last+1
// when it is empty. Positions from first-1 to last can be resumed.
func (m *Manager) Window() (first, last uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.window.first, m.window.last()
}
