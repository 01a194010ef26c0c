package api

import (
	"runtime"
	runtimemetrics "runtime/metrics"
	"sync"
)

// leftovers has the collector come for what handshakes leave behind when there are
// many of them.
//
// Most of what it takes to open a stream are buffers of net/http, which are garbage
// once it is open, and eight times what the stream keeps. Go lets garbage grow as large
// as what lives, so a crowd makes a small heap twice as large as it need be. Here the
// collector comes when they may have left a small part of what lives. That bounds
// what it costs: the larger the heap, the more streams there are to a collection.
type leftovers struct {
	heap    func() (live, cycles uint64) // as liveHeap
	collect func()                       // as runtime.GC

	mu         sync.Mutex
	opened     uint64 // streams since the last collection began, or ended if it was somebody else's
	cycles     uint64 // collections when the heap was looked at last
	collecting bool   // one of ours had not ended then
	running    sync.WaitGroup
}

const (
	// leftBehind is what a stream that was opened leaves to the collector, in bytes.
	leftBehind = 16 << 10
	// shareLeft is how many times what is left the live heap may be at most.
	shareLeft = 16
	// smallHeap is how many bytes may live for all of this to matter: a larger heap has
	// room for a crowd.
	smallHeap = 64 << 20
	// leastLeft is what is worth a collection, in bytes.
	leastLeft = 1 << 20
	// lookEvery is how many streams are opened between looks at the heap.
	lookEvery = 16
)

func newLeftovers() *leftovers { return &leftovers{heap: liveHeap, collect: runtime.GC} }

// add notes that a stream has been opened. It does not wait for the collector.
//
// A collection is over when the runtime has counted it. The call that began it goes on
// to sweep, one step for each turn of everybody else, and beside a crowd returns when
// the crowd is in.
func (l *leftovers) add() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.opened++; l.opened%lookEvery != 0 {
		return
	}
	live, cycles := l.heap()
	switch {
	case cycles == l.cycles:
	case l.collecting:
		l.collecting = false // what was left meanwhile is there still
	default:
		l.opened = 0
	}
	l.cycles = cycles
	if !l.collecting && live <= smallHeap && l.opened*leftBehind >= max(live/shareLeft, leastLeft) {
		l.collecting, l.opened = true, 0
		l.running.Go(l.collect)
	}
}

// liveHeap returns how many bytes the last collection found to be in use, and how
// many collections there have been.
func liveHeap() (live, cycles uint64) {
	s := [...]runtimemetrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/cycles/total:gc-cycles"}}
	runtimemetrics.Read(s[:])
	return s[0].Value.Uint64(), s[1].Value.Uint64()
}
