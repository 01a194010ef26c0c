package client_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/replication-gateway/gateway/client"
	"github.com/replication-gateway/gateway/internal/directory"
	"github.com/replication-gateway/gateway/internal/gateway"
)

// TestCutsLoseNothing cuts each connection after a random number of bytes, at
// whatever they are in the middle of, while commits of all sizes are made and the
// gateway is restarted now and then.
func TestCutsLoseNothing(t *testing.T) {
	t.Parallel()
	for compression, most := range map[bool]int{false: 21, true: 14} { // bytes, as a power of two
		t.Run(fmt.Sprint("compression ", compression), func(t *testing.T) {
			h := start(t, func(o *gateway.Options) { o.WindowCommits = 2 })
			random, cuts := rand.New(rand.NewPCG(1, 2)), rand.New(rand.NewPCG(3, 4))
			do(h, putNetwork(7))
			do(h, batch(1, 200, 100))
			h.proxy.limit(func() int64 { return cuts.Int64N(1 << (9 + cuts.IntN(most-8))) })
			s, w := followed(t, h, compression)

			for i := range 30 {
				switch {
				case i == 20:
					h.restart()
				case i%9 == 8:
					do(h, batch(1000, 260, 1000+i)) // in several frames
				default:
					do(h, putNode(uint32(random.IntN(300)+1), fmt.Sprint("round ", i)))
					do(h, join(7, uint32(random.IntN(200)+1)))
				}
				if i%3 == 0 {
					_, p := h.gateway.State()
					reached(t, s, p)
					h.proxy.cutAll()
				}
			}
			_, last := h.gateway.State()
			h.same(reached(t, s, last), directory.AccessAdmin)
			if h.proxy.cuts() < 5 {
				t.Errorf("only %d connections were cut", h.proxy.cuts())
			}
			for _, err := range w.losses() {
				if errors.Is(err, client.ErrProtocol) {
					t.Errorf("a stream that was cut ended with: %v", err)
				}
			}
			t.Logf("%d cuts, %d streams, %d snapshots", h.proxy.cuts(), w.dials.Load(), w.snapshots.Load())
		})
	}
}

// followed is a state that follows the gateway, and what its stream is watched by.
func followed(t *testing.T, h *harness, compression bool) (*client.State, *watched) {
	s := client.NewState()
	w := watch(t, s)
	o := h.client(adminToken)
	o.Compression = compression
	follow(t, o, w)
	return s, w
}

// TestRestartsAreResumed: one snapshot at the beginning, none afterwards.
func TestRestartsAreResumed(t *testing.T) {
	t.Parallel()
	h := start(t)
	do(h, batch(1, 100, 10))
	s, w := followed(t, h, false)
	for i := range 2 {
		reached(t, s, do(h, putNode(1, fmt.Sprint("before restart ", i))))
		h.restart()
		last := do(h, putNode(2, fmt.Sprint("after restart ", i)))
		h.same(reached(t, s, last), directory.AccessAdmin)
	}
	if n := w.snapshots.Load(); n != 1 {
		t.Errorf("%d snapshots, want 1", n)
	}
	for _, err := range w.losses() {
		restarting := errors.Is(err, client.ErrRestarting)
		if refused, ok := errors.AsType[*client.RefusedError](err); !restarting && ok && refused.Status != 503 {
			t.Errorf("lost with %v", err)
		}
	}
}

// TestBehindTheWindow: who comes back too late gets a snapshot in place of what he
// missed.
func TestBehindTheWindow(t *testing.T) {
	h := start(t, func(o *gateway.Options) { o.WindowCommits = 10 })
	s, w := followed(t, h, false)
	reached(t, s, do(h, putNode(1, "one")))
	h.proxy.lead("127.0.0.1:1") // where nobody listens
	h.proxy.cutAll()
	var last client.Position
	for i := range 30 {
		last = do(h, putNode(uint32(i+1), "while away"))
	}
	do(h, directory.DeleteNode{NodeID: 1})
	last.SeqNo++
	if s.View().Position().SeqNo > 1 {
		t.Fatal("not away")
	}
	h.proxy.lead(h.http.Listener.Addr().String())
	h.same(reached(t, s, last), directory.AccessAdmin)
	if n := w.snapshots.Load(); n != 2 {
		t.Errorf("%d snapshots, want 2", n)
	}
}

// TestFiltersMoveOnWithoutEntries: a position that is reached without a commit in
// sight is resumed at all the same.
func TestFiltersMoveOnWithoutEntries(t *testing.T) {
	h := start(t, func(o *gateway.Options) { o.Heartbeat = 20 * time.Millisecond })
	do(h, putNetwork(7))
	s := client.NewState()
	w := watch(t, s)
	o := h.client(adminToken)
	o.Networks = []uint16{7}
	follow(t, o, w)
	last := do(h, batch(1, 50, 10)) // out of sight
	h.same(reached(t, s, last), directory.AccessAdmin, 7)
	h.proxy.cutAll()
	do(h, putNode(1, "renamed"))
	last = do(h, join(7, 1))
	h.same(reached(t, s, last), directory.AccessAdmin, 7)
	if v := s.View(); v.Node(1) == nil || v.Node(2) != nil {
		t.Errorf("holds %q", lines(v))
	}
	if n := w.snapshots.Load(); n != 1 {
		t.Errorf("%d snapshots, want 1", n)
	}
}

