package api

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/replication-gateway/gateway/internal/hub"
)

// writers are the goroutines that write to the streams, a few for all of them.
// One is there only while it has a stream.
type writers struct {
	mu  sync.Mutex
	all []*writer
}

// maxWriters bounds the writers. More than processors would only get into each
// other's way.
const maxWriters = 16

func newWriters(s *Server) *writers {
	w := new(writers)
	for range min(runtime.GOMAXPROCS(0), maxWriters) {
		w.all = append(w.all, &writer{server: s, feed: hub.NewFeed()})
	}
	return w
}

// add gives a stream to the writer that has the fewest.
func (ws *writers) add(st *stream) {
	ws.mu.Lock()
	w := ws.all[0]
	for _, other := range ws.all[1:] {
		if other.streams < w.streams {
			w = other
		}
	}
	st.writer = w
	if w.streams++; !w.running {
		w.running = true
		go w.run(ws)
	}
	ws.mu.Unlock()
	w.feed.Add(st.sub, st.kind.encoding, st)
}

// remove takes a stream that has ended from its writer.
func (ws *writers) remove(st *stream) {
	ws.mu.Lock()
	st.writer.streams--
	ws.mu.Unlock()
	st.sub.Signal() // the writer may have been waiting for nothing else
}

// dismiss reports whether w has nothing left to do. Then its goroutine ends, and
// the next stream begins another.
func (ws *writers) dismiss(w *writer) bool {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	w.running = w.streams > 0
	return !w.running
}

// writer walks along its streams and hands each what is due to it. It never waits
// for a peer, nor for a snapshot to be encoded, so nobody holds up the others.
type writer struct {
	server *Server
	feed   *hub.Feed

	// Guarded by writers.mu.
	streams int
	running bool

	// The goroutine's own.
	due   []*hub.Sub
	batch hub.Batch
}

// batchBytes bounds what is taken from the hub for a stream at a time, and with it
// what a stalled one keeps alive. One frame more may be taken.
const batchBytes = 64 << 10

// giveWay is after how many streams a writer lets others have the processor. The
// scheduler takes it from nobody who makes no call that it is told of, see sendNow,
// before ten milliseconds are over, and requests would wait that long.
const giveWay = 32

func (w *writer) run(ws *writers) {
	for range w.feed.Wake() {
		w.due = w.feed.Begin(w.due[:0])
		for i, sub := range w.due {
			w.serve(sub.Owner().(*stream))
			if i%giveWay == giveWay-1 {
				runtime.Gosched()
			}
		}
		clear(w.due)
		w.feed.End()

		if ws.dismiss(w) {
			return
		}
	}
}

// serve gives a stream what is due, unless it has not taken what it was given
// before: its socket signals when it has. What goes wrong ends this stream alone.
func (w *writer) serve(st *stream) {
	defer func() {
		if v := recover(); v != nil {
			w.server.options.Logger.Error().Err(fmt.Errorf("writer panicked: %v\n%s", v, debug.Stack())).
				Str("request_id", st.id).Msg("internal error")
			st.end(hub.Failed)
		}
	}()
	if st.over {
		st.socket.hasten(lastWords)
		return
	}
	if st.socket.busy() {
		if st.sub.Ended() {
			w.close(st)
		}
		return
	}
	w.delivered(st.late)
	st.late = time.Time{}
	st.sub.Next(&w.batch, batchBytes)
	b := &w.batch
	if b.Interval > 0 && !st.pulse.beats(st, b.Interval) {
		st.socket.cut(errSilent)
		return
	}
	all, err := st.socket.send(b.Frames)
	if err != nil {
		return // its reader has been told
	}
	if b.Interval > 0 {
		st.pulse.ask(st)
	}
	if all {
		w.delivered(b.Oldest)
	} else {
		st.late = b.Oldest
	}
	if b.Ended {
		w.close(st)
	} else if b.More && all {
		st.sub.Signal()
	}
}

// delivered notes that a commit pushed at that time has gone to the kernel.
func (w *writer) delivered(pushed time.Time) {
	if !pushed.IsZero() {
		w.server.metrics.delivery.Observe(time.Since(pushed).Seconds())
	}
}

// close hands in the last frame of a stream that has ended. What waits before it has
// the time of lastWords to leave, or, at a drain, the time that finish gave it.
func (w *writer) close(st *stream) {
	st.over = true
	w.server.uncount(st)
	cause := st.sub.Cause()
	if cause.Retry == 0 {
		st.socket.hurry(lastWords)
	} else {
		st.socket.hasten(lastWords)
	}
	if cause.Reason != "" { // else the subscriber ended it
		st.socket.seal(st.kind.last(cause))
	}
	if !st.kind.answers {
		st.socket.close()
	}
}
