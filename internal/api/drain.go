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

// streams are the open ones, those of standbys apart: they are the last to go.
type streams struct {
	readers, standbys streamSet
}

// of returns the set that a stream belongs to.
func (o *streams) of(st *stream) *streamSet {
	if st.follower != nil {
		return &o.standbys
	}
	return &o.readers
}

func (o *streams) all() []*stream { return append(o.readers.all(), o.standbys.all()...) }

// Connections is how many are open that net/http does not know of: those of streams,
// and those by which requests are passed on.
func (s *Server) Connections() int {
	return s.streams.readers.len() + s.streams.standbys.len() + int(s.forwarding.Load())
}

// streamSet is a set of open streams.
type streamSet struct {
	mu   sync.Mutex
	open map[*stream]struct{}
	none chan struct{} // closed when open becomes empty, nil while nobody waits
}

// add registers a stream; remove takes it out again.
func (o *streamSet) add(st *stream) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.open == nil {
		o.open = make(map[*stream]struct{})
	}
	o.open[st] = struct{}{}
}

func (o *streamSet) remove(st *stream) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.open, st)
	if len(o.open) == 0 && o.none != nil {
		close(o.none)
		o.none = nil
	}
}

func (o *streamSet) len() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.open)
}

func (o *streamSet) all() []*stream {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Collect(maps.Keys(o.open))
}

// empty returns a channel that is closed when no stream is open.
func (o *streamSet) empty() <-chan struct{} {
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

// await returns when no stream is open, or with ctx's error.
func (o *streamSet) await(ctx context.Context) error {
	select {
	case <-o.empty():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Drain prepares for the end: the gateway is not ready any more, new streams
// are refused, and the open ones but those of standbys are ended one after the
// other, spread over the given time so that their readers do not come back all at
// once. Each is given before what is due to it, for which a slow reader has the rest
// of the time, and a second at least. Drain returns when none of them is left, or
// with ctx's error after ending what was left. Other requests are still served, and
// standbys go on: DismissStandbys ends them.
func (s *Server) Drain(ctx context.Context, over time.Duration) error {
	s.draining.Store(true)
	open := s.streams.readers.all()
	start := time.Now()
	turn := func(i int) time.Duration { return over * time.Duration(i) / time.Duration(len(open)) }
	for i, st := range open {
		pause(ctx, turn(i)-time.Since(start))
		passed := time.Since(start)
		st.finish(hub.Restarting(comeBack(turn(len(open)-1)-passed)), over-passed)
	}
	return s.streams.readers.await(ctx)
}

// DismissStandbys ends the streams of standbys, each once it has been given all that
// was committed, for which it has the given time, and a second at least. It is for
// when nothing writes any more, after Drain: so a standby that is promoted next
// lacks nothing that was acknowledged, unless it was too far behind, which the log
// says. It returns as Drain does.
func (s *Server) DismissStandbys(ctx context.Context, grace time.Duration) error {
	s.dismissed.Store(true)
	open := s.streams.standbys.all()
	for _, st := range open {
		st.finish(hub.Restarting(comeBack(0)), grace)
	}
	err := s.streams.standbys.await(ctx)
	for _, st := range open {
		_, last := s.options.Gateway.Durable()
		if name, acked, standby := st.follower.Acked(); standby && acked < last.SeqNo {
			s.options.Logger.Warn().Str("standby", name).Uint64("seq_no", acked).Stringer("position", last).
				Msg("a standby has not acknowledged all there is")
		}
	}
	return err
}

// sendsAway reports whether a stream that begins now is sent away again: readers are
// in a drain, and standbys after it.
func (s *Server) sendsAway(standby bool) bool {
	return s.draining.Load() && (!standby || s.dismissed.Load())
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
