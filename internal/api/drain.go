package api

import (
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/replication-gateway/gateway/internal/hub"
)

// streams are the open ones.
type streams struct {
	mu   sync.Mutex
	open map[*stream]struct{}
	none chan struct{} // closed when open becomes empty, nil while nobody waits
}

// add registers a stream; remove takes it out again.
func (o *streams) add(st *stream) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.open == nil {
		o.open = make(map[*stream]struct{})
	}
	o.open[st] = struct{}{}
}

func (o *streams) remove(st *stream) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.open, st)
	if len(o.open) == 0 && o.none != nil {
		close(o.none)
		o.none = nil
	}
}

func (o *streams) all() []*stream {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Collect(maps.Keys(o.open))
}

// empty returns a channel that is closed when no stream is open.
func (o *streams) empty() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.open) == 0 {
		none := make(chan struct{})
		close(none)
		return none
	}
	if o.none == nil {
		o.none = make(chan struct{})
	}
	return o.none
}

// Drain prepares for the end: the gateway is not ready any more, new streams
// are refused, and the open ones are ended one after the other, spread over the
// given time so that their readers do not come back all at once. Each is given
// before what is due to it, for which a slow reader has the rest of the time, and
// a second at least. Drain returns when no stream is left, or with ctx's error
// after ending what was left. Other requests are still served.
func (s *Server) Drain(ctx context.Context, over time.Duration) error {
	s.draining.Store(true)
	open := s.streams.all()
	start := time.Now()
	turn := func(i int) time.Duration { return over * time.Duration(i) / time.Duration(len(open)) }
	for i, st := range open {
		pause(ctx, turn(i)-time.Since(start))
		passed := time.Since(start)
		st.finish(hub.Restarting(comeBack(turn(len(open)-1)-passed)), over-passed)
	}
	select {
	case <-s.streams.empty():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// comeBack is when a reader should try again: once the last one has had its turn,
// since as a rule the drain is over then, and a little later at random.
func comeBack(lastTurn time.Duration) time.Duration {
	return max(lastTurn, 0) + 500*time.Millisecond + rand.N(time.Second)
}

func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