func TestTokenThatEndsEndsTheSubscription(t *testing.T) {
	h := start(t)
	token, id := h.token(directory.AccessViewer)
	s := client.NewState()
	ended := make(chan error, 1)
	go func() { ended <- client.Subscribe(t.Context(), h.client(token), s) }()
	_, p := h.gateway.State()
	reached(t, s, p)
	do(h, directory.RevokeToken{TokenID: id})
	if err := <-ended; !errors.Is(err, client.ErrTokenEnded) || !errors.Is(s.Stale(), client.ErrTokenEnded) {
		t.Errorf("ended with %v, stale %v", err, s.Stale())
	}

	// With another token the same state goes on where it stood.
	last := do(h, putNode(1, "one"))
	token, _ = h.token(directory.AccessViewer)
	held := s.View().Position()
	o := h.client(token)
	o.Since = &held
	w := watch(t, s)
	w.validator = nil // which does not know what the state holds
	follow(t, o, w)
	reached(t, s, last)
	if n := w.snapshots.Load(); n != 0 || s.Stale() != nil {
		t.Errorf("%d snapshots, stale %v", n, s.Stale())
	}
}

// TestStateAsksForWhatItLacks: a state that is resumed where it does not stand
// starts over by itself.
func TestStateAsksForWhatItLacks(t *testing.T) {
	h := start(t)
	do(h, putNode(1, "one"))
	last := do(h, putNode(2, "two"))
	s := client.NewState()
	o := h.client(adminToken)
	o.Since = &client.Position{Epoch: last.Epoch, SeqNo: 1}
	follow(t, o, s)
	h.same(reached(t, s, last), directory.AccessAdmin)
}

// moody is a handler that refuses what its func says.
type moody struct {
	client.Handler
	refuse func(client.Frame) error
}

func (m moody) Snapshot(ctx context.Context, part *client.SnapshotPart) error {
	if err := m.refuse(part); err != nil {
		return err
	}
	return m.Handler.Snapshot(ctx, part)
}

func (m moody) Delta(ctx context.Context, delta *client.Delta) error {
	if err := m.refuse(delta); err != nil {
		return err
	}
	return m.Handler.Delta(ctx, delta)
}

// TestWhatWasNotAppliedComesAgain has a handler refuse frames at random.
func TestWhatWasNotAppliedComesAgain(t *testing.T) {
	h := start(t)
	do(h, batch(1, 500, 700)) // a snapshot in parts
	random := rand.New(rand.NewPCG(3, 4))
	var refused, over atomic.Int32
	s := client.NewState()
	w := watch(t, moody{s, func(f client.Frame) error {
		switch n := random.IntN(20); {
		case n == 0:
			over.Add(1)
			return fmt.Errorf("no good: %w", client.ErrStartOver)
		case n < 6:
			refused.Add(1)
			return errors.New("not in the mood")
		}
		return nil
	}})
	w.validator = nil // frames that were refused come twice
	follow(t, h.client(adminToken), w)
	for i := range 20 {
		last := do(h, putNode(uint32(i+1), "renamed"))
		if i%10 == 9 {
			last = do(h, batch(10_000*i, 300, 1000))
		}
		v := reached(t, s, last)
		if i%8 == 7 {
			h.same(v, directory.AccessAdmin)
		}
	}
	if refused.Load() < 3 || over.Load() < 1 {
		t.Errorf("refused %d, started over %d times", refused.Load(), over.Load())
	}
}

func TestStartOverBringsASnapshot(t *testing.T) {
	h := start(t)
	s := client.NewState()
	var once atomic.Bool
	w := watch(t, moody{s, func(f client.Frame) error {
		if _, isDelta := f.(*client.Delta); isDelta && once.CompareAndSwap(false, true) {
			return fmt.Errorf("digests differ: %w", client.ErrStartOver)
		}
		return nil
	}})
	follow(t, h.client(adminToken), w)
	_, p := h.gateway.State()
	reached(t, s, p)
	last := do(h, putNode(1, "one"))
	h.same(reached(t, s, last), directory.AccessAdmin)
	if n := w.snapshots.Load(); n != 2 {
		t.Errorf("%d snapshots, want 2", n)
	}
}

func TestPermanentEndsTheSubscription(t *testing.T) {
	h := start(t)
	fault := errors.New("the disk is full")
	err := client.Subscribe(t.Context(), h.client(adminToken), moody{silence{}, func(client.Frame) error { return client.Permanent(fault) }})
	if !errors.Is(err, fault) || !strings.Contains(err.Error(), fault.Error()) {
		t.Errorf("ended with %v", err)
	}
}

// TestALongHandlerIsNotTakenForGone: nobody answers pings while a handler works.
func TestALongHandlerIsNotTakenForGone(t *testing.T) {
	t.Parallel()
	const patience, long = time.Second, 3 * time.Second // a silent peer has the write timeout, however short the interval
	h := startWithin(t, patience, func(o *gateway.Options) { o.Heartbeat = 50 * time.Millisecond })
	s := client.NewState()
	w := watch(t, moody{s, func(f client.Frame) error {
		if _, is := f.(*client.SnapshotPart); is {
			<-time.After(long)
		}
		return nil
	}})
	follow(t, h.client(adminToken), w)
	_, p := h.gateway.State()
	reached(t, s, p)
	h.same(reached(t, s, do(h, putNode(1, "one"))), directory.AccessAdmin)
	if n := w.dials.Load(); n != 1 {
		t.Errorf("%d streams, want 1: %v", n, w.losses())
	}
}

// TestSlowHandlerMissesNothing: a handler that takes its time is told everything,
// and in order.
func TestSlowHandlerMissesNothing(t *testing.T) {
	h := start(t)
	gate := make(chan struct{})
	s := client.NewState()
	w := watch(t, moody{s, func(f client.Frame) error {
		<-gate
		return nil
	}})
	follow(t, h.client(adminToken), w)
	var last client.Position
	for i := range 50 {
		last = do(h, batch(1000*i+1, 30, 1000))
	}
	close(gate)
	h.same(reached(t, s, last), directory.AccessAdmin)
}
