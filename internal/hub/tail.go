package hub

import (
	"runtime"
	"sync"
	"weak"
)

// tail is all frames but the first of a commit that takes several. They say nothing
// of what the subscriber was sent before, so that all of a class share them, wherever
// they come from: else each that resumes from a place of its own and reads slowly
// would keep a copy of a large commit.
type tail struct {
	mu     sync.Mutex
	ready  bool
	frames [][]byte // immutable when ready
}

// tailKey names the tail for all who need the same one. A commit that was pushed anew
// is another one.
type tailKey struct {
	class     *class
	commit    *held
	epoch     string
	committed uint64
	ahead     bool
}

// tails knows the tails that somebody reads, and keeps none of them. The zero value is
// ready for use, by any goroutine.
type tails struct {
	mu    sync.Mutex
	known map[tailKey]weak.Pointer[tail]
}

// get returns the tail under k, made by encode if nobody reads it. Whoever else needs
// the same one waits for it.
func (ts *tails) get(k tailKey, encode func() [][]byte) *tail {
	t := ts.find(k)
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.ready {
		t.frames = encode() // or panics, and the next one tries
		t.ready = true
	}
	return t
}

// find returns the tail under k, which may not be ready.
func (ts *tails) find(k tailKey) *tail {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if t := ts.known[k].Value(); t != nil {
		return t
	}
	if ts.known == nil {
		ts.known = make(map[tailKey]weak.Pointer[tail])
	}
	t := new(tail)
	p := weak.Make(t)
	ts.known[k] = p
	runtime.AddCleanup(t, func(k tailKey) { ts.forget(k, p) }, k)
	return t
}

// forget takes out a tail that nobody reads any more.
func (ts *tails) forget(k tailKey, p weak.Pointer[tail]) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if ts.known[k] == p {
		delete(ts.known, k)
	}
}
